//! How a test's fleet is set up.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fleet_domain::{PlanClass, TaskKind};
use fleet_simulator::{Latency, Simulator, SimulatorSettings};
use fleet_store::{DirectoryImport, ImportMode};
use secrecy::ExposeSecret;
use toml::{Table, Value};

use super::process::AUTHORITIES;
use super::{PROGRAMS, TcpProxy, TestFleet, directory};
use crate::TestDatabase;
use crate::broker::TestVhost;

/// Nobody else binds these ports by chance: the system's own choices begin above them.
const PORTS: std::ops::Range<u16> = 26_000..32_000;
/// One request of a test's own client.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

type Edit = Box<dyn FnOnce(&mut DirectoryImport)>;

/// A fleet to be set up.
#[expect(missing_debug_implementations, reason = "it holds closures")]
pub struct Builder {
    programs: Vec<String>,
    edits: Vec<Edit>,
    settings: Vec<(String, Value)>,
    latency: Latency,
    broker_proxy: bool,
    database_proxy: bool,
    own_vhost: bool,
    authority: Option<String>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            programs: PROGRAMS.map(str::to_owned).to_vec(),
            edits: Vec::new(),
            settings: Vec::new(),
            latency: Latency { min_ms: 0, max_ms: 20 },
            broker_proxy: false,
            database_proxy: false,
            own_vhost: true,
            authority: None,
        }
    }
}

impl Builder {
    /// Only these programs; one named twice is started twice.
    #[must_use]
    pub fn workers(mut self, programs: &[&str]) -> Self {
        self.programs = programs.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// How long the outside parties take for each call.
    #[must_use]
    pub const fn latency(mut self, min_ms: u64, max_ms: u64) -> Self {
        self.latency = Latency { min_ms, max_ms };
        self
    }

    /// Changes the sample directory before it is imported.
    #[must_use]
    pub fn directory(mut self, edit: impl FnOnce(&mut DirectoryImport) + 'static) -> Self {
        self.edits.push(Box::new(edit));
        self
    }

    /// Replaces a plan's waits, for everybody.
    #[must_use]
    pub fn plan(self, kind: TaskKind, class: PlanClass, delays_seconds: &[i64]) -> Self {
        let delays = delays_seconds.to_vec();
        self.directory(move |import| directory::plan(import, kind, class, delays))
    }

    /// Sets a key of every program's settings, such as `engine.window_tasks`.
    #[must_use]
    pub fn setting(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.settings.push((key.to_owned(), value.into()));
        self
    }

    /// The programs trust servers that this authority certifies (PEM), and no others.
    #[must_use]
    pub fn trusting(mut self, authority: &str) -> Self {
        self.authority = Some(authority.to_owned());
        self
    }

    /// Puts a proxy between the programs and the broker.
    #[must_use]
    pub const fn with_broker_proxy(mut self) -> Self {
        self.broker_proxy = true;
        self
    }

    /// Puts a proxy between the programs and Postgres.
    #[must_use]
    pub const fn with_database_proxy(mut self) -> Self {
        self.database_proxy = true;
        self
    }

    /// Takes the virtual host `fleet`, which the broker makes at each boot, in place of one for this
    /// test: only where the test has the broker to itself.
    #[must_use]
    pub const fn on_the_fleets_own_vhost(mut self) -> Self {
        self.own_vhost = false;
        self
    }

    /// Sets everything up, starts the programs and waits until all are ready.
    pub async fn start(self) -> TestFleet {
        rustls::crypto::ring::default_provider().install_default().ok();
        let (database, vhost) = tokio::join!(TestDatabase::create(), vhost(self.own_vhost));
        let database = database.unwrap_or_else(|error| panic!("no database: {error:#}"));
        let port = free_port();
        let gateway = format!("http://127.0.0.1:{port}");
        let simulator =
            SimulatorSettings { latency: self.latency, ..SimulatorSettings::for_tests(&gateway) };
        let simulator = Simulator::start(simulator).await.expect("the simulator");
        let mut import = directory::sample(simulator.url("").trim_end_matches('/'));
        self.edits.into_iter().for_each(|edit| edit(&mut import));
        let imported = database.store().import(&import, ImportMode::Apply).await;
        imported.unwrap_or_else(|error| panic!("the directory is refused: {error}"));
        let broker_proxy = proxy(self.broker_proxy, vhost.url().expose_secret(), 5672).await;
        let database_proxy = proxy(self.database_proxy, database.url().expose_secret(), 5432).await;
        let mut settings = settings(port);
        let url = through(database.url().expose_secret(), database_proxy.as_ref());
        set(&mut settings, "database.url", url.into());
        for (key, value) in self.settings {
            set(&mut settings, &key, value);
        }
        let http = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).no_proxy();
        let http = http.redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let folder = folder();
        if let Some(authority) = self.authority {
            std::fs::write(folder.join(AUTHORITIES), authority).expect("a file of authorities");
        }
        let fleet = TestFleet {
            processes: Mutex::default(),
            allowed: Mutex::default(),
            private: Mutex::default(),
            simulator,
            settings,
            folder,
            gateway,
            http,
            broker_proxy,
            database_proxy,
            vhost,
            database,
        };
        let started: Vec<usize> = self.programs.iter().map(|name| fleet.launch(name)).collect();
        for index in started {
            fleet.until_ready(index).await;
        }
        fleet
    }
}

