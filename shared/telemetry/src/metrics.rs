//! The numbers of a service: one struct of instruments, one list of names.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, MeterProvider, ObservableCounter};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder};

/// Every metric as Prometheus shows it, in alphabetical order. Dashboards and alerts may use
/// these and no others.
pub const METRIC_NAMES: [&str; 25] = [
    "fleet_backlog_tasks",
    "fleet_broker_up",
    "fleet_claim_verdicts_total",
    "fleet_clock_tasks_total",
    "fleet_commit_verdicts_total",
    "fleet_exchange_seconds",
    "fleet_facts_unmatched",
    "fleet_group_tasks",
    "fleet_holds",
    "fleet_http_request_seconds",
    "fleet_in_flight_tasks",
    "fleet_intake_total",
    "fleet_invariant_violations",
    "fleet_lane_hindered",
    "fleet_log_lines_dropped_total",
    "fleet_money_minor",
    "fleet_oldest_due_seconds",
    "fleet_parked_tasks",
    "fleet_published_hints_total",
    "fleet_requested_total",
    "fleet_shed_total",
    "fleet_store_round_trip_seconds",
    "fleet_unclaimed_tasks",
    "fleet_unfinished_seconds",
    "fleet_unknown_fields_total",
];

/// Bounds for waits on the store and for requests that we answer, in seconds.
const SHORT_WAITS: [f64; 12] =
    [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Bounds for waits on banks, suppliers and clients, in seconds.
const LONG_WAITS: [f64; 13] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0];
/// Bounds for the number of tasks that share one round trip.
const GROUP_SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// What the two ages count.
const OLDEST_DUE: &str = "How late the oldest task is that nobody has taken up: queued, waiting past \
                          its time, or claimed by a process that is gone";
const UNFINISHED: &str = "How long ago the oldest unfinished task that moves money or goods was made, \
                          from half a minute on: waits_for success is tried until it succeeds, \
                          confirmation and buyer have planned waits";

/// The instruments of this process.
#[derive(Debug)]
pub struct Metrics {
    store_round_trip: Histogram<f64>,
    exchange: Histogram<f64>,
    http_request: Histogram<f64>,
    group: Histogram<u64>,
    claim_verdicts: Counter<u64>,
    commit_verdicts: Counter<u64>,
    published_hints: Counter<u64>,
    clock_tasks: Counter<u64>,
    requested: Counter<u64>,
    shed: Counter<u64>,
    unknown_fields: Counter<u64>,
    intake: Counter<u64>,
    broker_up: Gauge<u64>,
    in_flight_tasks: Gauge<u64>,
    unclaimed_tasks: Gauge<u64>,
    backlog_tasks: Gauge<u64>,
    oldest_due: Gauge<u64>,
    unfinished: Gauge<u64>,
    parked_tasks: Gauge<u64>,
    holds: Gauge<u64>,
    violations: Gauge<u64>,
    money: Gauge<u64>,
    unmatched_facts: Gauge<u64>,
    lane_hindered: Gauge<u64>,
    _log_lines_dropped: ObservableCounter<u64>,
}

struct Instruments {
    registry: Registry,
    metrics: Metrics,
    // A provider that is dropped stops collecting.
    _provider: SdkMeterProvider,
}

static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();

/// This process's instruments.
pub fn metrics() -> &'static Metrics {
    &instruments().metrics
}

/// Everything recorded so far, as Prometheus text.
#[must_use]
pub fn render() -> String {
    let families = instruments().registry.gather();
    TextEncoder::new().encode_to_string(&families).unwrap_or_else(|error| {
        tracing::error!(error = %error, "metrics cannot be written as text");
        String::new()
    })
}

fn instruments() -> &'static Instruments {
    INSTRUMENTS.get_or_init(|| {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .without_target_info()
            .build();
        let provider = match exporter {
            Ok(exporter) => SdkMeterProvider::builder().with_reader(exporter).build(),
            Err(error) => {
                // Purchases go on without numbers.
                tracing::error!(error = %error, "metrics cannot be exported");
                SdkMeterProvider::builder().build()
            }
        };
        let metrics = Metrics::new(&provider.meter("fleet"));
        Instruments { registry, metrics, _provider: provider }
    })
}

