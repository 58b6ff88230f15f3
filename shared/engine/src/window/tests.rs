use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::Utc;
use fleet_contracts::JobHint;
use fleet_domain::{Lane as LaneRow, PurchaseId};

use super::*;

const SLOW: LaneId = LaneId(1);
const FAST: LaneId = LaneId(2);

struct Bench {
    window: Window,
    acked: Arc<AtomicUsize>,
    now: Instant,
}

impl Bench {
    fn new(window_tasks: usize, concurrency: u32) -> Self {
        let settings = EngineSettings { window_tasks, ..EngineSettings::default() };
        let mut directory = Directory::default();
        for id in [SLOW, FAST] {
            let owner = id.to_string();
            let kind = TaskKind::Dispense;
            let row = LaneRow { id, kind, owner, concurrency, rate_per_second: 0 };
            directory.lanes.insert(id, row);
        }
        let mut window = Window::new(TaskKind::Dispense, settings);
        let now = Instant::now();
        window.configure(&directory, 1, now);
        Self { window, acked: Arc::default(), now }
    }

    fn hint(&mut self, lane: LaneId, count: usize, paced: bool) -> Vec<TaskKey> {
        let new =
            |_| TaskKey { purchase: PurchaseId::generate(), kind: TaskKind::Dispense, slot: 0 };
        let keys: Vec<TaskKey> = (0..count).map(new).collect();
        self.receive(&keys, lane, paced);
        keys
    }

    fn receive(&mut self, keys: &[TaskKey], lane: LaneId, paced: bool) {
        let tasks = keys.iter().map(|key| (*key, lane)).collect();
        let hint = JobHint { kind: TaskKind::Dispense, published_at: Utc::now(), paced, tasks };
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
    bench.hint(SLOW, 5, false);
    assert_eq!(bench.window.next_group().len(), 2);
    assert!(bench.window.next_group().is_empty());
    bench.window.release(SLOW, bench.now);
    assert_eq!(bench.window.next_group().len(), 1);
}

#[test]
fn a_message_is_acknowledged_once_every_task_of_it_got_a_verdict() {
    let mut bench = Bench::new(100, 9);
    let keys = bench.hint(FAST, 3, false);
    bench.window.next_group();
    bench.window.claimed(&keys[0]);
    bench.window.dismissed(&keys[1], bench.now);
    assert_eq!(bench.acks(), 0);
    bench.window.other_lane(&keys[2], bench.now);
    let returning = bench.window.take_returning();
    assert_eq!((returning.as_slice(), bench.acks()), (&keys[2..], 0));
    bench.window.returned(&returning);
    assert_eq!(bench.acks(), 1);
}

#[test]
fn a_second_hint_of_a_running_task_is_looked_at_when_its_commit_is_done() {
    let mut bench = Bench::new(100, 9);
    let keys = bench.hint(FAST, 1, false);
    bench.window.next_group();
    bench.window.claimed(&keys[0]);
    bench.receive(&keys, FAST, false);
    assert_eq!((bench.acks(), bench.window.next_group().len()), (2, 0));
    bench.window.release(FAST, bench.now);
    bench.window.finished(&keys[0], bench.now);
    assert_eq!(bench.window.next_group().len(), 1);
}

#[test]
fn a_slow_lane_never_fills_the_window() {
    let mut bench = Bench::new(40, 1);
    bench.hint(SLOW, 32, false);
    assert_eq!(bench.window.take_returning().len(), 21, "1 has the permit, 10 wait");
    bench.hint(FAST, 1, false);
    let lanes: Vec<_> = bench.window.next_group().iter().map(|ask| ask.lane).collect();
    assert_eq!(lanes, [SLOW, FAST]);
}

#[test]
fn fresh_hints_go_behind_a_backlog_and_doled_ones_do_not_bounce() {
    let mut bench = Bench::new(40, 4);
    let room = bench.window.rooms(bench.now);
    let of_slow = room.iter().find(|(lane, _)| *lane == SLOW).map_or(0, |(_, room)| *room);
    let due: Vec<_> = (0..of_slow)
        .map(|_| DueTask {
            key: TaskKey { purchase: PurchaseId::generate(), kind: TaskKind::Dispense, slot: 0 },
            lane: SLOW,
        })
        .collect();
    assert!(bench.window.doled(&due, &room, bench.now), "the room was filled: more waits");
    bench.hint(SLOW, 1, false);
    assert_eq!(bench.window.take_returning().len(), 1);
    bench.receive(&[due[0].key], SLOW, true);
    assert_eq!(bench.window.take_returning().len(), 0);
    assert_eq!(bench.window.next_group().len(), 1);
}

#[test]
fn a_locked_row_is_asked_for_again_for_two_seconds() {
    let mut bench = Bench::new(40, 4);
    let keys = bench.hint(FAST, 1, false);
    bench.window.next_group();
    bench.window.locked(&keys[0], bench.now);
    assert_eq!(bench.window.next_group().len(), 1);
    bench.window.locked(&keys[0], bench.now + LOCKED_FOR);
    assert_eq!((bench.window.next_group().len(), bench.acks()), (0, 1));
}

#[test]
fn what_is_not_claimed_at_the_stop_goes_back_to_the_broker() {
    let mut bench = Bench::new(40, 1);
    let keys = bench.hint(FAST, 2, false);
    bench.window.next_group();
    bench.window.claimed(&keys[0]);
    bench.window.drop_unclaimed();
    assert_eq!((bench.acks(), bench.window.running()), (0, 1));
    assert!(bench.window.next_group().is_empty());
}
