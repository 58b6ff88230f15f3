//! What this program is made of.

use crate::msisdn::warm_up;
use crate::places::{Limits, Shares};
use crate::shape::Shape;
use crate::{Accepts, Accounts, Answers, Doors, Gateway, PresentDirectory, Queries, router};
use fleet_boot::{Intake, Program, Served, Worker, bind, serve};
use fleet_domain::Party;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const DAY: Duration = Duration::from_secs(86_400);
/// A group of purchases that finds no connection by then is told so: nothing was written.
const CONNECTED_WITHIN: Duration = Duration::from_secs(1);

/// How it is named and explained.
pub const PROGRAM: Program = Program {
    name: "gateway",
    about: "Takes purchases in over HTTP, answers look-ups, stores suppliers' confirmations",
    // It serves while the broker is away: the clock publishes what it could not.
    needs_broker: false,
    reads: &[],
    calls: Party::Supplier,
};

/// Adds its parts to a worker.
///
/// # Errors
/// When a setting cannot be used.
pub async fn compose(worker: Worker) -> anyhow::Result<Worker> {
    let keys = worker.settings.gateway.clone();
    let listener = bind("gateway.listen", keys.listen).await?;
    let address = listener.local_addr()?;
    let limits = Limits {
        all: keys.requests_max,
        each: keys.requests_per_client,
        wait: Duration::from_millis(keys.request_wait_ms),
    };
    let shares = Shares::of(worker.settings.database.pool_max);
    let gateway = Gateway {
        store: worker.store.clone(),
        directory: PresentDirectory::new(worker.directory.clone(), worker.store.keyring().clone()),
        hints: worker.hints.clone(),
        answers: Arc::new(Answers::default()),
        accepts: Arc::new(Accepts::new(limits, keys.group_max, shares.accepts)),
        doors: Doors::new(limits, shares),
        accounts: Arc::new(Accounts::new(
            worker.exchange()?,
            Duration::from_millis(keys.validate_within_ms),
            keys.validations_max,
        )),
        queries: Arc::new(Queries::new(keys.queries_per_second)),
        transactions_kept: DAY.saturating_mul(keys.transactions_kept_days),
        public_url: keys.public_url.into(),
    };
    let (answers, store, stop) =
        (Arc::clone(&gateway.answers), worker.store.clone(), worker.stop.clone());
    let every = Duration::from_millis(keys.answer_poll_ms);
    worker.spawn(async move { answers.run(&store, every, &stop).await });
    let directory = worker.directory.current();
    worker.spawn(async move {
        drop(tokio::task::spawn_blocking(move || warm_up(&directory.numbering)).await);
    });
    let grace = Duration::from_secs(worker.settings.shutdown.grace_seconds);
    let stop = worker.stop.clone();
    let unserved = CancellationToken::new();
    worker.spawn(accept(&gateway, &worker, unserved.clone()));
    let served = Served {
        router: router(gateway),
        worded: |path, status, message| Shape::of(path).answer((status, message)),
    };
    let serving = serve(listener, served, keys.connections_max, grace, stop);
    worker.spawn(async move {
        serving.await;
        unserved.cancel();
    });
    tracing::info!(gateway.listen = %address, "serving");
    Ok(worker)
}

/// Stores what clients ask for, also what is still asked for during the stop.
fn accept(
    gateway: &Gateway,
    worker: &Worker,
    unserved: CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    let intake = Intake::new(worker.store.clone(), worker.hints.clone());
    let intake = intake.connected_within(CONNECTED_WITHIN);
    let (accepts, directory) = (Arc::clone(&gateway.accepts), gateway.directory.clone());
    async move { accepts.run(&intake, &directory, &unserved).await }
}