impl Metrics {
    fn new(meter: &Meter) -> Self {
        let seconds = |name: &'static str, help: &'static str, bounds: &[f64]| {
            let builder = meter.f64_histogram(name).with_unit("s").with_description(help);
            builder.with_boundaries(bounds.to_vec()).build()
        };
        let counter = |name: &'static str, help: &'static str| {
            meter.u64_counter(name).with_description(help).build()
        };
        let gauge = |name: &'static str, help: &'static str| {
            meter.u64_gauge(name).with_description(help).build()
        };
        let age = |name: &'static str, help: &'static str| {
            meter.u64_gauge(name).with_unit("s").with_description(help).build()
        };
        Self {
            store_round_trip: seconds(
                "fleet.store.round_trip",
                "Time of one round trip to the database",
                &SHORT_WAITS,
            ),
            exchange: seconds(
                "fleet.exchange",
                "Time of one exchange with a connector or a client",
                &LONG_WAITS,
            ),
            http_request: seconds(
                "fleet.http.request",
                "Time to answer a request made to this service",
                &SHORT_WAITS,
            ),
            group: meter
                .u64_histogram("fleet.group.tasks")
                .with_description("Tasks that shared one round trip")
                .with_boundaries(GROUP_SIZES.to_vec())
                .build(),
            claim_verdicts: counter("fleet.claim.verdicts", "Answers to claims of a task"),
            commit_verdicts: counter("fleet.commit.verdicts", "Answers to commits of a task"),
            published_hints: counter("fleet.published.hints", "Hints handed to the broker"),
            clock_tasks: counter("fleet.clock.tasks", "Tasks that the clock took up"),
            requested: counter("fleet.requested", "Purchases asked for through the broker"),
            shed: counter("fleet.shed", "Requests that found no place and were told to come again"),
            unknown_fields: counter(
                "fleet.unknown_fields",
                "Fields in requests that no version of ours knows",
            ),
            intake: counter("fleet.intake", "Purchases asked for, by way in"),
            broker_up: gauge("fleet.broker.up", "Whether a connection to the broker is open"),
            in_flight_tasks: gauge("fleet.in_flight.tasks", "Tasks that this process works on"),
            unclaimed_tasks: gauge("fleet.unclaimed.tasks", "Hints held here and not yet claimed"),
            backlog_tasks: gauge("fleet.backlog.tasks", "Open tasks of the whole fleet"),
            oldest_due: age("fleet.oldest_due", OLDEST_DUE),
            unfinished: age("fleet.unfinished", UNFINISHED),
            parked_tasks: gauge("fleet.parked.tasks", "Tasks that wait for a person"),
            holds: gauge("fleet.holds", "Unsettled holds past half of their time, or run out"),
            violations: gauge(
                "fleet.invariant.violations",
                "Rows that break what must always hold, 100 at most: any is an alarm",
            ),
            money: gauge(
                "fleet.money.minor",
                "Minor units in the books that have not come to their end",
            ),
            unmatched_facts: gauge(
                "fleet.facts.unmatched",
                "Callbacks that speak of no purchase of ours",
            ),
            lane_hindered: gauge("fleet.lane.hindered", "Lanes whose tasks cannot be started"),
            _log_lines_dropped: log_lines_dropped(meter),
        }
    }

    /// One round trip to the database took this long.
    pub fn store_round_trip(&self, took: Duration) {
        self.store_round_trip.record(took.as_secs_f64(), &[]);
    }

    /// `count` claims were answered with `verdict`.
    pub fn claim_verdict(&self, kind: &'static str, verdict: &'static str, count: u64) {
        self.claim_verdicts
            .add(count, &[KeyValue::new("kind", kind), KeyValue::new("verdict", verdict)]);
    }

    /// `count` commits were answered with `verdict`.
    pub fn commit_verdict(&self, kind: &'static str, verdict: &'static str, count: u64) {
        self.commit_verdicts
            .add(count, &[KeyValue::new("kind", kind), KeyValue::new("verdict", verdict)]);
    }

    /// A request was told to come again, unread: all places of its sort are taken. `owner` is a
    /// client's number, a connector's name, or a word for all.
    pub fn shed(&self, sort: &'static str, owner: &str) {
        let labels = [KeyValue::new("owner", owner.to_owned()), KeyValue::new("sort", sort)];
        self.shed.add(1, &labels);
    }

    /// One exchange with the outside; `owner` is a connector's name or a client's number.
    pub fn exchange(&self, kind: &'static str, owner: &str, outcome: &'static str, took: Duration) {
        let labels = [
            KeyValue::new("kind", kind),
            KeyValue::new("owner", owner.to_owned()),
            KeyValue::new("outcome", outcome),
        ];
        self.exchange.record(took.as_secs_f64(), &labels);
    }

    /// `size` tasks shared one `claim`, `commit` or `publish`.
    pub fn group(&self, operation: &'static str, kind: &'static str, size: u64) {
        let labels = [KeyValue::new("operation", operation), KeyValue::new("kind", kind)];
        self.group.record(size, &labels);
    }

    /// Hints that the broker confirmed, and those that the clock has to bring again.
    pub fn published(&self, kind: &'static str, confirmed: u64, left_to_clock: u64) {
        for (outcome, count) in [("confirmed", confirmed), ("left_to_clock", left_to_clock)] {
            self.published_hints
                .add(count, &[KeyValue::new("kind", kind), KeyValue::new("outcome", outcome)]);
        }
    }