impl TestFleet {
    /// The settings of every program, without those of its own.
    #[must_use]
    pub const fn settings(&self) -> &Table {
        &self.settings
    }

    /// Writes the settings of one process and names the file.
    pub(super) fn settings_file(&self, program: &str, instance: &str) -> PathBuf {
        let mut settings = self.settings.clone();
        let url = self.vhost.url_for(program, &format!("sample-{program}"));
        let url = url.expect("a url of the broker");
        let url = through(url.expose_secret(), self.broker_proxy.as_ref());
        set(&mut settings, "broker.url", url.into());
        let path = self.folder.join(format!("{instance}.toml"));
        let text = toml::to_string(&settings).expect("settings as text");
        write_whole(&path, &text);
        path
    }
}

/// Writes a file that is there as a whole or not at all: another program of the test may be reading
/// the one before it.
pub(super) fn write_whole(path: &Path, text: &str) {
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    let beside = path.with_extension(format!("{}.new", WRITTEN.fetch_add(1, Ordering::Relaxed)));
    std::fs::write(&beside, text).expect("a file of settings");
    std::fs::rename(&beside, path).expect("a file of settings in its place");
}

/// A virtual host with everything that `deploy/rabbitmq` defines.
async fn vhost(own: bool) -> TestVhost {
    if !own {
        return TestVhost::of_the_fleet().unwrap_or_else(|error| panic!("no broker: {error:#}"));
    }
    let path = directory::root().join("deploy/rabbitmq/definitions.json");
    let definitions = std::fs::read_to_string(path).expect("the broker's definitions");
    let vhost = TestVhost::create().await;
    let vhost = vhost.unwrap_or_else(|error| panic!("no virtual host: {error:#}"));
    let imported = vhost.import_definitions(&definitions).await;
    imported.unwrap_or_else(|error| panic!("definitions are refused: {error:#}"));
    vhost
}

fn settings(gateway_port: u16) -> Table {
    let mut settings = Table::new();
    let texts = [
        ("keys.lookup", "09".repeat(32)),
        ("keys.data.1", "07".repeat(32)),
        ("gateway.listen", format!("127.0.0.1:{gateway_port}")),
        ("admin.listen", "127.0.0.1:0".to_owned()),
        ("log.format", "json".to_owned()),
    ];
    for (key, text) in texts {
        set(&mut settings, key, text.into());
    }
    // Several tests share one server's connections.
    set(&mut settings, "database.pool_max", 5.into());
    set(&mut settings, "engine.clock_every_ms", 50.into());
    set(&mut settings, "outbound.allowed_networks", vec!["127.0.0.0/8"].into());
    settings
}

/// Sets a key such as `engine.window_tasks`.
pub(super) fn set(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => drop(table.insert(key.to_owned(), value)),
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            set(inner.as_table_mut().expect("a section"), rest, value);
        }
    }
}

pub(super) fn free_port() -> u16 {
    let candidates = (0..1_000).map(|_| rand::random_range(PORTS));
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    candidates.into_iter().find(free).expect("a free port")
}

fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("fleet-test-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).expect("a folder for logs");
    folder
}

async fn proxy(wanted: bool, url: &str, default_port: u16) -> Option<TcpProxy> {
    if !wanted {
        return None;
    }
    let url = reqwest::Url::parse(url).expect("the server's url");
    let host = url.host_str().unwrap_or("127.0.0.1");
    let server = format!("{host}:{}", url.port().unwrap_or(default_port));
    Some(TcpProxy::start(server).await.expect("a proxy"))
}

/// The same URL by way of a proxy.
fn through(url: &str, proxy: Option<&TcpProxy>) -> String {
    let Some(proxy) = proxy else { return url.to_owned() };
    let mut url = reqwest::Url::parse(url).expect("the server's url");
    url.set_host(Some("127.0.0.1")).expect("a url with a host");
    url.set_port(Some(proxy.address.port())).expect("a url with a port");
    url.into()
}
