//! What every program does alike: arguments, settings, logs, signals, exit codes.

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use fleet_contracts::Queue;
use fleet_domain::Party;
use fleet_store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::check::SetUp;
use crate::{Needs, Settings, Worker};

/// A build for service ends itself nowhere.
#[cfg(not(debug_assertions))]
const _: () = assert!(!fleet_telemetry::HAS_CRASH_POINTS, "crash points in a release build");

/// Settings or arguments are refused.
const EXIT_SETTINGS: u8 = 2;
/// The database's schema is not this build's.
const EXIT_SCHEMA: u8 = 3;

/// How a program is named and explained.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Its name, also in logs and at the broker.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// True when it is of no use without the broker.
    pub needs_broker: bool,
    /// The queues that it reads, and no others.
    pub reads: &'static [Queue],
    /// Whose connectors it calls.
    pub calls: Party,
}

/// The arguments of every worker and of the gateway.
#[derive(Debug, Clone, Parser)]
#[command(
    version,
    after_help = "Settings: every key stands in deploy/settings/default.toml; \
    FLEET__DATABASE__URL sets database.url, and so on.\n\
    Exit codes: 0 stopped in order or, with --check, all well; 1 failed, or what it needs outside \
    is not as it must be; 2 settings or arguments refused; 3 the database's schema is another, or lacks \
    something."
)]
pub struct Arguments {
    /// A TOML file with settings that go over the defaults
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Check settings, database, schema, connection counts, the broker's log-in and permissions, and
    /// connectors, then exit; nothing is changed or left behind
    #[arg(long)]
    pub check: bool,
}

/// Makes the one TLS provider of all outgoing connections known; once more is harmless.
pub fn install_tls_provider() {
    rustls::crypto::ring::default_provider().install_default().ok();
}

/// Runs a program until SIGTERM or SIGINT; `compose` adds its parts to the worker.
pub fn run<F, Fut>(program: Program, compose: F) -> ExitCode
where
    F: FnOnce(Worker) -> Fut,
    Fut: Future<Output = anyhow::Result<Worker>>,
{
    install_tls_provider();
    let arguments = parse(program);
    let settings = match Settings::load(arguments.settings.as_deref(), Needs::Broker) {
        Ok(settings) => settings,
        Err(error) => return fail(EXIT_SETTINGS, &error.to_string()),
    };
    if let Err(error) = fleet_telemetry::init(program.name, &settings.log()) {
        return fail(EXIT_SETTINGS, &error.to_string());
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads()).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &format!("no runtime: {error}")),
    };
    let ended = runtime.block_on(async {
        if arguments.check {
            return crate::check::check(program, &settings).await;
        }
        work(program, settings, compose).await
    });
    runtime.shutdown_timeout(Duration::from_secs(2));
    match ended {
        Ok(()) => {
            fleet_telemetry::flush_logs();
            ExitCode::SUCCESS
        }
        Err(error) => {
            let of_schema = |error: &StoreError| {
                matches!(error, StoreError::Schema(_) | StoreError::Unfit { .. })
            };
            let schema = error.downcast_ref().is_some_and(of_schema);
            let settings = error.downcast_ref().is_some_and(|set_up: &SetUp| set_up.of_settings);
            let code = match (schema, settings) {
                (true, _) => EXIT_SCHEMA,
                (false, true) => EXIT_SETTINGS,
                (false, false) => 1,
            };
            fail(code, &format!("{error:#}"))
        }
    }
}

/// A program shares its machine with others: threads beyond the cores only take turns, and groups
/// get smaller by that. Whoever needs more starts a program once more.
fn threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).clamp(1, 2)
}

fn parse(program: Program) -> Arguments {
    use clap::{CommandFactory, FromArgMatches};
    let command = Arguments::command().name(program.name).about(program.about);
    let matches = command.get_matches();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn fail(code: u8, text: &str) -> ExitCode {
    fleet_telemetry::last_word(&format!("error: {text}"));
    ExitCode::from(code)
}

async fn work<F, Fut>(program: Program, settings: Settings, compose: F) -> anyhow::Result<()>
where
    F: FnOnce(Worker) -> Fut,
    Fut: Future<Output = anyhow::Result<Worker>>,
{
    let stop = CancellationToken::new();
    tokio::spawn(signals(stop.clone()));
    let Some(worker) = Worker::start(program, settings, stop).await? else { return Ok(()) };
    compose(worker).await?.run().await
}

/// The first signal stops in order; the second ends at once.
async fn signals(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be listened for");
        return;
    };
    for second in [false, true] {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        if second {
            exit_at_once();
        }
        tracing::info!("stopping: work in flight is finished first");
        stop.cancel();
    }
}

#[expect(clippy::exit, reason = "a second signal means now; nothing is lost, leases cover it")]
fn exit_at_once() {
    fleet_telemetry::flush_logs();
    std::process::exit(130);
}

/// How often Postgres is asked again while a program that starts waits for it.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What Postgres answers at the start when it is asked for `what`: while it is away the program waits and says so; what it would
/// answer again is an error. `None` when stopped meanwhile.
pub(crate) async fn at_start<T>(
    what: &'static str,
    stop: &CancellationToken,
    ask: impl AsyncFn() -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    loop {
        match ask().await {
            Ok(answer) => return Ok(Some(answer)),
            Err(error @ StoreError::Retry { .. }) => {
                tracing::warn!(error = %error, what, "postgres is not there yet");
            }
            Err(error) => return Err(error),
        }
        if stop.run_until_cancelled(tokio::time::sleep(ASK_EVERY)).await.is_none() {
            return Ok(None);
        }
    }
}