    /// What one look of the clock found: due tasks, lost ones and those whose hint it repeated.
    pub fn clock(&self, kind: &'static str, due: u64, lost: u64, reminded: u64) {
        for (outcome, count) in [("due", due), ("lost", lost), ("reminded", reminded)] {
            self.clock_tasks
                .add(count, &[KeyValue::new("kind", kind), KeyValue::new("outcome", outcome)]);
        }
    }

    /// `count` purchases asked for through the broker ended with `outcome`.
    pub fn requested(&self, outcome: &'static str, count: u64) {
        self.requested.add(count, &[KeyValue::new("outcome", outcome)]);
    }

    /// A request had `count` fields that no version of ours knows.
    pub fn unknown_fields(&self, count: u64) {
        self.unknown_fields.add(count, &[]);
    }

    /// A purchase came in by `way_in` and was taken in, or not, with `outcome`.
    pub fn intake(&self, way_in: &'static str, outcome: &'static str) {
        let labels = [KeyValue::new("way_in", way_in), KeyValue::new("outcome", outcome)];
        self.intake.add(1, &labels);
    }

    /// A request to this service was answered; `route` is the pattern, never the path that was sent,
    /// and `status` the class of the answer.
    pub fn http_request(
        &self,
        route: &str,
        method: &'static str,
        status: &'static str,
        took: Duration,
    ) {
        let labels = [
            KeyValue::new("route", route.to_owned()),
            KeyValue::new("method", method),
            KeyValue::new("status", status),
        ];
        self.http_request.record(took.as_secs_f64(), &labels);
    }

    /// Whether a connection to the broker is open.
    pub fn broker_up(&self, connection: &'static str, up: bool) {
        self.broker_up.record(u64::from(up), &[KeyValue::new("connection", connection)]);
    }

    /// How many tasks this process works on.
    pub fn in_flight(&self, kind: &'static str, tasks: u64) {
        self.in_flight_tasks.record(tasks, &[KeyValue::new("kind", kind)]);
    }

    /// How many hints this process holds and has not claimed.
    pub fn unclaimed(&self, kind: &'static str, tasks: u64) {
        self.unclaimed_tasks.record(tasks, &[KeyValue::new("kind", kind)]);
    }

    /// How many tasks of the whole fleet are in `state`.
    pub fn backlog(&self, kind: &'static str, state: &'static str, tasks: u64) {
        let labels = [KeyValue::new("kind", kind), KeyValue::new("state", state)];
        self.backlog_tasks.record(tasks, &labels);
    }

    /// How long the oldest due task of the whole fleet has waited.
    pub fn oldest_due_seconds(&self, kind: &'static str, seconds: u64) {
        self.oldest_due.record(seconds, &[KeyValue::new("kind", kind)]);
    }

    /// How long ago the oldest unfinished task of a kind was made.
    pub fn unfinished_seconds(&self, kind: &'static str, waits_for: &'static str, seconds: u64) {
        let labels = [KeyValue::new("kind", kind), KeyValue::new("waits_for", waits_for)];
        self.unfinished.record(seconds, &labels);
    }

    /// How many tasks of the whole fleet wait for a person.
    pub fn parked(&self, class: &'static str, tasks: u64) {
        self.parked_tasks.record(tasks, &[KeyValue::new("class", class)]);
    }

    /// Unsettled holds of the whole fleet by age: `past_half`, `expired`.
    pub fn holds(&self, age: &'static str, holds: u64) {
        self.holds.record(holds, &[KeyValue::new("age", age)]);
    }

    /// Rows that break an invariant.
    pub fn violations(&self, code: &'static str, rows: u64) {
        self.violations.record(rows, &[KeyValue::new("code", code)]);
    }

    /// Minor units of a currency that are `held`, `undecided` or `owed`.
    pub fn money(&self, currency: &str, state: &'static str, minor: u64) {
        let labels =
            [KeyValue::new("currency", currency.to_owned()), KeyValue::new("state", state)];
        self.money.record(minor, &labels);
    }

    /// Callbacks that speak of no purchase of ours.
    pub fn unmatched_facts(&self, facts: u64) {
        self.unmatched_facts.record(facts, &[]);
    }

    /// Whether tasks of a lane cannot be started, by cause.
    pub fn lane_hindered(&self, kind: &'static str, owner: &str, cause: &'static str, is: bool) {
        let labels = [
            KeyValue::new("kind", kind),
            KeyValue::new("owner", owner.to_owned()),
            KeyValue::new("cause", cause),
        ];
        self.lane_hindered.record(u64::from(is), &labels);
    }
}

/// Looked at when it is asked for: what logs has no metrics yet, or is in the middle of one.
fn log_lines_dropped(meter: &Meter) -> ObservableCounter<u64> {
    meter
        .u64_observable_counter("fleet.log.lines_dropped")
        .with_description("Log lines that could not be written, and were dropped")
        .with_callback(|lines| lines.observe(crate::lines::dropped(), &[]))
        .build()
}

#[cfg(test)]
mod tests;
