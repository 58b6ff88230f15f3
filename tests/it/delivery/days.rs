//! Four days on the fleet's own clock.

use std::time::Duration;

use fleet_domain::later;
use fleet_testkit::TestFleet;

use super::{ipn, order, received};

/// Seconds after the first byte (contracts, section 2).
const OFFSETS: [u64; 16] = [
    10, 30, 70, 150, 310, 630, 1_270, 2_550, 5_110, 10_230, 20_470, 40_950, 81_910, 163_830,
    250_230, 336_630,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ipn_is_sent_at_each_offset_of_the_plan_and_fails_exactly_after_four_days() {
    let fleet = TestFleet::builder().setting("outbound.deliver_jitter_percent", 0).start().await;
    let id = fleet.reserve_and_transact(&order("9415")).await.accepted();
    let due = async || {
        let view = fleet.purchase(id).await;
        view.tasks.first().filter(|task| task.state.name() == "waiting").map(|task| task.due_at)
    };
    let attempts = async |count: i32| {
        fleet
            .until(&format!("attempt {count}"), async || {
                let view = fleet.purchase(id).await;
                let row = view.deliveries.first();
                row.is_some_and(|row| row.attempts == count) && due().await.is_some()
            })
            .await;
    };
    attempts(1).await;
    let first = ipn(&fleet.purchase(id).await).first_sent_at.unwrap();
    let mut ahead = chrono::Duration::zero();
    for (count, offset) in (1..).zip(OFFSETS.into_iter().chain([345_600])) {
        let planned = later(first, Duration::from_secs(offset));
        assert_eq!(due().await, Some(planned), "after {count} attempts");
        let wait = (planned - fleet.store().now().await.unwrap()).to_std().unwrap();
        fleet.advance_clock(wait).await;
        ahead += chrono::Duration::from_std(wait).unwrap();
        if offset == 345_600 {
            break;
        }
        attempts(count + 1).await;
        let sent = received(&fleet, id).last().unwrap().at + ahead;
        assert!(sent >= planned, "never early: {sent} instead of {planned}");
        let row = ipn(&fleet.purchase(id).await).clone();
        assert_eq!(row.first_sent_at, Some(first), "the first byte stays the first");
        assert!(row.last_sent_at >= Some(planned));
    }
    fleet.until("the end", async || fleet.purchase(id).await.tasks.is_empty()).await;
    let view = fleet.purchase(id).await;
    let row = ipn(&view);
    assert_eq!((row.state.as_str(), row.attempts, row.last_status), ("failed", 17, Some(200)));
    let calls = received(&fleet, id);
    assert_eq!(calls.len(), 17, "nothing is sent at the end");
    assert!(calls.iter().all(|call| call.body == calls[0].body), "byte for byte");
    let show = fleet.operator(&["delivery", "show", &id.to_string()]).await;
    assert_eq!(
        show["attempts"].as_array().unwrap().len(),
        18,
        "proof of each, and the end: {show}"
    );
    // Once more by hand: one attempt, and it has failed again.
    fleet.operator(&["delivery", "resend", &id.to_string(), "--reason", "asked"]).await;
    fleet.until("the resend", async || received(&fleet, id).len() == 18).await;
    let view = fleet.wait_final(id).await;
    assert_eq!(ipn(&view).state, "failed");
    fleet.assert_all_ended().await;
}
