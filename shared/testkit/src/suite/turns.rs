//! Clients take turns in a lane.
#![expect(missing_docs, reason = "a test's name is its documentation")]

use std::collections::BTreeMap;

use fleet_domain::ClientId;

use super::*;

const KIND: TaskKind = TaskKind::Dispense;
const LARGE: ClientId = ClientId(2001);
const SMALL: ClientId = ClientId(2002);
const TINY: ClientId = ClientId(1002);

/// Whose the tasks are that wait in the lane, each client's oldest first.
#[derive(Default)]
struct Waiting(BTreeMap<TaskKey, ClientId>);

impl Waiting {
    async fn add<S: SuiteStore>(&mut self, store: &S, client: ClientId, count: usize) {
        let start_by = later(store.now().await, Duration::from_secs(600));
        for _ in 0..count {
            let reference = uuid::Uuid::new_v4().to_string();
            let mut new = new_purchase(&reference, Scenario::ClientReserved, start_by).unwrap();
            new.order.order.client = client;
            let accepted = store.accept(std::slice::from_ref(&new)).await;
            let Stored::New(purchase, _) = accepted.stored[0] else { panic!("not new") };
            let key = TaskKey { purchase, kind: KIND, slot: 0 };
            store.put_back(&[key]).await.unwrap();
            self.0.insert(key, client);
            store.advance(Duration::from_millis(2)).await;
        }
    }

    /// A look with so much room, behind the client that had the last turn: whose tasks it takes, each
    /// the oldest of its client.
    async fn look<S: SuiteStore>(
        &mut self,
        store: &S,
        room: u32,
        after: &mut ClientId,
    ) -> Vec<ClientId> {
        let lanes = vec![LaneRoom { after: *after, ..LaneRoom::new(lane_of(KIND), room) }];
        let tick = Tick {
            kind: KIND,
            take_max: 500,
            lanes,
            from: None,
            queue_ready: None,
            unpublished: false,
        };
        let report = store.tick(&tick).await.unwrap();
        let mut took = Vec::new();
        for due in &report.due {
            let client = self.0[&due.key];
            // Keys are made in order.
            let oldest = self.0.iter().find(|(_, whose)| **whose == client).unwrap();
            assert_eq!(*oldest.0, due.key, "the oldest of its client goes first");
            self.0.remove(&due.key);
            took.push(client);
        }
        let turns: Vec<_> = took.last().map(|last| (lane_of(KIND), *last)).into_iter().collect();
        assert_eq!(report.turns, turns);
        assert_eq!(report.more.is_empty(), self.0.is_empty());
        *after = took.last().copied().unwrap_or(*after);
        took
    }
}

pub async fn a_client_with_much_that_waits_takes_its_turn_as_others_do<S: SuiteStore>(store: S) {
    let mut waiting = Waiting::default();
    waiting.add(&store, LARGE, 60).await;
    waiting.add(&store, SMALL, 3).await;
    waiting.add(&store, TINY, 1).await;
    let mut after = ClientId(0);
    let took = waiting.look(&store, 6, &mut after).await;
    assert_eq!(took, [TINY, LARGE, SMALL, LARGE, SMALL, LARGE]);
    let took = waiting.look(&store, 3, &mut after).await;
    assert_eq!(took, [SMALL, LARGE, LARGE], "behind the one that had the last turn");
    waiting.add(&store, TINY, 2).await;
    assert_eq!(waiting.look(&store, 4, &mut after).await, [TINY, LARGE, TINY, LARGE]);
    assert_eq!(waiting.look(&store, 50, &mut after).await, vec![LARGE; 50], "and nothing is lost");
}

pub async fn a_single_place_goes_round<S: SuiteStore>(store: S) {
    let mut waiting = Waiting::default();
    for client in [LARGE, SMALL, TINY] {
        waiting.add(&store, client, 3).await;
    }
    let (mut after, mut took) = (ClientId(0), Vec::new());
    for _ in 0..9 {
        took.extend(waiting.look(&store, 1, &mut after).await);
    }
    assert_eq!(took, [TINY, LARGE, SMALL].repeat(3));
}

pub async fn of_many_clients_each_has_its_turn<S: SuiteStore>(store: S) {
    let mut waiting = Waiting::default();
    let clients: Vec<ClientId> = (3000..3060).map(ClientId).collect();
    for client in &clients {
        waiting.add(&store, *client, 2).await;
    }
    let (mut after, mut took) = (clients[49], Vec::new());
    for _ in 0..12 {
        took.extend(waiting.look(&store, 5, &mut after).await);
    }
    took.sort_unstable();
    assert_eq!(took, clients, "one of each before a second of any");
}

pub async fn without_a_broker_a_hint_is_lost_once_it_is_late<S: SuiteStore>(store: S) {
    let key = dispensing(&store).await;
    let lanes = vec![LaneRoom::new(lane_of(KIND), 5)];
    let (from, queue_ready) = (None, None);
    let look = Tick { kind: KIND, take_max: 5, lanes, from, queue_ready, unpublished: true };
    assert_eq!(store.tick(&look).await.unwrap().due, [], "it may be on its way to somebody");
    store.advance(Duration::from_secs(11)).await;
    let report = store.tick(&look).await.unwrap();
    assert_eq!((report.due.len(), report.due[0].key, report.lost), (1, key, 1));
    assert_eq!(store.tick(&look).await.unwrap().due, [], "once");
}
