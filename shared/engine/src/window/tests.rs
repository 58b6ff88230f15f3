use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::Utc;
use fleet_contracts::JobHint;
use fleet_domain::{DueTask, Lane as LaneRow, PurchaseId};

use super::*;

const SLOW: LaneId = LaneId(1);
const FAST: LaneId = LaneId(2);

/// Each lane's own.
fn lease_of(lane: LaneId) -> Duration {
    Duration::from_secs(u64::from(lane.0.unsigned_abs()))
}

struct Bench {
    window: Window,
    acked: Arc<AtomicUsize>,
    now: Instant,
}

fn lease(lane: LaneId, permits: u32) -> LaneLease {
    let first_call = Duration::ZERO;
    LaneLease { lane, permits, rate_per_second: 0, calls: 0, first_call }
}

impl Bench {
    /// With all permits of its lanes, for an hour.
    fn new(window_tasks: usize, concurrency: u32) -> Self {
        let mut bench = Self::without_permits(window_tasks, concurrency);
        let more = TickReport { more: vec![SLOW, FAST], ..TickReport::default() };
        bench.doled(&more);
        bench.leased(concurrency);
        bench.doled(&TickReport::default());
        // It is long ago that anything waited in the table.
        bench.now += Duration::from_secs(5);
        bench
    }

    /// A beat that brings so many permits of each lane.
    fn leased(&mut self, permits: u32) {
        self.window.asks(self.now, (true, false));
        let until = self.now + Duration::from_secs(3_600);
        self.window.leased(&[lease(SLOW, permits), lease(FAST, permits)], until, self.now);
    }

    fn without_permits(window_tasks: usize, concurrency: u32) -> Self {
        let settings = EngineSettings { window_tasks, ..EngineSettings::default() };
        Self::with_lanes(settings, &[SLOW, FAST], concurrency)
    }

    fn with_lanes(settings: EngineSettings, lanes: &[LaneId], concurrency: u32) -> Self {
        let mut directory = Directory::default();
        for id in lanes.iter().copied() {
            let owner = id.to_string();
            let kind = TaskKind::Dispense;
            let row = LaneRow { id, kind, owner, concurrency, rate_per_second: 0 };
            directory.lanes.insert(id, row);
        }
        let mut window = Window::new(TaskKind::Dispense, settings);
        let now = Instant::now();
        window.configure(&directory);
        Self { window, acked: Arc::default(), now }
    }

    fn next_group(&mut self) -> Vec<ClaimAsk> {
        self.window.next_group(self.now, lease_of)
    }

    /// A look of the clock.
    fn doled(&mut self, report: &TickReport) {
        self.window.rooms(self.now);
        self.window.doled(report, self.now);
    }

    /// Calls of a lane fail until its circuit opens.
    fn opened(&mut self, lane: LaneId) {
        for _ in 0..EngineSettings::default().circuit_failures {
            self.window.call_ended(lane, true, self.now);
        }
    }

    /// Writes what goes back to the table.
    fn put_back(&mut self) -> usize {
        let mut count = 0;
        loop {
            let back = self.window.take_returning();
            if back.is_empty() {
                return count;
            }
            self.window.returned(&back);
            count += back.len();
        }
    }

    /// Claims all that have a permit.
    fn claim(&mut self) -> Vec<LaneId> {
        let mut lanes = Vec::new();
        loop {
            let asks = self.next_group();
            if asks.is_empty() {
                return lanes;
            }
            for ask in asks {
                self.window.claimed(&ask.key);
                lanes.push(ask.lane);
            }
        }
    }

    fn hint(&mut self, lane: LaneId, count: usize) -> Vec<TaskKey> {
        let new =
            |_| TaskKey { purchase: PurchaseId::generate(), kind: TaskKind::Dispense, slot: 0 };
        let keys: Vec<TaskKey> = (0..count).map(new).collect();
        self.receive(&keys, lane);
        keys
    }

    fn receive(&mut self, keys: &[TaskKey], lane: LaneId) {
        let tasks = keys.iter().map(|key| (*key, lane)).collect();
        let hint = JobHint { kind: TaskKind::Dispense, published_at: Utc::now(), tasks };
        let acked = Arc::clone(&self.acked);
        let ack = Box::new(move || {
            acked.fetch_add(1, Ordering::Relaxed);
        });
        self.window.receive(ReceivedHint { hint, ack }, self.now);
    }

    fn acks(&self) -> usize {
        self.acked.load(Ordering::Relaxed)
    }
}

