//! One request's purchase on its way into the store.

use fleet_boot::{Intake, IntakeOutcome};
use fleet_contracts::PurchaseBody;
use fleet_domain::{Scenario, WayIn};

use crate::Gateway;
use crate::present::Present;

/// Takes a request's purchase in; its first hint follows.
pub(crate) async fn take_in_one(
    gateway: &Gateway,
    directory: Present,
    body: PurchaseBody,
    scenario: Scenario,
) -> IntakeOutcome {
    let intake = Intake::new(gateway.store.clone(), gateway.hints.clone());
    // Its own task: a caller that hangs up must not cut the write in two.
    let stored = tokio::spawn(async move {
        intake.take_in(&directory, vec![(body, scenario)], WayIn::Http).await
    });
    let outcome = stored.await.ok().and_then(|outcomes| outcomes.into_iter().next());
    outcome.unwrap_or(IntakeOutcome::Unavailable)
}
