//! Permits: leased with the heartbeat, never more than the lane's row allows.
#![expect(missing_docs, reason = "a test's name is its documentation")]

use fleet_domain::{Heartbeat, LaneAsk, LaneLease};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

const KIND: TaskKind = TaskKind::Dispense;
/// How long the suite's calls may be under way.
const CALLS_FOR: Duration = Duration::from_secs(20);

/// A process as the store sees it.
struct Party<S> {
    store: S,
    number: u64,
    /// What it may be using.
    uses: u32,
}

impl<S: SuiteStore> Party<S> {
    fn new(store: &S) -> Self {
        Self { store: store.another_process(), number: 0, uses: 0 }
    }

    fn next(&mut self, lanes: Vec<LaneAsk>) -> Heartbeat {
        self.number += 1;
        let (watermark, unclaimed) = (None, 0);
        let (number, calls_for) = (self.number, CALLS_FOR);
        Heartbeat { kind: KIND, watermark, unclaimed, number, calls_for, lanes }
    }

    async fn beat(&mut self, ask: LaneAsk) -> LaneLease {
        let beat = self.next(vec![ask]);
        self.store.beat(&beat).await.unwrap()[0]
    }

    /// Uses all that it gets, and gives back what it is to use no more.
    async fn needs(&mut self, need: u32) -> u32 {
        let held = self.uses.min(need);
        self.uses = self.beat(ask(held, need, 0)).await.permits;
        self.uses
    }
}

const fn ask(held: u32, need: u32, spare: u32) -> LaneAsk {
    LaneAsk { lane: DISPENSE_LANE, held, need, spare, calls: 0, probe: false }
}

async fn parties<S: SuiteStore>(store: &S, count: usize, limit: u32) -> Vec<Party<S>> {
    store.set_lane(DISPENSE_LANE, KIND, limit, 0).await;
    (0..count).map(|_| Party::new(store)).collect()
}

/// Processes ask for anything; answers get lost, and old beats come in late.
pub async fn what_all_processes_use_is_never_above_the_limit<S: SuiteStore>(store: S) {
    for (seed, limit, processes) in [(1, 1, 10), (2, 4, 3), (3, 10, 4)] {
        let mut random = StdRng::seed_from_u64(seed);
        let mut parties = parties(&store, processes, limit).await;
        let mut late: Vec<(usize, Heartbeat)> = Vec::new();
        let mut most = 0;
        for _ in 0..60 {
            let at = random.random_range(0..parties.len());
            let party = &mut parties[at];
            let (need, spare) = (random.random_range(0..=limit + 2), random.random_range(0..3));
            let held = party.uses.min(random.random_range(0..=limit));
            let beat = party.next(vec![ask(held, need, spare)]);
            party.uses = held;
            match random.random_range(0..10) {
                // It never gets there, or only when others have been there.
                0 => late.push((at, beat)),
                1 => drop(party.store.beat(&beat).await.unwrap()),
                _ => party.uses = held.max(party.store.beat(&beat).await.unwrap()[0].permits),
            }
            if random.random_range(0..3) == 0
                && let Some((at, beat)) = late.pop()
            {
                drop(parties[at].store.beat(&beat).await.unwrap());
            }
            store.advance(Duration::from_millis(random.random_range(0..900))).await;
            let used: u32 = parties.iter().map(|party| party.uses).sum();
            assert!(used <= limit, "{used} of {limit} with seed {seed}");
            most = most.max(used);
        }
        assert_eq!(most, limit, "all of it is used with seed {seed}");
        store.advance(Duration::from_secs(60)).await;
    }
}

pub async fn what_one_does_not_use_goes_to_whoever_asks<S: SuiteStore>(store: S) {
    for (limit, first, second) in [(4, 1, 3), (10, 2, 8), (128, 50, 78)] {
        let mut two = parties(&store, 2, limit).await;
        assert_eq!(two[0].needs(limit).await, limit);
        assert_eq!(two[1].needs(limit).await, 0, "it is all in use");
        assert_eq!(two[0].needs(first).await, first);
        assert_eq!(two[1].needs(limit).await, second, "of {limit}");
        for party in &mut two {
            party.needs(0).await;
        }
    }
}