#[test]
fn a_task_is_asked_for_only_with_its_lanes_permit() {
    let mut bench = Bench::new(100, 2);
    bench.hint(SLOW, 5);
    assert_eq!(bench.next_group().len(), 2);
    assert!(bench.next_group().is_empty());
    bench.window.release(SLOW, bench.now);
    assert_eq!(bench.next_group().len(), 1);
}

#[test]
fn a_message_is_acknowledged_once_every_task_of_it_got_a_verdict() {
    let mut bench = Bench::new(100, 9);
    let keys = bench.hint(FAST, 3);
    bench.next_group();
    bench.window.claimed(&keys[0]);
    bench.window.dismissed(&keys[1], bench.now);
    assert_eq!(bench.acks(), 0);
    bench.window.goes_back(&keys[2], bench.now);
    let returning = bench.window.take_returning();
    assert_eq!((returning.as_slice(), bench.acks()), (&keys[2..], 0));
    bench.window.returned(&returning);
    assert_eq!(bench.acks(), 1);
}

#[test]
fn a_second_hint_of_a_running_task_is_looked_at_when_its_commit_is_done() {
    let mut bench = Bench::new(100, 9);
    let keys = bench.hint(FAST, 1);
    bench.next_group();
    bench.window.claimed(&keys[0]);
    bench.receive(&keys, FAST);
    assert_eq!((bench.acks(), bench.next_group().len()), (2, 0));
    bench.window.release(FAST, bench.now);
    bench.window.finished(&keys[0], bench.now);
    assert_eq!(bench.next_group().len(), 1);
}

#[test]
fn a_slow_lane_never_fills_the_window() {
    let mut bench = Bench::new(40, 1);
    bench.hint(SLOW, 32);
    assert_eq!(bench.window.take_returning().len(), 23, "1 has the permit, 8 wait");
    bench.hint(FAST, 1);
    let lanes: Vec<_> = bench.next_group().iter().map(|ask| ask.lane).collect();
    assert_eq!(lanes, [SLOW, FAST]);
}

/// In the table clients take turns, here they do not.
#[test]
fn what_waits_here_for_a_permit_is_no_more_than_keeps_the_permits_busy() {
    for (concurrency, waits) in [(1, 8), (4, 8), (5, 10), (64, 128)] {
        let mut bench = Bench::new(4_096, concurrency);
        let permits = usize::try_from(concurrency).unwrap();
        bench.hint(FAST, 1);
        for _ in 0..permits + waits {
            bench.hint(SLOW, 1);
        }
        assert_eq!(bench.window.take_returning(), [], "{concurrency}");
        bench.hint(SLOW, 32);
        assert_eq!(bench.window.take_returning().len(), 32, "{concurrency}");
    }
}

/// Lanes whose permits a beat has brought: one each.
fn one_permit_each(prefetch: usize, count: i32) -> (Bench, Vec<LaneId>) {
    let lanes: Vec<LaneId> = (1..=count).map(LaneId).collect();
    let settings = EngineSettings { prefetch, ..EngineSettings::default() };
    let mut bench = Bench::with_lanes(settings, &lanes, 1);
    for lane in &lanes {
        bench.hint(*lane, 1);
    }
    bench.window.asks(bench.now, (true, false));
    let leases: Vec<LaneLease> = lanes.iter().map(|id| lease(*id, 1)).collect();
    bench.window.leased(&leases, bench.now + Duration::from_secs(3_600), bench.now);
    assert_eq!(bench.claim(), lanes, "a lane's first task waits for its beat");
    (bench, lanes)
}

#[test]
fn a_lane_without_a_permit_keeps_a_quarter_of_the_prefetch_whatever_a_hint_names() {
    for tasks in [1, 3, 32] {
        let (mut bench, lanes) = one_permit_each(64, 2);
        let before = bench.acks();
        for _ in 0..300 {
            bench.hint(lanes[0], tasks);
            bench.put_back();
        }
        let kept = 300 + before - bench.acks();
        assert!((1..=16).contains(&kept), "{kept} messages of {tasks} tasks");
        bench.window.release(lanes[1], bench.now);
        bench.hint(lanes[1], 1);
        assert_eq!(bench.claim(), [lanes[1]], "the other one's permit");
    }
}

