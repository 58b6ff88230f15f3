//! Where settings come from: the defaults, a file, the environment. Each value is held against what
//! its key takes before it counts, so that everything that is wrong is told at once: by key, by
//! value unless it is a secret, and with what to do.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use config::{Config, ConfigError, FileFormat};
use toml::{Table, Value};

const DEFAULTS: &str = include_str!("../../../deploy/settings/default.toml");
const PREFIX: &str = "FLEET__";
/// Characters of a value that a message repeats.
const SHOWN_MAX: usize = 60;
/// Versions of the data's keys are a section that the defaults leave empty.
const DATA_KEYS: &str = "keys.data.";

/// Whole numbers and what they may be.
const RANGES: [(&str, i64, i64); 27] = [
    ("database.pool_max", 1, 100),
    ("database.acquire_timeout_ms", 100, 60_000),
    ("database.statement_timeout_ms", 100, 60_000),
    ("keys.current", 0, 65_535),
    ("broker.prefetch", 1, 2000),
    ("broker.requested_prefetch", 1, 2000),
    ("broker.confirm_timeout_ms", 100, 60_000),
    ("engine.window_tasks", 1, 100_000),
    ("engine.group_max", 1, 1000),
    ("engine.linger_ms", 0, 100),
    ("engine.groups_at_once", 1, 16),
    ("engine.clock_every_ms", 20, 60_000),
    ("engine.circuit_failures", 1, 1_000_000),
    ("engine.circuit_open_ms", 100, 30_000),
    ("outbound.deliver_deadline_ms", 100, 120_000),
    ("outbound.deliver_jitter_percent", 0, 5),
    ("gateway.answer_poll_ms", 1, 1000),
    ("gateway.connections_max", 1, 100_000),
    ("gateway.requests_max", 1, 100_000),
    ("gateway.requests_per_client", 1, 100_000),
    ("gateway.request_wait_ms", 10, 10_000),
    ("gateway.group_max", 1, 256),
    ("gateway.queries_per_second", 0, 1_000_000),
    ("gateway.transactions_kept_days", 1, 3650),
    ("gateway.validate_within_ms", 100, 60_000),
    ("gateway.validations_max", 1, 10_000),
    ("shutdown.grace_seconds", 1, 600),
];

/// Everything that was said, as far as it can be, and what cannot.
pub(crate) struct Sources {
    known: BTreeMap<String, Value>,
    said: Vec<(String, Value)>,
    /// Each names its key.
    pub(crate) problems: Vec<String>,
}

impl Sources {
    /// The defaults, then the file, then the environment.
    pub(crate) fn read(
        file: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Self {
        let mut known = Vec::new();
        flatten("", &DEFAULTS.parse().unwrap_or_default(), &mut known);
        let known = known.into_iter().collect();
        let mut sources = Self { known, said: Vec::new(), problems: Vec::new() };
        if let Some(file) = file {
            sources.file(file);
        }
        sources.environment(environment);
        sources
    }

    /// What the sources say together.
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        let defaults = config::File::from_str(DEFAULTS, FileFormat::Toml);
        let mut builder = Config::builder().add_source(defaults);
        for (key, value) in &self.said {
            builder = match value {
                Value::String(text) => builder.set_override(key, text.as_str())?,
                Value::Integer(number) => builder.set_override(key, *number)?,
                Value::Boolean(truth) => builder.set_override(key, *truth)?,
                Value::Array(list) => {
                    let texts = list.iter().filter_map(Value::as_str).map(str::to_owned);
                    builder.set_override(key, texts.collect::<Vec<_>>())?
                }
                Value::Float(_) | Value::Datetime(_) | Value::Table(_) => builder,
            };
        }
        builder.build()
    }

