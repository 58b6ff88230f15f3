#![expect(clippy::arithmetic_side_effects, reason = "a test may panic")]

use fleet_domain::{
    ClaimToken, ClaimedTask, Delivery, DispenseState, ExchangeTimes, LaneId, Private, Progress,
    Purchase, ReserveState, RetryPlan, Scenario, TaskKey,
};
use fleet_testkit::samples::new_purchase;

use super::*;

/// The offsets that the contract names.
const OFFSETS: [u64; 16] = [
    10, 30, 70, 150, 310, 630, 1_270, 2_550, 5_110, 10_230, 20_470, 40_950, 81_910, 163_830,
    250_230, 336_630,
];

fn at(seconds: u64) -> DateTime<Utc> {
    later(DateTime::UNIX_EPOCH, Duration::from_secs(1_000_000 + seconds))
}

/// The sample's plan.
fn directory() -> Directory {
    let mut gaps = Vec::new();
    let mut before = 0;
    for offset in OFFSETS {
        gaps.push(u32::try_from(offset - before).unwrap());
        before = offset;
    }
    let plan = RetryPlan {
        kind: TaskKind::Deliver,
        owner: "*".to_owned(),
        class: PlanClass::NotDone,
        version: 1,
        delays_seconds: gaps,
    };
    Directory { plans: vec![plan], ..Directory::default() }
}

/// A delivery first sent at 0, claimed and sent now, answered a bit later.
fn job(now: u64, tries: i32, first: Option<u64>) -> Job {
    let order = new_purchase("r", Scenario::ClientReserved, at(0)).unwrap().order.order;
    let mut progress = Progress::new(ReserveState::NotNeeded, at(0));
    progress.dispense = DispenseState::Dispensed;
    let key = TaskKey { purchase: order.id, kind: TaskKind::Deliver, slot: 1 };
    Job {
        task: ClaimedTask {
            key,
            lane: LaneId(1),
            token: ClaimToken::generate(),
            claims: 1,
            tries,
            ref_no: 0,
            former_sent_until: None,
            signals: 0,
            start_by: None,
            deadline_at: None,
            now: at(now),
            exchange: ExchangeTimes { sent_at: Some(at(now)), ended_at: Some(at(now)) },
        },
        purchase: Purchase { order, progress },
        delivery: Some(Delivery {
            slot: 1,
            channel: "ipn".to_owned(),
            body: Private::new("{}"),
            state: DeliveryState::Retrying,
            attempts: tries,
            first_sent_at: first.map(at),
        }),
        facts: Vec::new(),
        token: None,
    }
}

fn plan<'j>(directory: &Directory, job: &'j Job, jitter_percent: u32) -> Plan<'j> {
    Plan::new((Duration::from_secs(30), jitter_percent), directory, job)
}

fn next(job: &Job, retry_after: Option<u64>) -> Decision {
    plan(&directory(), job, 0).again("500", retry_after.map(Duration::from_secs))
}

#[test]
fn each_try_is_at_the_contracts_offset_and_the_end_at_four_days() {
    let mut now = 0;
    for (tries, offset) in (0..).zip(OFFSETS) {
        let first = (tries > 0).then_some(0);
        let decision = next(&job(now, tries, first), None);
        assert_eq!(decision.next, Next::At(at(offset)));
        assert_eq!(decision.tries, Tries::Count);
        now = offset;
    }
    let decision = next(&job(now, 16, Some(0)), None);
    assert_eq!(decision.next, Next::At(at(345_600)));
    let mut waits = job(345_600, 0, Some(0));
    assert!(waits.only_ends(), "nothing is sent at the end");
    waits.task.now = at(345_599);
    assert!(!waits.only_ends());
}

#[test]
fn a_slow_listener_or_an_outage_shifts_no_later_try() {
    let mut slow = job(0, 0, None);
    slow.task.exchange.ended_at = Some(at(29));
    assert_eq!(next(&slow, None).next, Next::At(at(10)), "at once, because it is late");
    assert_eq!(next(&job(29, 1, Some(0)), None).next, Next::At(at(30)));
    assert_eq!(next(&job(7_000, 3, Some(0)), None).next, Next::At(at(10_230)), "two hours away");
}

#[test]
fn a_pause_that_was_asked_for_delays_one_try_and_never_the_end() {
    assert_eq!(next(&job(10, 1, Some(0)), Some(100)).next, Next::At(at(110)));
    assert_eq!(next(&job(110, 2, Some(0)), None).next, Next::At(at(150)), "the plan goes on");
    let decision = next(&job(336_630, 16, Some(0)), Some(86_400));
    assert_eq!(decision.next, Next::At(at(345_600)));
    assert_eq!(next(&job(310, 5, Some(0)), Some(5)).next, Next::At(at(630)), "never earlier");
}

#[test]
fn a_try_that_our_fault_delayed_beyond_the_end_is_made_once() {
    let owed = job(345_700, 9, Some(0));
    assert!(!owed.only_ends() && owed.is_past_deadline());
    let decision = next(&owed, None);
    assert_eq!(decision.next, Next::Finish);
    assert!(matches!(decision.change, Change::Deliver { state: DeliveryState::Failed, .. }));
}

#[test]
fn who_was_never_reached_is_tried_for_four_days_too() {
    let (mut now, mut tries) = (0, 0);
    loop {
        let mut job = job(now, tries, None);
        job.task.exchange.sent_at = None;
        let decision = next(&job, None);
        assert!(matches!(decision.change, Change::Deliver { sent_at: None, .. }));
        match decision.next {
            Next::At(instant) => now = u64::try_from((instant - at(0)).num_seconds()).unwrap(),
            Next::Finish => break,
            Next::Now | Next::Wait(_) | Next::Park { .. } => panic!("{decision:?}"),
        }
        tries += 1;
    }
    assert_eq!((now, tries), (345_600, 17));
}

#[test]
fn a_died_attempt_began_the_four_days_when_it_was_claimed() {
    let mut resumed = job(100, 0, None);
    resumed.task.former_sent_until = Some(at(40));
    let decision = next(&resumed, None);
    // 30 s for the call and 10 s more are a lease.
    assert!(
        matches!(decision.change, Change::Deliver { sent_at: Some(first), .. } if first == at(0))
    );
    assert_eq!(decision.next, Next::At(at(150)));
}

#[test]
fn jitter_is_at_most_a_twentieth_of_the_gap_and_never_early() {
    for _ in 0..200 {
        let job = job(81_910, 13, Some(0));
        let decision = plan(&directory(), &job, 5).again("500", None);
        let Next::At(instant) = decision.next else { panic!("{decision:?}") };
        let late = (instant - at(163_830)).num_seconds();
        assert!((0..=81_920 / 20).contains(&late), "{late}");
    }
}