#[test]
fn all_lanes_together_keep_half_of_the_prefetch_and_the_newest_of_the_largest_goes() {
    for count in [10, 40, 1_000] {
        let (mut bench, lanes) = one_permit_each(64, count);
        let (alive, dead) = lanes.split_last().unwrap();
        let (before, mut sent) = (bench.acks(), 0);
        let most = if count == 10 { 9 } else { 3 };
        let first = bench.hint(lanes[0], 1);
        for _ in 0..most {
            for lane in dead {
                bench.hint(*lane, 1);
                bench.put_back();
                sent += 1;
            }
        }
        let kept = sent + 1 + before - bench.acks();
        assert!(kept <= 32, "{kept} messages of {count} lanes");
        bench.window.release(*alive, bench.now);
        bench.hint(*alive, 1);
        assert_eq!(bench.claim(), [*alive]);
        if count == 10 {
            bench.window.release(lanes[0], bench.now);
            let asks = bench.next_group();
            assert_eq!(asks[0].key, first[0], "the oldest of a lane stays");
        }
    }
}

#[test]
fn a_lane_of_which_nothing_is_under_way_keeps_its_first_task() {
    for count in [40, 100] {
        let lanes: Vec<LaneId> = (1..=count).map(LaneId).collect();
        let settings = EngineSettings { prefetch: 16, ..EngineSettings::default() };
        let mut bench = Bench::with_lanes(settings, &lanes, 1);
        for lane in &lanes {
            bench.hint(*lane, 32);
            bench.hint(*lane, 1);
        }
        bench.put_back();
        bench.window.asks(bench.now, (true, false));
        let leases: Vec<LaneLease> = lanes.iter().map(|id| lease(*id, 1)).collect();
        bench.window.leased(&leases, bench.now + Duration::from_secs(3_600), bench.now);
        assert_eq!(bench.claim(), lanes);
    }
}

#[test]
fn a_lane_with_permits_puts_nothing_back() {
    for tasks in [1, 3, 32] {
        let mut bench = Bench::new(40_000, 20_000);
        for _ in 0..600 {
            bench.hint(FAST, tasks);
        }
        assert_eq!((bench.put_back(), bench.claim().len()), (0, 600 * tasks));
    }
}

#[test]
fn calls_under_way_do_not_fill_the_window_and_beyond_it_each_lane_has_its_share() {
    for window_tasks in [8, 20] {
        let mut bench = Bench::new(window_tasks, 100);
        for _ in 0..window_tasks {
            bench.hint(SLOW, 1);
            bench.claim();
        }
        assert!(bench.window.has_room(), "for the other lane");
        assert_eq!(bench.window.rooms(bench.now)[0], (SLOW, 0), "no more of this one");
        bench.hint(SLOW, 1);
        assert!(bench.claim().is_empty());
        for _ in 0..window_tasks {
            bench.hint(FAST, 1);
        }
        let fast = bench.claim();
        assert!(fast.len() >= window_tasks / 2 && fast.iter().all(|lane| *lane == FAST));
        assert!(fast.len() <= window_tasks);
    }
}

#[test]
fn each_claim_has_the_lease_of_its_lane() {
    for count in [1, 2, 4] {
        let mut bench = Bench::new(100, 9);
        bench.hint(SLOW, count);
        bench.hint(FAST, count);
        for ask in bench.next_group() {
            assert_eq!((ask.lease, ask.only_ends), (lease_of(ask.lane), false));
        }
    }
}

#[test]
fn while_nobody_may_be_asked_a_hint_is_claimed_to_end_only_and_goes_back_once() {
    for count in [1, 3, 20] {
        let mut bench = Bench::new(100, 2);
        bench.hint(SLOW, 2);
        bench.claim();
        let waiting = bench.hint(SLOW, 4);
        bench.opened(SLOW);
        bench.window.release(SLOW, bench.now);
        let fresh = bench.hint(SLOW, count);
        let asks = bench.next_group();
        let keys: Vec<TaskKey> = asks.iter().map(|ask| ask.key).collect();
        assert_eq!(keys, [waiting, fresh.clone()].concat(), "what waited too");
        assert!(asks.iter().all(|ask| ask.only_ends));
        let (acks, ended) = (bench.acks(), &keys[0]);
        assert!(!bench.window.claimed(ended), "without a permit");
        keys[1..].iter().for_each(|key| bench.window.goes_back(key, bench.now));
        bench.window.finished(ended, bench.now);
        assert_eq!((bench.put_back(), bench.acks()), (keys.len() - 1, acks + 2));
        assert!(bench.next_group().is_empty() && !bench.window.wants_tasks(bench.now));
        assert_eq!(bench.window.rooms(bench.now), [(FAST, 2)], "the lane is not looked for");
        // At the time of the probe the clock finds what waits, and one may go.
        bench.window.release(SLOW, bench.now);
        bench.now += EngineSettings::default().circuit_open;
        bench.leased(1);
        assert_eq!(bench.window.rooms(bench.now)[0], (SLOW, 1));
        let due = vec![DueTask { key: fresh[0], lane: SLOW }];
        bench.doled(&TickReport { due, more: vec![SLOW], ..TickReport::default() });
        let asks = bench.next_group();
        assert_eq!((asks.len(), asks[0].key, asks[0].only_ends), (1, fresh[0], false));
    }
}