    fn file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.problems.push(format!("--settings {name} cannot be read: {error}"));
                return;
            }
        };
        let table: Table = match toml::from_str(&text) {
            Ok(table) => table,
            Err(error) => {
                // The error's whole text would quote the line, and a line may hold a secret.
                let before = error.span().and_then(|span| text.get(..span.start));
                let line = before.map_or(0, |before| before.matches('\n').count());
                let line = line.saturating_add(1);
                self.problems.push(format!("{name} line {line}: {}", error.message()));
                return;
            }
        };
        let mut said = Vec::new();
        flatten("", &table, &mut said);
        for (key, value) in said {
            self.take(key, value, &name);
        }
    }

    fn environment(&mut self, environment: impl Iterator<Item = (OsString, OsString)>) {
        let named = |(name, value): (OsString, OsString)| {
            let name = name.into_string().ok()?;
            name.starts_with(PREFIX).then_some((name, value))
        };
        let mut variables: Vec<_> = environment.filter_map(named).collect();
        variables.sort();
        for (name, value) in variables {
            let rest = name.strip_prefix(PREFIX).unwrap_or_default();
            let key = rest.replace("__", ".").to_ascii_lowercase();
            let Ok(text) = value.into_string() else {
                self.problems.push(format!("{name}: {key} must be a text in UTF-8"));
                continue;
            };
            let value = match self.known.get(&key) {
                Some(Value::Integer(_)) => {
                    text.trim().parse().map_or(Value::String(text), Value::Integer)
                }
                Some(Value::Boolean(_)) => text
                    .trim()
                    .to_ascii_lowercase()
                    .parse()
                    .map_or(Value::String(text), Value::Boolean),
                Some(Value::Array(_)) => {
                    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                    Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
                }
                Some(Value::String(_) | Value::Float(_) | Value::Datetime(_) | Value::Table(_))
                | None => Value::String(text),
            };
            self.take(key, value, &name);
        }
    }

    fn take(&mut self, key: String, value: Value, source: &str) {
        let wanted = match self.known.get(&key) {
            Some(default) => wanted(&key, default, &value),
            None if key.starts_with(DATA_KEYS) => {
                let wanted = "64 hex digits in quotes (openssl rand -hex 32)";
                (!value.is_str()).then(|| wanted.to_owned())
            }
            None => {
                let problem = format!("{key} is no setting ({source}): {}", self.instead_of(&key));
                self.problems.push(problem);
                return;
            }
        };
        let Some(wanted) = wanted else {
            self.said.push((key, value));
            return;
        };
        let not = if is_secret(&key) { String::new() } else { format!(", not {}", shown(&value)) };
        self.problems.push(format!("{key} must be {wanted}{not} ({source})"));
    }

    /// What may have been meant by a key that is none.
    fn instead_of(&self, key: &str) -> String {
        let section = format!("{key}.");
        if let Some(inner) = self.known.keys().find(|known| known.starts_with(&section)) {
            return format!("it is a section of keys such as {inner}");
        }
        let nearest = self.known.keys().min_by_key(|known| distance(known, key));
        nearest.map_or_else(String::new, |nearest| format!("did you mean {nearest}?"))
    }
}

/// Keys whose values no message repeats.
fn is_secret(key: &str) -> bool {
    matches!(key, "database.url" | "broker.url") || key.starts_with("keys.")
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// What a key takes, when that is not this value.
fn wanted(key: &str, default: &Value, value: &Value) -> Option<String> {
    if let Some((_, least, most)) = RANGES.iter().find(|(name, ..)| *name == key) {
        let fits = value.as_integer().is_some_and(|number| (*least..=*most).contains(&number));
        return (!fits).then(|| format!("{least} to {most}"));
    }
    let fits = match (key, value) {
        ("admin.listen" | "gateway.listen", value) => {
            let address = value.as_str().and_then(|text| text.parse::<SocketAddr>().ok());
            let wanted = format!("an address with a port, such as {default}");
            return address.is_none().then_some(wanted);
        }
        ("log.format", value) => {
            let fits = matches!(value.as_str(), Some("json" | "text"));
            return (!fits).then(|| "\"json\" or \"text\"".to_owned());
        }
        ("log.filter", value) => {
            let problem = match value.as_str() {
                Some(text) => fleet_telemetry::check_filter(text).err()?,
                None => "a text".to_owned(),
            };
            return Some(format!(
                "levels such as \"info\" or \"info,fleet_engine=debug\" ({problem})"
            ));
        }
        (_, Value::Array(list)) => default.is_array() && list.iter().all(Value::is_str),
        (_, value) => value.same_type(default),
    };
    let kind = match default {
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list of texts",
        Value::Integer(_) => "a whole number",
        Value::String(_) | Value::Float(_) | Value::Datetime(_) | Value::Table(_) => {
            "a text in quotes"
        }
    };
    (!fits).then(|| kind.to_owned())
}

/// Every value by its whole key.
fn flatten(path: &str, table: &Table, into: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if let Value::Table(inner) = value {
            flatten(&key, inner, into);
        } else {
            into.push((key, value.clone()));
        }
    }
}

