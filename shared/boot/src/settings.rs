//! Settings: one default file with every key and its reason, then a file, then the environment.
//! Unknown keys are refused, and everything is checked before the first connection. A value by
//! itself is checked where it is read; here stands what else must hold.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use fleet_broker::BrokerSettings;
use fleet_contracts::Queue;
use fleet_domain::TaskKind;
use fleet_engine::EngineSettings;
use fleet_outbound::AddressPolicy;
use fleet_store::{Keyring, StoreSettings};
use fleet_telemetry::{LogFormat, LogSettings};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::sources::Sources;

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
    pub requests_per_client: usize,
    pub request_wait_ms: u64,
    pub group_max: usize,
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

/// What a program cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The database alone: the operators' command.
    Database,
    /// The database and the broker.
    Broker,
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
    pub fn load(file: Option<&Path>, needs: Needs) -> Result<Self, SettingsError> {
        let sources = Sources::read(file, std::env::vars_os());
        let settings: Self = sources.config()?.try_deserialize()?;
        let mut problems = sources.problems;
        problems.extend(settings.problems(needs));
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError::Invalid(problems)) }
    }

    /// What is wrong beyond a single value's kind.
    fn problems(&self, needs: Needs) -> Vec<String> {
        let mut problems = Vec::new();
        problems.extend(self.database_problem());
        if !self.broker.url.expose_secret().is_empty() {
            let checked = self.broker("fleet").check();
            problems.extend(checked.err().map(|error| format!("broker.url: {error}")));
        } else if needs == Needs::Broker {
            problems.push("broker.url is missing (or set FLEET__BROKER__URL)".to_owned());
        }
        let public = &self.gateway.public_url;
        let is_url = url::Url::parse(public)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !public.is_empty() && (!is_url || public.ends_with('/')) {
            problems.push(format!(
                "gateway.public_url must be an http or https URL without a slash at its end, \
                 not \"{public}\""
            ));
        }
        problems.extend(self.keyring().err());
        problems.extend(self.to_clients().err());
        problems
    }

    fn database_problem(&self) -> Option<String> {
        let url = self.database.url.expose_secret();
        if url.is_empty() {
            return Some("database.url is missing (or set FLEET__DATABASE__URL)".to_owned());
        }
        let wanted = "database.url must be postgres://user:password@host:port/name";
        match url.split_once("://") {
            Some(("postgres" | "postgresql", _)) => {
                let checked = fleet_store::check_database_url(&self.database.url);
                checked.err().map(|what| format!("{wanted}: {what}"))
            }
            // The scheme is no secret; what stands in its place without one may be.
            Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_lowercase()) => {
                Some(format!("{wanted}: it begins with {scheme}://"))
            }
            Some(_) | None => Some(wanted.to_owned()),
        }
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

    /// The limits of one kind's engine. Kinds that share a queue share its prefetch.
    pub(crate) fn engine(&self, kind: TaskKind) -> EngineSettings {
        let keys = &self.engine;
        let queue = Queue::of(kind);
        let sharers = TaskKind::ALL.into_iter().filter(|other| Queue::of(*other) == queue).count();
        let prefetch = usize::from(self.broker.prefetch);
        EngineSettings {
            window_tasks: keys.window_tasks,
            prefetch: prefetch.checked_div(sharers).unwrap_or(prefetch),
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
