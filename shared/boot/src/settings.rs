//! Settings: one default file with every key and its reason, then a file, then the environment.
//! Unknown keys are refused, and everything is checked before the first connection.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use fleet_broker::BrokerSettings;
use fleet_engine::EngineSettings;
use fleet_outbound::AddressPolicy;
use fleet_store::{Keyring, StoreSettings};
use fleet_telemetry::{LogFormat, LogSettings};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

const DEFAULTS: &str = include_str!("../../../deploy/settings/default.toml");

/// All settings. Durations are in the unit that the key's name ends with.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "every key is explained in deploy/settings/default.toml")]
pub struct Settings {
    pub database: DatabaseKeys,
    pub keys: SealKeys,
    pub broker: BrokerKeys,
    pub engine: EngineKeys,
    pub outbound: OutboundKeys,
    pub gateway: GatewayKeys,
    pub admin: AdminKeys,
    pub log: LogKeys,
    pub shutdown: ShutdownKeys,
}

/// `[database]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseKeys {
    pub url: SecretString,
    pub pool_max: u32,
    pub acquire_timeout_ms: u64,
    pub statement_timeout_ms: u64,
}

/// `[keys]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealKeys {
    pub current: u16,
    pub lookup: SecretString,
    #[serde(default)]
    pub data: BTreeMap<String, SecretString>,
}

/// `[broker]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerKeys {
    pub url: SecretString,
    pub prefetch: u16,
    pub requested_prefetch: u16,
    pub confirm_timeout_ms: u64,
    pub insecure: bool,
}

/// `[engine]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineKeys {
    pub window_tasks: usize,
    pub group_max: usize,
    pub linger_ms: u64,
    pub groups_at_once: usize,
    pub clock_every_ms: u64,
    pub circuit_failures: u32,
    pub circuit_open_ms: u64,
}

/// `[outbound]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboundKeys {
    pub deliver_deadline_ms: u64,
    pub deliver_jitter_percent: u32,
    pub allowed_networks: Vec<String>,
}

/// `[gateway]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayKeys {
    pub listen: SocketAddr,
    pub answer_poll_ms: u64,
    pub connections_max: usize,
    pub public_url: String,
    pub requests_max: usize,
    pub queries_per_second: u32,
    pub transactions_kept_days: u32,
    pub validate_within_ms: u64,
    pub validations_max: usize,
}

/// `[admin]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminKeys {
    pub listen: SocketAddr,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogKeys {
    pub format: LogFormat,
    pub filter: String,
}

/// `[shutdown]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShutdownKeys {
    pub grace_seconds: u64,
}

/// Why the settings are refused; each line names its key.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file or a variable cannot be read as what it should be.
    #[error("settings: {0}")]
    Unreadable(#[from] config::ConfigError),
    /// Values that cannot be.
    #[error("settings:\n  {}", .0.join("\n  "))]
    Invalid(Vec<String>),
}

