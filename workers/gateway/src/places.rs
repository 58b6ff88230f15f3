//! Places: how many may ask for something at once, by whom. Whoever finds none is told so at once and
//! comes again; nobody waits for long to be told that.
//!
//! An owner holds no more places than are free for others. However many of them flood, one place is
//! left for whoever comes next, and those who flood share the rest evenly.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet_domain::ClientId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places of one sort.
#[derive(Debug)]
pub(crate) struct Places<K: Eq + Hash> {
    /// What the metric calls them.
    sort: &'static str,
    all: usize,
    each: usize,
    held: Mutex<Held<K>>,
}

#[derive(Debug)]
struct Held<K> {
    by: HashMap<K, usize>,
    all: usize,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place<K: Eq + Hash> {
    of: Arc<Places<K>>,
    owner: K,
}

/// No place is left, or what is behind it did not come free in time: nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shed;

impl<K: Eq + Hash + Clone + Display> Places<K> {
    /// So many for all, and so many of them for each at most.
    pub(crate) fn new(sort: &'static str, all: usize, each: usize) -> Arc<Self> {
        let held = Mutex::new(Held { by: HashMap::new(), all: 0 });
        Arc::new(Self { sort, all, each, held })
    }

    /// Takes one.
    pub(crate) fn take(self: &Arc<Self>, owner: K) -> Result<Place<K>, Shed> {
        let mut held = self.lock();
        let free = self.all.saturating_sub(held.all);
        let own = held.by.get(&owner).copied().unwrap_or_default();
        if own >= self.each.min(free) {
            drop(held);
            return Err(self.shed(&owner));
        }
        held.by.insert(owner.clone(), own.saturating_add(1));
        held.all = held.all.saturating_add(1);
        drop(held);
        Ok(Place { of: Arc::clone(self), owner })
    }

    /// Counts one who was sent away.
    pub(crate) fn shed(&self, owner: &K) -> Shed {
        fleet_telemetry::metrics().shed(self.sort, &owner.to_string());
        Shed
    }

    fn lock(&self) -> MutexGuard<'_, Held<K>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut held = self.of.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.all = held.all.saturating_sub(1);
        let left = held.by.get(&self.owner).map_or(0, |own| own.saturating_sub(1));
        if left == 0 {
            held.by.remove(&self.owner);
        } else if let Some(own) = held.by.get_mut(&self.owner) {
            *own = left;
        }
    }
}

/// Places in front of some of the process's connections to Postgres, which come free in the order in
/// which they were asked for.
#[derive(Debug, Clone)]
pub(crate) struct Door<K: Eq + Hash> {
    places: Arc<Places<K>>,
    connections: Arc<Semaphore>,
    wait: Duration,
}

/// The way to a connection: while it is held, one is free.
#[derive(Debug)]
pub(crate) struct Pass<K: Eq + Hash> {
    _connection: OwnedSemaphorePermit,
    _place: Place<K>,
}

impl<K: Eq + Hash + Clone + Display> Door<K> {
    fn new(places: Arc<Places<K>>, connections: usize, wait: Duration) -> Self {
        Self { places, connections: Arc::new(Semaphore::new(connections)), wait }
    }

    /// Waits for a connection, if there is a place to wait in, and no longer than it may.
    pub(crate) async fn enter(&self, owner: K) -> Result<Pass<K>, Shed> {
        let place = self.places.take(owner)?;
        let free = Arc::clone(&self.connections).acquire_owned();
        match tokio::time::timeout(self.wait, free).await {
            Ok(Ok(connection)) => Ok(Pass { _connection: connection, _place: place }),
            Ok(Err(_)) | Err(_) => Err(self.places.shed(&place.owner)),
        }
    }
}

/// How many may ask at once, and how long they wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Of each sort.
    pub(crate) all: usize,
    /// Of each sort, for one client.
    pub(crate) each: usize,
    /// For a connection.
    pub(crate) wait: Duration,
}

/// Connections of this process by what they are kept for, so that no use of them waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    /// Groups of purchases.
    pub(crate) accepts: usize,
    /// Clients' look-ups and all else they ask for.
    clients: usize,
    /// What suppliers and funding sources tell.
    callbacks: usize,
    /// Buyers, and apps that have not yet shown whose they are.
    strangers: usize,
}

