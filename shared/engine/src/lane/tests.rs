use fleet_domain::{PurchaseId, TaskKind};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const REGULAR: (bool, bool) = (true, false);

fn lease(permits: u32, rate_per_second: u32, calls: u32) -> LaneLease {
    let first_call = Duration::ZERO;
    LaneLease { lane: LaneId(1), permits, rate_per_second, calls, first_call }
}

/// A lane that has leased so much for an hour.
fn leased(permits: u32, rate: u32, calls: u32, now: Instant) -> Lane {
    let mut lane = Lane { more_due: true, ..Lane::default() };
    lane.limit(permits);
    lane.ask(LaneId(1), now, REGULAR);
    lane.leased(Some(&lease(permits, rate, calls)), now + 3_600 * SECOND, now);
    lane.more_due = false;
    lane
}

fn waits(lane: &mut Lane, count: usize) {
    let new = |_| TaskKey { purchase: PurchaseId::generate(), kind: TaskKind::Settle, slot: 0 };
    lane.waiting.extend((0..count).map(new));
}

fn permits(lane: &mut Lane, now: Instant) -> usize {
    let taken = (0..9_999).filter(|_| lane.take_permit(now)).count();
    (0..taken).for_each(|_| lane.release());
    taken
}

#[test]
fn permits_are_those_of_the_lease_and_none_before_or_after_it() {
    let now = Instant::now();
    assert_eq!(permits(&mut Lane::default(), now), 0);
    for count in [1, 3, 40] {
        let mut lane = leased(u32::try_from(count).unwrap(), 0, 0, now);
        assert_eq!(permits(&mut lane, now), count);
        assert!(matches!(lane.gate(now, true), Gate::Go(_)));
        let over = now + 3_600 * SECOND;
        assert_eq!((permits(&mut lane, over), lane.room(over)), (0, 0));
        assert_eq!(lane.gate(over, true), Gate::LeaseOver, "a call of it may not begin");
    }
}

#[test]
fn until_it_is_answered_a_lane_uses_no_more_than_its_beat_said() {
    let now = Instant::now();
    for (leased_of, used) in [(4, 1), (9, 3), (2, 0)] {
        let mut lane = leased(leased_of, 0, 0, now);
        (0..used).for_each(|_| assert!(lane.take_permit(now)));
        lane.used_at = Some(now - KEPT_FOR);
        let ask = lane.ask(LaneId(1), now, REGULAR);
        assert_eq!(ask.map_or(0, |ask| ask.held), used, "the rest is given back");
        assert!(!lane.take_permit(now));
    }
}

#[test]
fn a_lane_that_is_to_use_less_gives_back_at_once_and_with_each_call_that_ends() {
    let now = Instant::now();
    for (before, after) in [(4, 1), (9, 3), (5, 4)] {
        let mut lane = leased(before, 0, 0, now);
        (0..before).for_each(|_| assert!(lane.take_permit(now)));
        waits(&mut lane, 3);
        lane.ask(LaneId(1), now, REGULAR);
        lane.leased(Some(&lease(after, 0, 0)), now + SECOND, now);
        assert!(!lane.take_permit(now));
        lane.release();
        assert_eq!(lane.asks_at(now), Some(now), "one permit more for others");
        let held = lane.ask(LaneId(1), now, (false, false)).map(|ask| ask.held);
        assert_eq!(held, Some(before - 1));
    }
}

