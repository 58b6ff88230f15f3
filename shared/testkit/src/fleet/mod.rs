//! A fleet of one test: the real programs as processes of their own, on a database and a virtual
//! host of their own, against a simulator inside the test.
//!
//! It fails the test when a program ends by itself, logs a warning that the test did not allow, or
//! logs anything private.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::missing_panics_doc,
    reason = "a test's helper fails its test by panicking"
)]

mod accept;
mod amqp;
mod builder;
mod checks;
mod crash;
mod directory;
mod http;
mod logs;
mod process;
mod proxy;
mod tap;
mod tls;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet_simulator::{Running, World};
use fleet_store::Store;
use tokio::time::Instant;

use crate::TestDatabase;
use crate::broker::TestVhost;

pub use amqp::{Letter, Replies, Shop};
pub use builder::Builder;
pub use directory::{client, connector, sample};
pub use http::{HttpAnswer, REQUIRED_FIELDS, RESERVE_AND_TRANSACT, TRANSACT, key_of, purchase};
pub use proxy::{Connections, Faults, Seen, TcpProxy, Way};
pub use tap::Tap;
pub use tls::TlsProxy;

use process::{Extra, Process};

/// Every program that serves or works.
pub const PROGRAMS: [&str; 5] =
    ["gateway", "reservation", "dispensing", "result-delivery", "fraud-reporting"];
/// How long a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The fleet of one test. Dropped, it ends its processes and leaves nothing behind.
#[derive(Debug)]
pub struct TestFleet {
    processes: Mutex<Vec<Process>>,
    allowed: Mutex<Vec<String>>,
    private: Mutex<Vec<String>>,
    simulator: Running,
    settings: toml::Table,
    folder: PathBuf,
    gateway: String,
    http: reqwest::Client,
    broker_proxy: Option<TcpProxy>,
    database_proxy: Option<TcpProxy>,
    vhost: TestVhost,
    database: TestDatabase,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until something holds, so long at most.
///
/// # Panics
/// When it does not hold in time; `what` says what was waited for.
pub async fn until(patience: Duration, what: &str, condition: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < patience, "waited {patience:?} in vain for {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl TestFleet {
    /// A fleet to be set up.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// All programs, the sample directory, parties that answer within 20 ms.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// The outside parties with their record.
    #[must_use]
    pub const fn simulator(&self) -> &World {
        self.simulator.world()
    }

    /// The outside parties' address of a path.
    #[must_use]
    pub fn simulator_url(&self, path: &str) -> String {
        self.simulator.url(path)
    }

    /// The database as a store.
    #[must_use]
    pub fn store(&self) -> Store {
        self.database.store()
    }

    /// The database.
    #[must_use]
    pub const fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// The virtual host.
    #[must_use]
    pub const fn vhost(&self) -> &TestVhost {
        &self.vhost
    }

    /// Between the programs and the broker, when the builder was asked for it.
    #[must_use]
    pub const fn broker_proxy(&self) -> &TcpProxy {
        self.broker_proxy.as_ref().expect("built with a proxy of the broker")
    }

    /// Between the programs and Postgres, when the builder was asked for it.
    #[must_use]
    pub const fn database_proxy(&self) -> &TcpProxy {
        self.database_proxy.as_ref().expect("built with a proxy of the database")
    }

    /// Log lines with this text are expected.
    pub fn allow_log(&self, text: &str) {
        lock(&self.allowed).push(text.to_owned());
    }

    /// This text may stand in no log.
    pub fn keep_secret(&self, text: &str) {
        lock(&self.private).push(text.to_owned());
    }

    /// Starts one more process of a program and waits until it is ready; its index.
    pub async fn start_worker(&self, program: &str) -> usize {
        let index = self.launch(program);
        self.until_ready(index).await;
        index
    }

    /// Starts one more process of a program.
    fn launch(&self, program: &str) -> usize {
        let settings = |instance: &str| self.settings_file(program, instance);
        self.launch_with(program, settings, Extra::default())
    }

    fn launch_with(
        &self,
        program: &str,
        settings: impl FnOnce(&str) -> PathBuf,
        extra: Extra<'_>,
    ) -> usize {
        let mut processes = lock(&self.processes);
        let index = processes.len();
        let instance = format!("{program}-{index}");
        processes.push(Process::start(program, &instance, &settings(&instance), extra));
        index
    }

    /// Runs a program of the fleet to its end, such as `gateway --check`.
    pub async fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let settings = self.settings_file(program, &format!("{program}-once"));
        process::run(program, &settings, arguments).await
    }