impl Shares {
    /// Of a pool of this size, less one that is for the process's own use.
    pub(crate) fn of(pool_max: u32) -> Self {
        let pool = usize::try_from(pool_max).unwrap_or(usize::MAX);
        let accepts = if pool >= 6 { 2 } else { 1 };
        let callbacks = (pool / 6).max(1);
        let strangers = 1;
        let taken = [1, accepts, callbacks, strangers].into_iter().sum();
        Self { accepts, clients: pool.saturating_sub(taken).max(1), callbacks, strangers }
    }
}

/// The ways to Postgres but that of purchases.
#[derive(Debug, Clone)]
pub struct Doors {
    clients: Door<ClientId>,
    callbacks: Door<String>,
    strangers: Door<String>,
}

impl Doors {
    pub(crate) fn new(limits: Limits, shares: Shares) -> Self {
        let Limits { all, each, wait } = limits;
        Self {
            clients: Door::new(Places::new("client", all, each), shares.clients, wait),
            callbacks: Door::new(Places::new("callback", all, all), shares.callbacks, wait),
            strangers: Door::new(Places::new("stranger", all, all), shares.strangers, wait),
        }
    }

    /// For a client whose key was checked.
    pub(crate) async fn client(&self, client: ClientId) -> Result<Pass<ClientId>, Shed> {
        self.clients.enter(client).await
    }

    /// For what a supplier or a funding source tells; no client's flood is in its way.
    pub(crate) async fn callback(&self, teller: &str) -> Result<Pass<String>, Shed> {
        self.callbacks.enter(teller.to_owned()).await
    }

    /// For whoever has shown nothing yet.
    pub(crate) async fn stranger(&self) -> Result<Pass<String>, Shed> {
        self.strangers.enter("anybody".to_owned()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(places: &Arc<Places<ClientId>>, client: i64, tries: usize) -> Vec<Place<ClientId>> {
        (0..tries).filter_map(|_| places.take(ClientId(client)).ok()).collect()
    }

    #[test]
    fn a_flood_gets_its_own_places_and_no_more() {
        let places = Places::new("client", 100, 8);
        let flood = taken(&places, 1, 80);
        assert_eq!(flood.len(), 8);
        assert_eq!(taken(&places, 2, 80).len(), 8, "and takes none of another's");
        drop(flood);
        assert_eq!(taken(&places, 1, 80).len(), 8, "what came free is there again");
    }

    #[test]
    fn of_few_places_the_floods_get_even_shares_and_who_comes_next_still_one() {
        for clients in 1..=9 {
            let places = Places::new("client", 20, 20);
            let mut floods: Vec<Vec<Place<ClientId>>> = Vec::new();
            floods.resize_with(clients, Vec::new);
            for _ in 0..50 {
                for (flood, client) in floods.iter_mut().zip(1..) {
                    flood.extend(places.take(ClientId(client)));
                }
            }
            let counts: Vec<usize> = floods.iter().map(Vec::len).collect();
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= 1, "{counts:?}");
            assert!(places.take(ClientId(99)).is_ok(), "{counts:?}");
        }
    }

    #[tokio::test]
    async fn who_waits_too_long_for_a_connection_is_sent_away_and_its_place_is_free() {
        let limits = Limits { all: 9, each: 2, wait: Duration::from_millis(20) };
        let doors = Doors::new(limits, Shares::of(1));
        let first = doors.client(ClientId(1)).await.unwrap();
        assert_eq!(doors.client(ClientId(1)).await.map(drop), Err(Shed));
        assert!(doors.callback("bank").await.is_ok(), "no client is in its way");
        assert!(doors.stranger().await.is_ok());
        drop(first);
        assert!(doors.client(ClientId(1)).await.is_ok());
        assert_eq!(doors.clients.places.lock().all, 0);
    }

    #[test]
    fn no_use_of_the_pool_waits_for_another() {
        for pool in 5..=100 {
            let shares = Shares::of(pool);
            let all = [shares.accepts, shares.clients, shares.callbacks, shares.strangers];
            assert!(all.iter().all(|share| *share > 0), "{pool}: {shares:?}");
            let all: usize = all.iter().sum();
            assert_eq!(all + 1, usize::try_from(pool).unwrap(), "{shares:?}");
        }
    }
}