pub async fn each_gets_its_share_and_the_rest_is_not_left_lying<S: SuiteStore>(store: S) {
    for (limit, processes, shares) in
        [(4, 2, vec![2, 2]), (9, 3, vec![3, 3, 3]), (2, 4, vec![1, 1, 0, 0])]
    {
        let mut parties = parties(&store, processes, limit).await;
        for _ in 0..6 {
            for party in &mut parties {
                party.needs(limit).await;
            }
        }
        let mut uses: Vec<u32> = parties.iter().map(|party| party.uses).collect();
        uses.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(uses, shares, "{limit} among {processes}");
        for party in &mut parties {
            party.needs(0).await;
        }
    }
}

pub async fn one_permit_stays_where_it_is_used_and_moves_on_when_it_is_not<S: SuiteStore>(
    store: S,
) {
    let mut parties = parties(&store, 10, 1).await;
    for holder in [0, 7, 3] {
        assert_eq!(parties[holder].needs(5).await, 1);
        for _ in 0..3 {
            for (at, party) in parties.iter_mut().enumerate() {
                assert_eq!(party.needs(5).await, u32::from(at == holder));
            }
        }
        parties[holder].needs(0).await;
    }
}

pub async fn a_dead_process_counts_until_its_calls_have_ended<S: SuiteStore>(store: S) {
    for limit in [1, 4, 50] {
        let mut two = parties(&store, 2, limit).await;
        assert_eq!(two[0].needs(limit).await, limit);
        for _ in 0..19 {
            store.advance(Duration::from_secs(1)).await;
            assert_eq!(two[1].needs(limit).await, 0, "calls of it may be under way");
        }
        store.advance(Duration::from_secs(2)).await;
        assert_eq!(two[1].needs(limit).await, limit);
        assert_eq!(two[0].beat(ask(limit, limit, 0)).await.permits, 0, "it comes too late");
        for party in &mut two {
            let left = party.next(Vec::new());
            party.store.beat(&left).await.unwrap();
        }
    }
}

pub async fn what_a_process_names_no_more_is_free_at_once<S: SuiteStore>(store: S) {
    for limit in [1, 3, 20] {
        let mut two = parties(&store, 2, limit).await;
        assert_eq!(two[0].needs(limit).await, limit);
        assert_eq!(two[1].needs(limit).await, 0);
        let left = two[0].next(Vec::new());
        assert_eq!(two[0].store.beat(&left).await.unwrap(), []);
        assert_eq!(two[1].needs(limit).await, limit);
        let left = two[1].next(Vec::new());
        two[1].store.beat(&left).await.unwrap();
    }
}

pub async fn a_beat_that_comes_in_after_a_later_one_takes_nothing_away<S: SuiteStore>(store: S) {
    for limit in [2, 5, 11] {
        let mut two = parties(&store, 2, limit).await;
        let stale = two[0].next(vec![ask(0, 1, 0)]);
        assert_eq!(two[0].needs(limit).await, limit);
        assert_eq!(two[0].store.beat(&stale).await.unwrap(), []);
        assert_eq!(two[1].needs(limit).await, 0, "the first one uses all of it");
        for party in &mut two {
            let left = party.next(Vec::new());
            party.store.beat(&left).await.unwrap();
        }
    }
}

pub async fn a_changed_limit_counts_from_the_next_beat_on<S: SuiteStore>(store: S) {
    for (before, after) in [(8, 2), (3, 1), (2, 9)] {
        let mut two = parties(&store, 2, before).await;
        assert_eq!(two[0].needs(before).await, before);
        store.set_lane(DISPENSE_LANE, KIND, after, 0).await;
        let told = two[0].beat(ask(before, 20, 0)).await.permits;
        assert_eq!(told, after, "what is under way ends, and no more is begun");
        assert_eq!(two[1].needs(20).await, 0, "all that is allowed is in use");
        let told = two[0].beat(ask(told.min(after - after / 2), 20, 0)).await.permits;
        let held = two[1].uses;
        two[1].uses = two[1].beat(ask(held, 20, 0)).await.permits;
        assert!(told + two[1].uses <= after, "{told} and {} of {after}", two[1].uses);
        for party in &mut two {
            let left = party.next(Vec::new());
            party.store.beat(&left).await.unwrap();
        }
    }
}