#[test]
fn what_has_no_permit_goes_to_the_table_once_others_have_them_all() {
    let now = Instant::now();
    for count in [1, 2, 30] {
        let mut lane = Lane::default();
        waits(&mut lane, count);
        assert_eq!(lane.asks_at(now), Some(now), "it asks at once");
        assert!(lane.take_refused(now).is_empty(), "nobody has said no yet");
        let need = lane.ask(LaneId(1), now, (false, false)).map(|ask| ask.need);
        assert_eq!(need, Some(size(count)));
        lane.leased(Some(&lease(0, 0, 0)), now + SECOND, now);
        assert_eq!(lane.take_refused(now).len(), count);
        assert!(lane.is_backlogged(now) && lane.asks_at(now).is_none(), "and asks no more");
        lane.ask(LaneId(1), now, REGULAR);
        lane.leased(Some(&lease(1, 0, 0)), now + SECOND, now);
        assert!(lane.wants_tasks(now), "the clock hands it what waits");
    }
}

#[test]
fn booked_calls_begin_one_after_the_other_and_never_all_at_once() {
    for rate in [1, 10, 200] {
        let mut now = Instant::now();
        let mut lane = leased(10_000, rate, rate * 2, now);
        assert_eq!(permits(&mut lane, now), 1, "one now");
        let gap = SECOND / rate;
        now += gap / 2;
        assert_eq!(permits(&mut lane, now), 0);
        now += gap;
        assert_eq!(permits(&mut lane, now), 1);
        // Nobody called for a while: what has gone by is gone.
        now += SECOND;
        let most = usize::try_from(rate / 2 + 1).unwrap();
        assert!(permits(&mut lane, now) <= most, "half a second's calls at the most");
        now += 2 * SECOND;
        assert_eq!((permits(&mut lane, now), lane.room(now)), (0, 0), "all are gone");
    }
}

#[test]
fn a_circuit_opens_lets_one_probe_pass_and_closes_on_success() {
    let now = Instant::now();
    let mut lane = leased(9, 0, 0, now);
    let go = Gate::Go(now + 3_600 * SECOND);
    assert_eq!(lane.call_ended(true, now, 2, SECOND), None);
    assert_eq!(lane.call_ended(true, now, 2, SECOND), Some(Change::Opened));
    assert_eq!(lane.call_ended(true, now, 2, SECOND), None, "told once");
    assert_eq!(lane.gate(now, true), Gate::HeldBack);
    assert_eq!(lane.gate(now, false), go, "who asks nobody is not held back");
    assert_eq!(lane.gate(now + SECOND, true), go);
    assert_eq!(lane.gate(now + SECOND, true), Gate::HeldBack, "one probe at a time");
    assert_eq!(lane.call_ended(true, now + SECOND, 2, SECOND), None, "open as before");
    assert_eq!(lane.gate(now + 3 * SECOND - MILLISECOND, true), Gate::HeldBack, "twice as long");
    assert_eq!(lane.gate(now + 3 * SECOND, true), go);
    let closed = lane.call_ended(false, now + 3 * SECOND, 2, SECOND);
    assert_eq!(closed, Some(Change::Closed(3 * SECOND)));
    assert_eq!(lane.gate(now + 3 * SECOND, true), go);
    assert_eq!(lane.call_ended(false, now + 3 * SECOND, 2, SECOND), None);
}

#[test]
fn an_open_circuit_asks_for_one_permit_and_to_probe() {
    let now = Instant::now();
    for count in [2, 9, 64] {
        let mut lane = leased(count, 0, 0, now);
        lane.call_ended(true, now, 1, SECOND);
        lane.more_due = true;
        let ask = lane.ask(LaneId(1), now, REGULAR).unwrap();
        assert_eq!((ask.need, ask.spare, ask.held, ask.probe), (1, 0, 1, true));
        // While nobody waits for it too, so that people see it; a process that stops tells nothing.
        lane.more_due = false;
        let ask = lane.ask(LaneId(1), now, REGULAR).unwrap();
        assert_eq!((ask.need, ask.probe), (0, true));
        assert!(lane.ask(LaneId(1), now, (true, true)).is_none_or(|ask| !ask.probe));
        lane.more_due = true;
        lane.call_ended(false, now, 1, SECOND);
        let ask = lane.ask(LaneId(1), now, REGULAR).unwrap();
        assert!(ask.need > 1 && !ask.probe, "{ask:?}");
    }
}

