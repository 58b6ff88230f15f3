//! What suppliers and funding sources tell us: stored as a fact, answered 200 only then. It never
//! moves a purchase; its task decides over all facts.

pub(crate) mod card_payment;
pub(crate) mod card_sale;
pub(crate) mod mo_charge;
pub(crate) mod supplier;

use axum::http::StatusCode;
use fleet_domain::{FactOutcome, NewFact, PurchaseId, TaskKey, TaskKind};

use crate::Gateway;
use crate::problem::Problem;

/// Stores a fact and wakes the task that it is about.
pub(crate) async fn keep(gateway: &Gateway, fact: &NewFact) -> Result<StatusCode, Problem> {
    fleet_telemetry::crash_point("callback", "fact.before");
    let stored = gateway.store.store_fact(fact).await?;
    fleet_telemetry::crash_point("callback", "fact.after");
    if let FactOutcome::Stored { woken: Some(woken) } = stored {
        let now = gateway.store.now().await?;
        gateway.hints.publish_one(woken.key, woken.lane, now).await;
    }
    fleet_telemetry::crash_point("callback", "answer.before");
    Ok(StatusCode::OK)
}

/// The task that a funding source's notification is about.
pub(crate) const fn reserve_task(purchase: PurchaseId) -> TaskKey {
    TaskKey { purchase, kind: TaskKind::Reserve, slot: 0 }
}
