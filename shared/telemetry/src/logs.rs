//! Log lines: one event, one line, one write.

use std::io::{self, Write};
use std::sync::Arc;

use serde::Deserialize;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::lines::{Lines, tell_panics};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object per line, for machines.
    Json,
    /// Plain text, for a person at a terminal.
    Text,
}

/// What to log, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// How lines look.
    pub format: LogFormat,
    /// Directives such as `info,lapin=warn`.
    pub filter: String,
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The directives of the log filter are unreadable.
    #[error("log filter is invalid")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The service's name would break a log line.
    #[error("service name has other characters than letters, digits, '-' and '_'")]
    Service,
    /// A crash point was asked for that this build does not have.
    #[error("{0}")]
    CrashPoint(String),
}

/// Sends this process's log events to standard error. The first call in a process wins; a later
/// one only checks its settings.
///
/// # Errors
/// When the filter or the service's name is unusable, or a test names no crash point.
pub fn init(service: &str, log: &LogSettings) -> Result<(), TelemetryError> {
    crate::crash::arm()?;
    let lines = Lines::of_process();
    let subscriber = subscriber(service, log, move || lines.clone())?;
    if subscriber.try_init().is_err() {
        tracing::debug!("logging was set up before");
        return Ok(());
    }
    tell_panics();
    Ok(())
}

fn subscriber<W: Write + 'static>(
    service: &str,
    log: &LogSettings,
    open: impl Fn() -> W + Send + Sync + 'static,
) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError> {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || sign == '-' || sign == '_';
    if service.is_empty() || !service.chars().all(plain) {
        return Err(TelemetryError::Service);
    }
    let filter = filter(&log.filter)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    Ok(match log.format {
        LogFormat::Json => {
            let writer = Named { head: format!("{{\"service\":\"{service}\",").into(), open };
            Box::new(
                builder
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    // The list repeats the fields of the current span.
                    .with_span_list(false)
                    .with_writer(writer)
                    .finish(),
            )
        }
        LogFormat::Text => Box::new(builder.with_writer(open).finish()),
    })
}

/// Whether a filter is one that [`init`] takes and that somebody can have meant: a word that is
/// neither a level nor a target of ours would silence everything else without a word.
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(directives: &str) -> Result<(), String> {
    for word in directives.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let is_target =
            word.contains(['=', '[']) || word.contains("::") || word.starts_with("fleet");
        if !is_target && word.parse::<tracing_subscriber::filter::LevelFilter>().is_err() {
            let levels = "off, error, warn, info, debug, trace";
            return Err(format!("{word} is no level: there are {levels}"));
        }
    }
    filter(directives).map(drop).map_err(|error| match error {
        TelemetryError::Filter(error) => error.to_string(),
        other @ (TelemetryError::Service | TelemetryError::CrashPoint(_)) => other.to_string(),
    })
}

/// The targets of the broker's client that print whole messages, and with them personal data. No
/// filter turns them on.
const NEVER: [&str; 3] = ["lapin::returned_messages", "lapin::frames", "lapin::channels"];

fn filter(directives: &str) -> Result<EnvFilter, TelemetryError> {
    let mut filter = EnvFilter::builder().parse(directives)?;
    // The client tells every closed channel as an error, refused declarations too; whoever owns the
    // session tells what matters.
    if !directives.contains("lapin") {
        filter = filter.add_directive("lapin=off".parse()?);
    }
    // It names nobody; the journal has each refused connection, with its purchase and its party.
    if !directives.contains("rustls_platform_verifier") {
        filter = filter.add_directive("rustls_platform_verifier=off".parse()?);
    }
    for target in NEVER {
        filter = filter.add_directive(format!("{target}=off").parse()?);
    }
    Ok(filter)
}

/// Opens writers that put the service's name into each JSON line.
struct Named<O> {
    head: Arc<str>,
    open: O,
}

impl<'a, W: Write, O: Fn() -> W> MakeWriter<'a> for Named<O> {
    type Writer = NamedLine<W>;

    fn make_writer(&'a self) -> Self::Writer {
        NamedLine { head: Arc::clone(&self.head), inner: (self.open)() }
    }
}

struct NamedLine<W> {
    head: Arc<str>,
    inner: W,
}

impl<W: Write> Write for NamedLine<W> {
    /// A formatter hands over a whole line; it leaves in one write, so that lines of several
    /// threads do not mix.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match line.strip_prefix(b"{") {
            Some(rest) => self.inner.write_all(&[self.head.as_bytes(), rest].concat())?,
            None => self.inner.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn settings(format: LogFormat, filter: &str) -> LogSettings {
        LogSettings { format, filter: filter.to_owned() }
    }

    fn logged(format: LogFormat) -> String {
        logged_with(format, "info")
    }

    fn logged_with(format: LogFormat, filter: &str) -> String {
        let page = Page::default();
        let open = {
            let page = page.clone();
            move || page.clone()
        };
        let subscriber = subscriber("gateway", &settings(format, filter), open).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("task", task.kind = "reserve");
            span.in_scope(|| tracing::warn!(wait_seconds = 3, "line\nbroken"));
            tracing::debug!("filtered out");
            tracing::error!(target: "lapin::returned_messages", message = "a body");
            tracing::error!(target: "lapin::frames", message = "a body");
            tracing::error!(target: "lapin::channels", message = "a body");
        });
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_is_flat_and_names_the_service_and_its_span_once() {
        let text = logged(LogFormat::Json);
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["service"], "gateway");
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "line\nbroken");
        assert_eq!(line["wait_seconds"], 3);
        assert_eq!(line["span"]["task.kind"], "reserve");
        assert!(line.get("spans").is_none(), "{text}");
    }

    #[test]
    fn a_text_line_holds_the_message_and_no_terminal_codes() {
        let text = logged(LogFormat::Text);
        assert!(text.contains("wait_seconds=3"), "{text}");
        assert!(!text.contains("filtered out") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn no_filter_makes_the_brokers_client_print_messages() {
        for filter in ["trace", "info,lapin=trace", "lapin::returned_messages=trace,info"] {
            let text = logged_with(LogFormat::Json, filter);
            assert!(text.contains("wait_seconds"), "{filter}: {text}");
            assert!(!text.contains("a body"), "{filter}: {text}");
        }
    }

    #[test]
    fn a_second_start_in_one_process_is_harmless() {
        init("gateway", &settings(LogFormat::Json, "warn")).unwrap();
        init("gateway", &settings(LogFormat::Text, "info")).unwrap();
    }

    #[test]
    fn unusable_settings_are_refused() {
        let bad_filter = init("gateway", &settings(LogFormat::Json, "fleet=shout"));
        assert!(matches!(bad_filter, Err(TelemetryError::Filter(_))));
        let bad_name = init("gate\"way", &settings(LogFormat::Json, "info"));
        assert!(matches!(bad_name, Err(TelemetryError::Service)));
    }

    #[test]
    fn settings_are_read_in_snake_case_and_unknown_keys_are_refused() {
        let read = serde_json::from_str::<LogSettings>(r#"{"format":"json","filter":"info"}"#);
        assert_eq!(read.unwrap(), settings(LogFormat::Json, "info"));
        let unknown = r#"{"format":"text","filter":"info","colour":true}"#;
        assert!(serde_json::from_str::<LogSettings>(unknown).is_err());
    }
}
