//! Simulated histories: a range of seeds, and interleavings that once broke a sketch of the engine, each
//! with the branches that show that it took place. `make drill ARGS=simulation` runs a million.

#![expect(
    clippy::unwrap_used,
    reason = "all of this binary is tests; clippy sees only functions marked as such"
)]

use std::sync::Mutex;

use fleet_faults::simulation::{Coverage, Ended, Knobs, run};

/// Runs histories on two threads; all that they reached.
fn all(seeds: std::ops::Range<u64>, knobs: impl Fn(u64) -> Knobs + Sync) -> Coverage {
    let (next, reached) = (Mutex::new(seeds), Mutex::new(Coverage::default()));
    let work = || {
        let mut own = Coverage::default();
        loop {
            let seed = next.lock().unwrap().next();
            let Some(seed) = seed else { break };
            let ended = run(seed, knobs(seed), false);
            assert_eq!(ended.violations, [""; 0], "seed {seed}, {:?}", knobs(seed));
            own.add(&ended.coverage);
        }
        reached.lock().unwrap().add(&own);
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    reached.into_inner().unwrap()
}

/// Histories of one kind of trouble; each of these branches must have been reached.
fn histories(count: u64, knobs: Knobs, branches: &[&str]) {
    let reached = all(0..count, |_| knobs);
    for branch in branches {
        assert!(reached.count(branch) > 0, "{branch} was never reached");
    }
}

#[test]
fn twenty_thousand_histories_break_no_promise_and_reach_every_branch() {
    let reached = all(0..20_000, Knobs::of);
    assert_eq!(reached.missing(), [""; 0]);
}

#[test]
fn a_seed_brings_the_same_history_again() {
    for seed in 0..40 {
        let knobs = Knobs::of(seed);
        let (first, again): (Ended, Ended) = (run(seed, knobs, true), run(seed, knobs, true));
        for (line, same) in first.lines.iter().zip(&again.lines) {
            assert_eq!(line, same, "seed {seed}");
        }
        assert_eq!((first.hash, first.lines.len()), (again.hash, again.lines.len()), "seed {seed}");
    }
}

#[test]
fn without_trouble_every_purchase_ends_at_once_and_nobody_waits_for_a_person() {
    let reached = all(0..300, |_| Knobs::calm());
    let trouble = |branch: &str| branch.starts_with("fault ") || branch == "case case_opened";
    let found: Vec<_> = reached.iter().filter(|(branch, _)| trouble(branch)).collect();
    assert_eq!(found, []);
    assert!(reached.count("deliver acknowledged") >= 900);
}

#[test]
fn a_zombie_whose_lease_is_over_commits_nothing_and_its_answer_is_kept() {
    let knobs = Knobs { freeze: 60, processes: 2, lost: 100, ..Knobs::calm() };
    histories(400, knobs, &["fault freeze", "commit late", "commit late_gone", "claim resumed"]);
}

#[test]
fn the_same_purchase_twice_in_a_batch_is_claimed_once() {
    let knobs = Knobs { hint_double: 900, processes: 2, purchases: 6, ..Knobs::calm() };
    histories(300, knobs, &["fault hint doubled", "claim gone"]);
}

#[test]
fn a_callback_while_its_vend_runs_is_never_overlooked() {
    let knobs = Knobs { purchases: 8, lost: 300, unwilling: 300, late: 200, ..Knobs::calm() };
    let branches = ["fact stored", "fact woke", "dispense fact_first", "fact duplicate"];
    histories(400, knobs, &branches);
}

#[test]
fn a_resend_by_hand_after_a_finished_row_is_one_more_attempt_of_the_same_bytes() {
    let knobs =
        Knobs { trouble_seconds: 40, purchases: 8, unwilling: 100, hint_lost: 50, ..Knobs::calm() };
    histories(300, knobs, &["operator resends", "deliver acknowledged"]);
}

#[test]
fn an_expiry_against_a_callback_never_fails_what_is_out() {
    let knobs = Knobs { jump: 300, purchases: 8, lost: 200, unwilling: 400, ..Knobs::calm() };
    histories(400, knobs, &["dispense expired", "claim expired", "fault time jumps", "fact woke"]);
}

#[test]
fn a_supplier_that_says_the_opposite_later_moves_no_money_and_opens_a_case() {
    let knobs = Knobs { unwilling: 1_000, purchases: 8, ..Knobs::calm() };
    histories(400, knobs, &["case case_opened", "settle captured", "settle cancelled"]);
}

#[test]
fn a_late_false_or_doubled_word_about_a_charge_loses_no_money_and_moves_no_goods() {
    let knobs =
        Knobs { unwilling: 1_000, purchases: 12, late: 200, hint_lost: 300, ..Knobs::calm() };
    let branches = [
        "paid at operator",
        "paid at page",
        "paid at app",
        "reserve buyer_silent",
        "reserve not_confirmed",
        "reserve fact_first",
        "case case_opened",
    ];
    histories(600, knobs, &branches);
}

#[test]
fn hints_that_get_lost_under_load_are_found() {
    let knobs =
        Knobs { hint_lost: 700, purchases: 40, processes: 2, blocked: 200, ..Knobs::calm() };
    histories(40, knobs, &["fault hint lost", "clock lost", "fault broker blocked"]);
}

#[test]
fn a_storm_of_hints_without_permits_is_put_back_and_doled_out() {
    let knobs = Knobs { permits: 1, window: 8, purchases: 60, hint_double: 300, ..Knobs::calm() };
    histories(20, knobs, &["put_back", "clock due"]);
}

#[test]
fn a_poison_among_many_innocents_is_parked_and_they_end() {
    let knobs = Knobs { poison: true, purchases: 256, permits: 64, window: 512, ..Knobs::calm() };
    let reached = all(0..3, |_| knobs);
    assert!(reached.count("poison") > 0, "nothing was parked as poison");
    assert!(reached.count("deliver acknowledged") >= 3 * 255, "an innocent did not end");
}

#[test]
fn commits_whose_outcome_nobody_knows_are_written_once() {
    let knobs =
        Knobs { answer_lost: 300, ghost: 200, not_written: 100, late: 100, ..Knobs::calm() };
    histories(300, knobs, &["commit already", "fault statement after its time-out"]);
}

#[test]
fn processes_that_die_or_are_told_to_stop_at_any_wait_lose_nothing() {
    let knobs = Knobs { crash: 30, stop: 400, processes: 2, lost: 100, late: 200, ..Knobs::calm() };
    histories(400, knobs, &["fault crash", "fault stop", "claim resumed", "free"]);
}
