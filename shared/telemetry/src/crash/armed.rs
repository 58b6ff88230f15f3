//! The points of a build that has them.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};

use crate::TelemetryError;

const VARIABLE: &str = "FLEET_CRASHPOINT";

/// Of each kind of task: the engine's steps, in their order.
const ENGINE: &[&str] = &[
    "claim.before",
    "claim.after",
    "ack.before",
    "call.before",
    "call.answered",
    "commit.before",
    "commit.after",
    "publish.after",
    "clock.after",
    "clock.handed",
];

/// Every scope with its points; the name says what has just happened, or what comes next.
const POINTS: &[(&str, &[&str])] = &[
    ("validate", ENGINE),
    ("reserve", ENGINE),
    ("dispense", ENGINE),
    ("settle", ENGINE),
    ("refund", ENGINE),
    ("deliver", ENGINE),
    ("notify", ENGINE),
    ("report", ENGINE),
    ("broker", &["publish.sent", "ack.sent"]),
    ("requested", &["insert.before", "insert.after", "ack.before"]),
    ("gateway", &["insert.before", "insert.after", "answer.before", "answer.middle"]),
    ("callback", &["fact.before", "fact.after", "answer.before"]),
    ("letter", &["published", "stored"]),
    ("replay", &["decide.before", "decide.after"]),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Kill,
    Panic,
    Terminate,
}

#[derive(Debug)]
struct Armed {
    scope: String,
    point: String,
    at: u64,
    end: End,
    hits: AtomicU64,
}

static ARMED: OnceLock<Armed> = OnceLock::new();

/// Arms what the environment names; a program that calls `init` has done so.
///
/// # Errors
/// When the environment names no crash point.
#[expect(clippy::disallowed_methods, reason = "a test's word, no setting of the program")]
pub fn arm() -> Result<(), TelemetryError> {
    let Ok(text) = std::env::var(VARIABLE) else { return Ok(()) };
    let armed = parse(&text)
        .map_err(|problem| TelemetryError::CrashPoint(format!("{VARIABLE}={text}: {problem}")))?;
    ARMED.get_or_init(|| armed);
    Ok(())
}

/// Ends the process, or this task, when this is the armed point and its count is reached.
pub fn crash_point(scope: &str, point: &str) {
    if let Some(armed) = ARMED.get()
        && armed.is_hit(scope, point)
    {
        armed.end();
    }
}

/// Whether this point is the armed one.
#[must_use]
pub fn is_armed(scope: &str, point: &str) -> bool {
    ARMED.get().is_some_and(|armed| armed.is(scope, point))
}

fn parse(text: &str) -> Result<Armed, &'static str> {
    let (scope, rest) = text.split_once('/').ok_or("no scope/point:count")?;
    let mut parts = rest.split(':');
    let point = parts.next().unwrap_or_default();
    let known = POINTS.iter().any(|(known, points)| *known == scope && points.contains(&point));
    if !known {
        return Err("there is no such point");
    }
    let at = parts.next().and_then(|count| count.parse().ok()).filter(|count| *count > 0);
    let at = at.ok_or("the count must be 1 or more")?;
    let end = match parts.next() {
        None => End::Kill,
        Some("panic") => End::Panic,
        Some("term") => End::Terminate,
        Some(_) => return Err("it ends by nothing, panic or term"),
    };
    if parts.next().is_some() {
        return Err("there is more than scope/point:count:end");
    }
    let (scope, point) = (scope.to_owned(), point.to_owned());
    Ok(Armed { scope, point, at, end, hits: AtomicU64::new(0) })
}

impl Armed {
    fn is(&self, scope: &str, point: &str) -> bool {
        self.scope == scope && self.point == point
    }

    fn is_hit(&self, scope: &str, point: &str) -> bool {
        self.is(scope, point)
            && self.hits.fetch_add(1, Ordering::Relaxed).checked_add(1) == Some(self.at)
    }

    #[expect(clippy::panic, reason = "that is what was asked for")]
    fn end(&self) {
        let Self { scope, point, .. } = self;
        match self.end {
            End::Kill => {
                // At once: while it waited for the log's thread, other threads would go on.
                let line = b"{\"level\":\"INFO\",\"message\":\"crash point reached\"}\n";
                std::io::stderr().write_all(line).ok();
                kill_process(getpid(), Signal::KILL).ok();
                // Not reached; should the signal fail, its test sees another end.
                std::process::abort();
            }
            End::Terminate => {
                tracing::info!(scope, point, "crash point reached");
                kill_process(getpid(), Signal::TERM).ok();
            }
            End::Panic => panic!("crash point {scope}/{point}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_hit_at_its_count_and_at_no_other_time() {
        let armed = parse("reserve/claim.after:2:panic").unwrap();
        assert_eq!(armed.end, End::Panic);
        assert!(armed.is("reserve", "claim.after") && !armed.is("settle", "claim.after"));
        let hits = [("settle", false), ("reserve", false), ("reserve", true), ("reserve", false)];
        for (scope, hit) in hits {
            assert_eq!(armed.is_hit(scope, "claim.after"), hit, "{scope}");
        }
    }

    #[test]
    fn what_names_no_point_is_refused() {
        assert_eq!(parse("broker/ack.sent:1").map(|armed| armed.end), Ok(End::Kill));
        for (text, problem) in [
            ("", "no scope/point:count"),
            ("claim.after:1", "no scope/point:count"),
            ("reserve/nothing:1", "there is no such point"),
            ("nobody/claim.after:1", "there is no such point"),
            ("reserve/claim.after", "the count must be 1 or more"),
            ("reserve/claim.after:0", "the count must be 1 or more"),
            ("reserve/claim.after:x", "the count must be 1 or more"),
            ("reserve/claim.after:1:gently", "it ends by nothing, panic or term"),
            ("reserve/claim.after:1:term:x", "there is more than scope/point:count:end"),
        ] {
            assert_eq!(parse(text).err(), Some(problem), "{text}");
        }
    }
}