pub async fn permits_at_hand_are_shared_while_nobody_needs_them<S: SuiteStore>(store: S) {
    for (limit, at_hand) in [(9, 3), (12, 3), (30, 3)] {
        let mut parties = parties(&store, 3, limit).await;
        for _ in 0..3 {
            for party in &mut parties {
                let held = party.uses.min(at_hand);
                party.uses = party.beat(ask(held, 0, 3)).await.permits;
            }
        }
        let uses: Vec<u32> = parties.iter().map(|party| party.uses).collect();
        assert_eq!(uses, [at_hand; 3], "of {limit}");
        assert_eq!(parties[0].needs(limit).await, limit - 2 * at_hand, "until the others hear it");
        for party in &mut parties[1..] {
            assert_eq!(party.beat(ask(at_hand, 0, 3)).await.permits, 0);
            party.needs(0).await;
        }
        assert_eq!(parties[0].needs(limit).await, limit);
        parties[0].needs(0).await;
    }
}

pub async fn one_process_probes_at_a_time_and_others_keep_their_permits<S: SuiteStore>(store: S) {
    for limit in [2, 5, 30] {
        let mut three = parties(&store, 3, limit).await;
        let probe = |held| LaneAsk { probe: true, ..ask(held, limit, 3) };
        for _ in 0..3 {
            assert_eq!(three[0].beat(probe(0)).await.permits, 1, "one call and no more");
            assert_eq!(three[1].beat(probe(0)).await.permits, 0);
            assert_eq!(three[0].beat(probe(1)).await.permits, 1);
            assert_eq!(three[2].needs(1).await, 1, "its circuit is closed");
            three[0].needs(0).await;
            assert_eq!(three[1].beat(probe(0)).await.permits, 1, "the next one");
            three[1].needs(0).await;
            three[2].needs(0).await;
        }
    }
}

pub async fn a_lane_that_nobody_knows_has_no_permits<S: SuiteStore>(store: S) {
    store.set_lane(DISPENSE_LANE, KIND, 5, 0).await;
    let mut party = Party::new(&store);
    for lane in [LaneId(9_999), LaneId(-1), LaneId(i32::MAX)] {
        let unknown = LaneAsk { lane, calls: 3, ..ask(0, 3, 1) };
        let beat = party.next(vec![unknown, ask(0, 2, 0)]);
        let told = party.store.beat(&beat).await.unwrap();
        assert_eq!(told.iter().map(|lease| lease.lane).collect::<Vec<_>>(), [DISPENSE_LANE]);
    }
}

pub async fn calls_are_booked_at_the_lanes_rate_over_all_processes<S: SuiteStore>(store: S) {
    for rate in [1, 10, 250] {
        store.set_lane(DISPENSE_LANE, KIND, 1_000, rate).await;
        let mut three: Vec<Party<S>> = (0..3).map(|_| Party::new(&store)).collect();
        let began = store.now().await;
        let mut booked = 0_u32;
        for round in 0..12 {
            let party = &mut three[round % 3];
            let greedy = LaneAsk { calls: 10_000, ..ask(party.uses, 500, 0) };
            let told = party.beat(greedy).await;
            assert_eq!(told.rate_per_second, rate);
            assert!(told.first_call <= Duration::from_secs(1) || told.calls == 0);
            booked += told.calls;
            // The last of them begins a second from now at the latest.
            let elapsed = fleet_domain::between(began, store.now().await).as_millis() + 1_000;
            let most = elapsed * u128::from(rate) / 1_000 + 1;
            assert!(u128::from(booked) <= most, "{booked} within {elapsed} ms at {rate} a second");
            store.advance(Duration::from_millis(250)).await;
        }
        assert!(booked >= 3 * rate, "{booked} in three seconds");
        store.advance(Duration::from_secs(60)).await;
    }
}