#[test]
fn a_lane_that_was_dead_grows_with_each_success() {
    let now = Instant::now();
    let mut lane = leased(6, 0, 0, now);
    lane.call_ended(true, now, 1, SECOND);
    lane.gate(now + SECOND, true);
    lane.call_ended(false, now + SECOND, 1, SECOND);
    let mut seen = vec![permits(&mut lane, now)];
    for _ in 0..5 {
        lane.call_ended(false, now + SECOND, 3, SECOND);
        seen.push(permits(&mut lane, now));
    }
    assert_eq!(seen, [2, 3, 4, 5, 6, 6]);
    lane.call_ended(true, now, 1, SECOND);
    lane.gate(now + SECOND, true);
    lane.call_ended(false, now + SECOND, 9, SECOND);
    lane.call_ended(false, now + SECOND, 9, SECOND);
    lane.call_ended(true, now + SECOND, 9, SECOND);
    assert_eq!(permits(&mut lane, now), 1, "a failure on the way halves it");
}

#[test]
fn an_open_circuit_has_no_room_but_for_its_probe_and_nothing_is_looked_for() {
    let now = Instant::now();
    for (limit, waits) in [(1, 1), (6, 4), (50, 30)] {
        let mut lane = leased(limit, 0, 0, now);
        lane.call_ended(true, now, 1, waits * SECOND);
        lane.has_backlog(now);
        let mut at = now + waits * SECOND - MILLISECOND;
        assert_eq!((permits(&mut lane, at), lane.room(at)), (0, 0));
        assert!(lane.sleeps(at) && !lane.wants_tasks(at));
        at += MILLISECOND;
        assert!(!lane.sleeps(at) && lane.wants_tasks(at));
        assert_eq!((permits(&mut lane, at), lane.room(at)), (1, 1));
        assert!(lane.take_permit(at));
        assert!(matches!(lane.gate(at, true), Gate::Go(_)));
        assert_eq!((permits(&mut lane, at), lane.room(at)), (0, 0), "it is under way");
        assert!(lane.sleeps(at));
        lane.release();
        lane.call_not_made();
        assert_eq!((lane.sleeps(at), lane.room(at)), (false, 1), "it asked nobody: the next one");
    }
}

#[test]
fn who_has_no_permit_for_the_probe_looks_for_nothing_and_asks_once_a_beat() {
    let now = Instant::now();
    for limit in [1, 6, 50] {
        let mut lane = leased(limit, 0, 0, now);
        lane.call_ended(true, now, 1, SECOND);
        lane.has_backlog(now);
        let ask = lane.ask(LaneId(1), now, REGULAR).unwrap();
        assert_eq!((ask.need, ask.probe), (1, true));
        for _ in 0..2 {
            // The first of them gives back what it had.
            lane.ask(LaneId(1), now, REGULAR);
            lane.leased(Some(&lease(0, 0, 0)), now + SECOND, now);
        }
        let later = now + 9 * SECOND;
        assert!(lane.sleeps(later), "somebody else probes");
        assert_eq!(lane.asks_at(later), None, "and no beat of its own");
        lane.ask(LaneId(1), later, REGULAR);
        lane.leased(Some(&lease(1, 0, 0)), later + SECOND, later);
        assert!(!lane.sleeps(later) && lane.room(later) == 1);
    }
}

#[test]
fn the_clock_doles_out_only_what_a_free_permit_is_there_for() {
    let now = Instant::now();
    for (count, used, waiting) in [(4, 1, 1), (2, 2, 0), (9, 0, 3)] {
        let mut lane = leased(count, 0, 0, now);
        (0..used).for_each(|_| assert!(lane.take_permit(now)));
        waits(&mut lane, usize::try_from(waiting).unwrap());
        assert_eq!(lane.room(now), count - used - waiting);
    }
}