fn due(count: usize) -> Vec<DueTask> {
    let new = |_| TaskKey { purchase: PurchaseId::generate(), kind: TaskKind::Dispense, slot: 0 };
    (0..count).map(new).map(|key| DueTask { key, lane: SLOW }).collect()
}

#[test]
fn fresh_hints_go_behind_a_backlog_and_doled_tasks_do_not() {
    for count in [1, 2, 4] {
        let mut bench = Bench::new(40, 4);
        let report = TickReport { due: due(count), more: vec![SLOW], ..TickReport::default() };
        bench.doled(&report);
        bench.hint(SLOW, 1);
        assert_eq!(bench.window.take_returning().len(), 1);
        assert_eq!(bench.next_group().len(), count);
    }
}

#[test]
fn without_a_permit_a_hint_asks_then_goes_to_the_table_and_comes_back_doled() {
    for count in [1, 3, 8] {
        let mut bench = Bench::without_permits(100, 4);
        let keys = bench.hint(SLOW, count);
        assert!(bench.next_group().is_empty());
        assert!(bench.window.take_returning().is_empty(), "it may get one");
        assert_eq!(bench.window.asks_at(bench.now), Some(bench.now));
        bench.leased(0);
        let mut returning = Vec::new();
        while returning.len() < count {
            returning.extend(bench.window.take_returning());
        }
        assert_eq!((returning.len(), bench.acks()), (count, 0));
        bench.window.returned(&returning);
        assert_eq!(bench.acks(), 1);
        bench.hint(SLOW, 1);
        assert_eq!(bench.window.take_returning().len(), 1, "the next ones go there at once");
        assert_eq!(bench.window.rooms(bench.now), [(SLOW, 0), (FAST, 0)], "and stay there");
        bench.leased(2);
        assert_eq!(bench.window.rooms(bench.now)[0], (SLOW, 2));
        let due = vec![DueTask { key: keys[0], lane: SLOW }];
        bench.doled(&TickReport { due, ..TickReport::default() });
        assert!(bench.window.take_returning().is_empty(), "never twice");
        assert_eq!(bench.next_group().len(), 1);
    }
}

#[test]
fn a_task_whose_permit_has_run_out_is_not_claimed() {
    for count in [1, 2, 4] {
        let mut bench = Bench::new(40, 4);
        bench.hint(FAST, count);
        let over = bench.now + Duration::from_secs(3_600);
        assert!(bench.window.next_group(over, lease_of).is_empty());
        bench.now = over;
        bench.leased(4);
        assert_eq!(
            bench.window.next_group(over, lease_of).len(),
            count,
            "the next lease brings it back"
        );
    }
}

#[test]
fn what_was_doled_and_is_not_claimed_at_the_stop_is_put_back() {
    for count in [1, 2, 4] {
        let mut bench = Bench::new(40, 4);
        let due = due(count);
        bench.doled(&TickReport { due, ..TickReport::default() });
        bench.hint(FAST, 1);
        assert_eq!(bench.window.drop_unclaimed().len(), count, "the other one has a message");
    }
}

#[test]
fn a_locked_row_is_asked_for_again_for_two_seconds() {
    let mut bench = Bench::new(40, 4);
    let keys = bench.hint(FAST, 1);
    bench.next_group();
    bench.window.locked(&keys[0], bench.now);
    assert_eq!(bench.next_group().len(), 1);
    bench.window.locked(&keys[0], bench.now + LOCKED_FOR);
    assert_eq!((bench.next_group().len(), bench.acks()), (0, 1));
}

#[test]
fn what_is_not_claimed_at_the_stop_goes_back_to_the_broker() {
    let mut bench = Bench::new(40, 1);
    let keys = bench.hint(FAST, 2);
    bench.next_group();
    bench.window.claimed(&keys[0]);
    bench.window.drop_unclaimed();
    assert_eq!((bench.acks(), bench.window.running()), (0, 1));
    assert!(bench.next_group().is_empty());
}
