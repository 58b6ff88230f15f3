//! What operators see: the real command on a database in which nobody works.

mod bounded;
mod decisions;
mod lists;
mod money;
mod sealed;
mod shown;

use std::time::Duration;

use fleet_domain::{Currency, PurchaseId, Scenario, TaskKind};
use fleet_store::Stored;
use fleet_testkit::TestFleet;
use fleet_testkit::samples::new_purchase;

/// A fleet without workers: what is stored stays as it is.
async fn still() -> TestFleet {
    TestFleet::builder().workers(&[]).start().await
}

/// A purchase that reserves so much, without a fee.
async fn stored(fleet: &TestFleet, minor: i64, currency: &str) -> PurchaseId {
    let start_by = fleet.store().now().await.unwrap() + Duration::from_secs(3_600);
    let reference = format!("order-{}", uuid::Uuid::new_v4());
    let mut new = new_purchase(&reference, Scenario::WeReserve, start_by).unwrap();
    let order = &mut new.order.order;
    order.currency = Currency::from_code(currency).unwrap();
    (order.purchase_amount, order.fee_amount) = (minor, 0);
    let id = order.id;
    let accepted = fleet.store().accept(&[new]).await.unwrap();
    assert!(matches!(accepted.stored[..], [Stored::New(..)]), "{accepted:?}");
    id
}

/// Parks a task of a purchase over all of its money.
async fn parked(fleet: &TestFleet, id: PurchaseId, kind: TaskKind, class: &str, cause: &str) {
    let sql = "insert into task (purchase, kind, slot, state, due_at, lane, client, park_class,
                                 park_cause, at_risk_minor, at_risk_currency, parked_at, created_at)
               select p.purchase, $2, 0, 4, fleet_now() + interval '1 day', 0, p.client_id, $3, $4,
                      p.purchase_amount + p.fee_amount, p.currency, fleet_now(), fleet_now()
               from purchase p where p.purchase = $1
               on conflict (purchase, kind, slot) do update
               set state = 4, park_class = excluded.park_class, park_cause = excluded.park_cause,
                   at_risk_minor = excluded.at_risk_minor, parked_at = excluded.parked_at,
                   at_risk_currency = excluded.at_risk_currency";
    let query = sqlx::query(sql).bind(id.0).bind(kind.code()).bind(class).bind(cause);
    query.execute(&mut fleet.database().connection().await.unwrap()).await.unwrap();
}

/// Changes rows of a purchase, or of anything else that has a UUID.
async fn change(fleet: &TestFleet, sql: &'static str, id: uuid::Uuid) {
    let mut connection = fleet.database().connection().await.unwrap();
    let done = sqlx::query(sql).bind(id).execute(&mut connection).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
}

/// What the command tells a person, and its exit code.
async fn told(fleet: &TestFleet, arguments: &[&str]) -> (Option<i32>, String) {
    let output = fleet.run("fleet", arguments).await;
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// What the command tells a person when it does what it is asked.
async fn text(fleet: &TestFleet, arguments: &[&str]) -> String {
    let (code, text) = told(fleet, arguments).await;
    assert_eq!(code, Some(0), "{arguments:?}: {text}");
    text
}