    /// Runs a program with settings of the test's own to its end.
    pub async fn run_with(
        &self,
        program: &str,
        settings: &toml::Table,
        arguments: &[&str],
    ) -> Output {
        let path = self.own_settings(settings, &format!("{program}-own"));
        process::run(program, &path, arguments).await
    }

    /// Runs a program with a file of settings as it stands here, and with variables, to its end.
    pub async fn run_in(
        &self,
        program: &str,
        file: &str,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Output {
        let path = self.folder.join(format!("{program}-own.toml"));
        builder::write_whole(&path, file);
        process::run_in(program, &path, environment, arguments).await
    }

    /// Runs a program with the settings of any path to its end.
    pub async fn run_at(&self, program: &str, path: &str, arguments: &[&str]) -> Output {
        process::run(program, Path::new(path), arguments).await
    }

    /// Starts a program with settings of the test's own that ends by itself; its index.
    pub fn spawn_with(&self, program: &str, settings: &toml::Table, arguments: &[&str]) -> usize {
        let path = |instance: &str| self.own_settings(settings, instance);
        self.launch_with(program, path, Extra { arguments, ends: true, ..Extra::default() })
    }

    /// A program as a command whose output is the test's own, and the address of its admin port.
    #[must_use]
    pub fn command(&self, program: &str, filter: &str) -> (std::process::Command, String) {
        let admin = format!("127.0.0.1:{}", builder::free_port());
        let path = self.settings_file(program, &format!("{program}-own"));
        let text = std::fs::read_to_string(&path).expect("a file of settings");
        let mut settings: toml::Table = toml::from_str(&text).expect("settings");
        builder::set(&mut settings, "admin.listen", admin.as_str().into());
        builder::set(&mut settings, "log.filter", filter.into());
        let path = self.own_settings(&settings, &format!("{program}-own"));
        (process::command(program, &path), admin)
    }

    fn own_settings(&self, settings: &toml::Table, instance: &str) -> PathBuf {
        let path = self.folder.join(format!("{instance}.toml"));
        let text = toml::to_string(settings).expect("settings as text");
        builder::write_whole(&path, &text);
        path
    }

    /// Runs the operators' command and reads its JSON.
    pub async fn operator(&self, arguments: &[&str]) -> serde_json::Value {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let output = self.run("fleet", &all).await;
        let text = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "fleet {arguments:?}: {} {error}", output.status);
        serde_json::from_str(&text).unwrap_or_else(|_error| panic!("no JSON: {text} {error}"))
    }

    /// The index of the first process of a program that the fleet started with.
    #[must_use]
    pub fn index_of(&self, program: &str) -> usize {
        let processes = lock(&self.processes);
        let found = processes.iter().position(|p| p.name.starts_with(&format!("{program}-")));
        found.unwrap_or_else(|| panic!("no {program} was started"))
    }

    /// The index of the newest process of a program whose end was not asked for.
    #[must_use]
    pub fn running(&self, program: &str) -> usize {
        let processes = lock(&self.processes);
        let is_one = |p: &Process| p.name.starts_with(&format!("{program}-")) && !p.is_ended();
        let found = processes.iter().rposition(is_one);
        found.unwrap_or_else(|| panic!("no {program} runs"))
    }

    /// Kills a process: nothing of it is finished.
    pub fn kill(&self, index: usize) {
        lock(&self.processes)[index].kill();
    }