/// How many letters two words differ by.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, sign) in one.chars().enumerate() {
        let mut next = vec![index.saturating_add(1)];
        for ((before, above), known) in row.iter().zip(row.iter().skip(1)).zip(&other) {
            let changed = before.saturating_add(usize::from(*known != sign));
            let left = next.last().copied().unwrap_or_default();
            next.push(changed.min(above.saturating_add(1)).min(left.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Sources {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Sources::read(None, variables)
    }

    #[test]
    fn every_whole_number_of_the_defaults_has_its_range() {
        let sources = read(&[]);
        for (key, value) in sources.known.iter().filter(|(_, value)| value.is_integer()) {
            assert!(RANGES.iter().any(|(name, ..)| name == key), "{key}");
            assert_eq!(wanted(key, value, value), None, "{key}: its own default is refused");
        }
    }

    #[test]
    fn the_environment_is_read_by_the_kinds_of_its_keys() {
        let sources = read(&[
            ("FLEET__ENGINE__GROUP_MAX", "7"),
            ("FLEET__BROKER__INSECURE", "True"),
            ("FLEET__OUTBOUND__ALLOWED_NETWORKS", "10.0.0.0/8, 127.0.0.0/8"),
            ("FLEET__KEYS__DATA__2", "00"),
            ("FLEET_CRASHPOINT", "claim"),
            ("PATH", "/bin"),
        ]);
        assert_eq!(sources.problems, Vec::<String>::new());
        let config = sources.config().unwrap();
        assert_eq!(config.get_int("engine.group_max").unwrap(), 7);
        assert!(config.get_bool("broker.insecure").unwrap());
        assert_eq!(config.get_array("outbound.allowed_networks").unwrap().len(), 2);
        assert_eq!(config.get_string("keys.data.2").unwrap(), "00");
    }

    #[test]
    fn a_key_that_is_none_is_answered_with_the_nearest() {
        let sources = read(&[
            ("FLEET__ENGINE__WINDOW_TASK", "7"),
            ("FLEET__DATABASE__ULR", "postgres://user:topsecret@host/db"),
            ("FLEET__ENGINE", "7"),
        ]);
        for told in [
            "engine is no setting (FLEET__ENGINE): it is a section of keys such as engine.",
            "database.ulr is no setting (FLEET__DATABASE__ULR): did you mean database.url?",
            "engine.window_task is no setting (FLEET__ENGINE__WINDOW_TASK): did you mean \
             engine.window_tasks?",
        ] {
            let is_told = sources.problems.iter().any(|problem| problem.starts_with(told));
            assert!(is_told, "{told}: {:?}", sources.problems);
        }
        assert_eq!(sources.problems.len(), 3, "and no value: {:?}", sources.problems);
    }

    #[test]
    fn no_problem_repeats_a_secret() {
        let sources =
            read(&[("FLEET__KEYS__CURRENT", "topsecret"), ("FLEET__ENGINE__GROUP_MAX", "many")]);
        assert_eq!(
            sources.problems,
            [
                "engine.group_max must be 1 to 1000, not \"many\" (FLEET__ENGINE__GROUP_MAX)",
                "keys.current must be 0 to 65535 (FLEET__KEYS__CURRENT)",
            ]
        );
    }
}