impl Settings {
    /// Reads defaults, then the file, then the environment (`FLEET__DATABASE__URL`).
    ///
    /// # Errors
    /// [`SettingsError`] that names every key at fault.
    pub fn load(file: Option<&Path>) -> Result<Self, SettingsError> {
        let environment = config::Environment::with_prefix("FLEET")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key("outbound.allowed_networks");
        let mut builder = config::Config::builder()
            .add_source(config::File::from_str(DEFAULTS, config::FileFormat::Toml));
        if let Some(file) = file {
            builder = builder.add_source(config::File::from(file).format(config::FileFormat::Toml));
        }
        let settings: Self = builder.add_source(environment).build()?.try_deserialize()?;
        let problems = settings.problems();
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError::Invalid(problems)) }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut range = |key: &str, value: u64, min: u64, max: u64| {
            if !(min..=max).contains(&value) {
                problems.push(format!("{key} must be {min} to {max}, not {value}"));
            }
        };
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        range("database.pool_max", self.database.pool_max.into(), 1, 100);
        range("database.acquire_timeout_ms", self.database.acquire_timeout_ms, 100, 60_000);
        range("database.statement_timeout_ms", self.database.statement_timeout_ms, 100, 60_000);
        range("broker.prefetch", self.broker.prefetch.into(), 1, 2000);
        range("broker.requested_prefetch", self.broker.requested_prefetch.into(), 1, 2000);
        range("broker.confirm_timeout_ms", self.broker.confirm_timeout_ms, 100, 60_000);
        range("engine.window_tasks", wide(self.engine.window_tasks), 1, 100_000);
        range("engine.group_max", wide(self.engine.group_max), 1, 1000);
        range("engine.linger_ms", self.engine.linger_ms, 0, 100);
        range("engine.groups_at_once", wide(self.engine.groups_at_once), 1, 16);
        range("engine.clock_every_ms", self.engine.clock_every_ms, 20, 60_000);
        range("engine.circuit_failures", self.engine.circuit_failures.into(), 1, 1_000_000);
        range("engine.circuit_open_ms", self.engine.circuit_open_ms, 100, 30_000);
        range("outbound.deliver_deadline_ms", self.outbound.deliver_deadline_ms, 100, 120_000);
        let jitter = self.outbound.deliver_jitter_percent;
        range("outbound.deliver_jitter_percent", jitter.into(), 0, 5);
        range("gateway.answer_poll_ms", self.gateway.answer_poll_ms, 1, 1000);
        range("gateway.connections_max", wide(self.gateway.connections_max), 1, 100_000);
        range("gateway.requests_max", wide(self.gateway.requests_max), 1, 100_000);
        let queries = self.gateway.queries_per_second;
        range("gateway.queries_per_second", queries.into(), 0, 1_000_000);
        let kept = self.gateway.transactions_kept_days;
        range("gateway.transactions_kept_days", kept.into(), 1, 3650);
        range("gateway.validate_within_ms", self.gateway.validate_within_ms, 100, 60_000);
        range("gateway.validations_max", wide(self.gateway.validations_max), 1, 10_000);
        range("shutdown.grace_seconds", self.shutdown.grace_seconds, 1, 600);
        if self.database.url.expose_secret().is_empty() {
            problems.push("database.url is missing (or set FLEET__DATABASE__URL)".to_owned());
        }
        let public = &self.gateway.public_url;
        let is_url = url::Url::parse(public)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !public.is_empty() && (!is_url || public.ends_with('/')) {
            let problem =
                "gateway.public_url must be an http or https URL without a slash at its end";
            problems.push(problem.to_owned());
        }
        problems.extend(self.keyring().err());
        problems.extend(self.to_clients().err());
        problems
    }

    /// The keys of personal data.
    ///
    /// # Errors
    /// A text that names the key at fault and never holds it.
    pub fn keyring(&self) -> Result<Keyring, String> {
        let mut keys = BTreeMap::new();
        for (version, text) in &self.keys.data {
            let number = version
                .parse::<u16>()
                .map_err(|_error| format!("keys.data.{version}: the version must be a number"))?;
            keys.insert(number, key(&format!("keys.data.{version}"), text)?);
        }
        let lookup = key("keys.lookup", &self.keys.lookup)?;
        let current = self.keys.current;
        Keyring::new(current, &keys, lookup)
            .ok_or_else(|| format!("keys.current is {current}, but keys.data.{current} is missing"))
    }

    /// Where clients' listeners may be.
    ///
    /// # Errors
    /// A text that names the network at fault.
    pub fn to_clients(&self) -> Result<AddressPolicy, String> {
        let networks = &self.outbound.allowed_networks;
        if networks.is_empty() {
            return Ok(AddressPolicy::public_only());
        }
        let parse = |text: &String| {
            text.parse().map_err(|_error| {
                format!("outbound.allowed_networks: {text} is not a network such as 10.0.0.0/8")
            })
        };
        networks.iter().map(parse).collect::<Result<_, _>>().map(AddressPolicy::public_and)
    }

    /// The store of a program that needs nothing else.
    ///
    /// # Errors
    /// A text that names the setting at fault.
    pub fn open_store(&self, service: &str) -> anyhow::Result<fleet_store::Store> {
        let keyring = self.keyring().map_err(anyhow::Error::msg)?;
        Ok(fleet_store::Store::open(&self.store(service), keyring)?)
    }

    fn store(&self, service: &str) -> StoreSettings {
        StoreSettings {
            url: self.database.url.clone(),
            pool_max: self.database.pool_max,
            acquire_timeout: Duration::from_millis(self.database.acquire_timeout_ms),
            statement_timeout: Duration::from_millis(self.database.statement_timeout_ms),
            application_name: format!("fleet-{service}"),
        }
    }

    pub(crate) fn broker(&self, service: &str) -> BrokerSettings {
        BrokerSettings {
            url: self.broker.url.clone(),
            service: service.to_owned(),
            confirm_timeout: Duration::from_millis(self.broker.confirm_timeout_ms),
            grace: self.grace(),
            insecure: self.broker.insecure,
        }
    }

    pub(crate) fn engine(&self) -> EngineSettings {
        let keys = &self.engine;
        EngineSettings {
            window_tasks: keys.window_tasks,
            group_max: keys.group_max,
            linger: Duration::from_millis(keys.linger_ms),
            groups_at_once: keys.groups_at_once,
            clock_every: Duration::from_millis(keys.clock_every_ms),
            circuit_failures: keys.circuit_failures,
            circuit_open: Duration::from_millis(keys.circuit_open_ms),
            grace: self.grace(),
            seed: RandomState::new().build_hasher().finish(),
            ..EngineSettings::default()
        }
    }

    pub(crate) fn log(&self) -> LogSettings {
        LogSettings { format: self.log.format, filter: self.log.filter.clone() }
    }

    pub(crate) const fn grace(&self) -> Duration {
        Duration::from_secs(self.shutdown.grace_seconds)
    }
}

fn key(name: &str, text: &SecretString) -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.expose_secret(), &mut bytes)
        .map_err(|_error| format!("{name} must be 64 hex digits (openssl rand -hex 32)"))?;
    Ok(bytes)
}