    /// Sends a signal to a process, such as `-STOP` or `-CONT`.
    pub fn signal(&self, index: usize, signal: &str) {
        lock(&self.processes)[index].signal(signal);
    }

    /// Asks a process to stop; it must end in order.
    pub async fn stop(&self, index: usize) {
        lock(&self.processes)[index].ask_to_stop();
        self.until("a process to stop", async || self.exit_of(index).is_some()).await;
        let status = self.exit_of(index);
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", self.log_of(index));
    }

    /// A process is to end by itself.
    pub fn expect_end(&self, index: usize) {
        lock(&self.processes)[index].expect_end();
    }

    /// How a process ended, if it has.
    #[must_use]
    pub fn exit_of(&self, index: usize) -> Option<std::process::ExitStatus> {
        lock(&self.processes)[index].exit()
    }

    /// The log of a process.
    #[must_use]
    pub fn log_of(&self, index: usize) -> String {
        lock(&self.processes)[index].text()
    }

    /// GET of a path of a process' admin port.
    pub async fn admin(&self, index: usize, path: &str) -> HttpAnswer {
        let address = lock(&self.processes)[index].admin().expect("a process that has started");
        self.send(self.http.get(format!("http://{address}{path}"))).await
    }

    /// Waits until a process says that it can do its job.
    pub async fn until_ready(&self, index: usize) {
        let name = lock(&self.processes)[index].name.clone();
        self.until(&format!("{name} to be ready"), async || {
            let ended = lock(&self.processes)[index].crash();
            assert!(ended.is_none(), "{name} ended ({ended:?}): {}", self.log_of(index));
            let admin = lock(&self.processes)[index].admin();
            let Some(admin) = admin else { return false };
            let answer = self.http.get(format!("http://{admin}/ready")).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        if name.starts_with("gateway") {
            let live = async || self.http.get(self.url("/")).send().await.is_ok();
            self.until("the gateway to listen", live).await;
        }
    }

    /// Moves the fleet's clock, at an instant when no call is out.
    pub async fn advance_clock(&self, by: Duration) {
        let moved = async || self.store().advance_idle_clock(by).await.expect("a clock");
        self.until("no call to be out, to move the clock", moved).await;
    }

    /// Moves the fleet's clock while calls are out: their leases may be over at once.
    pub async fn advance_clock_during_calls(&self, by: Duration) {
        self.store().advance_clock(by).await.expect("the clock moved");
    }

    /// Waits until something holds, for 40 s at most.
    pub async fn until(&self, what: &str, condition: impl AsyncFn() -> bool) {
        self.until_within(PATIENCE, what, condition).await;
    }

    /// Waits until something holds.
    pub async fn until_within(
        &self,
        patience: Duration,
        what: &str,
        condition: impl AsyncFn() -> bool,
    ) {
        until(patience, what, condition).await;
    }

    /// Ends the processes; everything that is wrong with them.
    fn findings(&self) -> Vec<String> {
        let (allowed, private) = (lock(&self.allowed).clone(), lock(&self.private).clone());
        let mut found = Vec::new();
        for process in lock(&self.processes).iter_mut() {
            if let Some(status) = process.crash() {
                found.push(format!("{} ended by itself: {status}", process.name));
            }
            process.kill();
            found.extend(logs::findings(&process.name, &process.text(), &allowed, &private));
        }
        found
    }
}

impl Drop for TestFleet {
    #[expect(clippy::print_stderr, reason = "a failed test tells where its logs are")]
    fn drop(&mut self) {
        let found = self.findings();
        let failed = std::thread::panicking();
        if !failed && found.is_empty() {
            drop(std::fs::remove_dir_all(&self.folder));
            return;
        }
        eprintln!("logs of the fleet: {}", self.folder.display());
        if failed {
            eprintln!("{}", found.join("\n"));
        } else {
            panic!("the programs' logs:\n{}", found.join("\n"));
        }
    }
}
