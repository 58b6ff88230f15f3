//! Purchases at a steady rate over HTTP, and what became of them by the journal.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_simulator::{Action, Behaviour};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{TRANSACT, key_of, purchase};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use crate::usage::{Machine, Processes};

/// One client's purchases of one product.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) client: i64,
    pub(crate) product: i64,
    pub(crate) currency: &'static str,
    /// In a second.
    pub(crate) rate: u32,
    /// What is done so slowly, and how slowly.
    pub(crate) slow: Option<(Action, u64)>,
}

impl Load {
    fn body(&self, fleet: &TestFleet) -> Value {
        let mut body = purchase("0000");
        body["clientId"] = self.client.into();
        body["productId"] = self.product.into();
        body["currencyCode"] = self.currency.into();
        body["reserveFundsTxnRef"] = body["clientTxnRef"].clone();
        if let Some((action, slow_ms)) = self.slow {
            let target = body["targetIdentifier"].as_str().unwrap_or_default().to_owned();
            fleet.simulator().script(&target, action, vec![Behaviour::slow(slow_ms)]);
        }
        body
    }

    /// Sends so long; how many were accepted.
    async fn send(self, fleet: Arc<TestFleet>, lasts: Duration) -> usize {
        let mut often = interval(Duration::from_secs(1) / self.rate);
        let until = Instant::now() + lasts;
        let mut requests = JoinSet::new();
        while Instant::now() < until {
            often.tick().await;
            let body = self.body(&fleet);
            let request = fleet.http().post(fleet.url(TRANSACT)).body(body.to_string());
            let request = request.header("x-api-key", key_of(self.client));
            let answer = request.timeout(Duration::from_secs(20)).send();
            requests.spawn(async move { answer.await.is_ok_and(|answer| answer.status() == 200) });
        }
        requests.join_all().await.into_iter().filter(|accepted| *accepted).count()
    }
}

/// What a phase saw.
#[derive(Debug)]
pub(crate) struct Phase {
    pub(crate) began: DateTime<Utc>,
    pub(crate) ended: DateTime<Utc>,
    /// Accepted, in the order of the loads.
    pub(crate) accepted: Vec<usize>,
    /// The share of the CPU that others used.
    pub(crate) foreign: f64,
}

/// Sends all loads at the same time.
pub(crate) async fn phase(
    fleet: &Arc<TestFleet>,
    servers: &[u32],
    loads: &[Load],
    lasts: Duration,
) -> Phase {
    let began = Utc::now();
    let before = used(servers);
    let sent = loads.iter().map(|load| tokio::spawn(load.clone().send(Arc::clone(fleet), lasts)));
    let mut accepted = Vec::new();
    for load in sent.collect::<Vec<_>>() {
        accepted.push(load.await.unwrap_or_else(|error| panic!("a sender failed: {error}")));
    }
    let (now, then) = (used(servers), before);
    let machine = now.1.since(then.1);
    let others = machine.busy_us.saturating_sub(now.0.saturating_sub(then.0));
    let float = |us: u64| f64::from(u32::try_from(us / 1_000).unwrap_or(u32::MAX));
    let foreign = float(others) / float(machine.all_us).max(1.0);
    Phase { began, ended: Utc::now(), accepted, foreign }
}

/// CPU time of ourselves and everything that we started, and of the machine.
fn used(servers: &[u32]) -> (u64, Machine) {
    let processes = Processes::now().unwrap_or_else(|error| panic!("{error:#}"));
    let all = servers.iter().copied().chain([std::process::id()]);
    let ours = all.map(|pid| processes.tree_us(pid)).sum();
    (ours, Machine::now().unwrap_or_else(|error| panic!("{error:#}")))
}

/// Waits in milliseconds, sorted.
#[derive(Debug)]
pub(crate) struct Waits(Vec<f64>);

impl Waits {
    /// Between two words of the journal, of one client's purchases of a product that came in a phase;
    /// no first word: from when it came in.
    pub(crate) async fn of(
        fleet: &TestFleet,
        load: &Load,
        phase: &Phase,
        (from, to): (Option<&str>, &str),
    ) -> Self {
        let sql = "select (extract(epoch from b.at - coalesce(a.at, p.created_at)) * 1000)::float8
                   from purchase p
                   join journal b on b.purchase = p.purchase and b.outcome = $6
                   left join journal a on a.purchase = p.purchase and a.outcome = $5
                   where p.client_id = $1 and p.product_id = $2
                     and p.created_at between $3 and $4 and ($5::text is null or a.at is not null)
                   order by 1";
        let query = sqlx::query_scalar(sql).bind(load.client).bind(load.product);
        let query = query.bind(phase.began).bind(phase.ended).bind(from).bind(to);
        let mut connection =
            fleet.database().connection().await.unwrap_or_else(|e| panic!("{e:#}"));
        let waits = query.fetch_all(&mut connection).await;
        Self(waits.unwrap_or_else(|error| panic!("{error}")))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let at = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(at).copied().unwrap_or(f64::NAN)
    }
}
