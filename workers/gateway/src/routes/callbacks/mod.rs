//! What suppliers and funding sources tell us: stored as a fact, answered 200 only then. It never
//! moves a purchase; its task decides over all facts.

pub(crate) mod card_payment;
pub(crate) mod card_sale;
pub(crate) mod mo_charge;
pub(crate) mod supplier;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use fleet_domain::{
    Connector, Directory, FactOutcome, NewFact, Purchase, PurchaseId, TaskKey, TaskKind,
};

use crate::Gateway;
use crate::problem::Problem;

/// Stores a fact and wakes the task that it is about. Others may pass once it is stored: the broker
/// may be slow.
pub(crate) async fn keep(
    gateway: &Gateway,
    fact: &NewFact,
    pass: impl Send,
) -> Result<StatusCode, Problem> {
    fleet_telemetry::crash_point("callback", "fact.before");
    let stored = gateway.store.store_fact(fact).await?;
    fleet_telemetry::crash_point("callback", "fact.after");
    if let FactOutcome::Stored { woken: Some(woken) } = stored {
        let now = gateway.store.now().await?;
        drop(pass);
        gateway.hints.publish_one(woken.key, woken.lane, now).await;
    }
    fleet_telemetry::crash_point("callback", "answer.before");
    Ok(StatusCode::OK)
}

/// The connector of a path, if it is one that tells such things.
fn teller(
    directory: &Directory,
    name: Result<Path<String>, PathRejection>,
    tells: impl Fn(&Connector) -> bool,
) -> Result<&Connector, Problem> {
    let connector = name.ok().and_then(|Path(name)| directory.connectors.get(&name));
    connector.filter(|connector| tells(connector)).ok_or(Problem::NotFound)
}

/// The purchase whose part a source speaks of, if it is the one that may. What anybody else says of it
/// is kept for a person, as if it named nobody.
async fn told_of(
    gateway: &Gateway,
    source: &str,
    part: Option<TaskKey>,
) -> Result<Option<Purchase>, Problem> {
    let Some(key) = part else { return Ok(None) };
    Ok(gateway.store.find_told_by(key, source).await?)
}

/// The task that a funding source's reference names.
fn funded_by(reference: &str) -> Option<TaskKey> {
    reference.parse().ok().map(reserve_task)
}

/// The task that a funding source's notification is about.
pub(crate) const fn reserve_task(purchase: PurchaseId) -> TaskKey {
    TaskKey { purchase, kind: TaskKind::Reserve, slot: 0 }
}
