//! What an operator sees of a running service: log lines on standard error, and numbers as
//! Prometheus text.
//!
//! [`init`] is called once by `main`. [`metrics`] works at any time, also in tests that never
//! call `init`, and its methods only add to counters in memory: they neither wait nor fail.
//! Labels are fixed words, connector names or client numbers: never a purchase, a person or
//! anything else that grows without limit.

mod crash;
mod lines;
mod logs;
mod metrics;

pub use crash::{HAS_CRASH_POINTS, arm, crash_point, is_armed};
pub use lines::{flush_logs, last_word};
pub use logs::{LogFormat, LogSettings, TelemetryError, check_filter, init};
pub use metrics::{METRIC_NAMES, Metrics, metrics, render};
