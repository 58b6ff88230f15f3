//! Overload: a client that sends twice what the gateway takes in beside one that asks politely, against
//! the same one alone. All figures are ratios within one run, so that a slower machine changes little.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::Settings;
use super::usage::{Machine, Processes};
use crate::latency::Latency;
use crate::send_http::signature;

/// The flood's connections: more than one client has places.
const FLOODING: u32 = 320;
/// Connections that find out what the gateway takes in, each with one request at a time.
const SATURATING: u32 = 64;
/// The polite client's requests in a second, each on its own connection.
const POLITE_RATE: u32 = 20;
/// So long before each phase is counted.
const WARM_UP: Duration = Duration::from_secs(2);

/// One answer.
#[derive(Debug, Clone, Copy)]
struct Answer {
    accepted: bool,
    took: Duration,
}

/// What a phase saw of one client.
#[derive(Debug, Default)]
struct Seen {
    accepted: usize,
    refused: usize,
    accepted_ms: Vec<u64>,
    refused_ms: Vec<u64>,
}

impl Seen {
    fn add(&mut self, answer: Answer) {
        let millis = super::millis(answer.took);
        if answer.accepted {
            self.accepted = self.accepted.saturating_add(1);
            self.accepted_ms.push(millis);
        } else {
            self.refused = self.refused.saturating_add(1);
            self.refused_ms.push(millis);
        }
    }

    fn merge(mut self, other: Self) -> Self {
        self.accepted = self.accepted.saturating_add(other.accepted);
        self.refused = self.refused.saturating_add(other.refused);
        self.accepted_ms.extend(other.accepted_ms);
        self.refused_ms.extend(other.refused_ms);
        self
    }
}

/// A client of the sample.
#[derive(Debug, Clone, Copy)]
struct Client {
    id: i64,
    key: &'static str,
    secret: Option<&'static str>,
}

const FLOOD: Client = Client { id: 1001, key: "sample-key-1001", secret: None };
const POLITE: Client =
    Client { id: 1002, key: "sample-key-1002", secret: Some("sample-signature-1002") };

/// A connection of a client, kept open.
struct Line {
    client: Client,
    run: Arc<str>,
    number: Arc<AtomicU64>,
    stream: BufReader<TcpStream>,
}

impl Line {
    /// Sends a purchase that nobody sent before.
    async fn purchase(&mut self) -> anyhow::Result<Answer> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let body = json!({
            "clientId": self.client.id, "clientTxnRef": format!("{}-{number:07}", self.run),
            "productId": 101, "purchaseAmount": 1500, "currencyCode": "ZAR", "channelId": 7,
            "sourceIdentifier": format!("2783{:07}", number % 10_000_000),
            "targetIdentifier": format!("2782{:07}", number % 10_000_000),
            "reserveFundsTxnRef": format!("held-{}-{number:07}", self.run),
            "timestamp": "2026-01-31T10:00:00Z",
        })
        .to_string();
        let signed = self.client.secret.map(|secret| signature(secret, body.as_bytes()));
        let signed = signed.map_or_else(String::new, |text| format!("Signature: {text}\r\n"));
        let head = format!(
            "POST /transact/4.0 HTTP/1.1\r\nHost: bench\r\nX-API-Key: {}\r\n{signed}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.client.key,
            body.len()
        );
        let began = Instant::now();
        self.stream.write_all(format!("{head}{body}").as_bytes()).await?;
        let accepted = self.status().await? == 200;
        Ok(Answer { accepted, took: began.elapsed() })
    }

    async fn status(&mut self) -> anyhow::Result<u16> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("no answer: {line}"))?;
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(status)
    }
}

/// How a client sends.
#[derive(Debug, Clone, Copy)]
struct Load {
    client: Client,
    lines: u32,
    /// All lines together, in a second; 0 = each as soon as it is answered.
    rate: u32,
}

/// Sends until then; what was sent since `counted` counts.
async fn send(
    settings: &Settings,
    load: Load,
    (counted, until): (Instant, Instant),
    (run, number): (Arc<str>, Arc<AtomicU64>),
) -> anyhow::Result<Seen> {
    let mut lines = JoinSet::new();
    let apart = Duration::from_secs(1).checked_mul(load.lines).unwrap_or_default();
    let apart = apart.checked_div(load.rate).unwrap_or_default();
    for place in 0..load.lines {
        let stream = TcpStream::connect(("127.0.0.1", settings.gateway_port)).await?;
        stream.set_nodelay(true)?;
        let stream = BufReader::new(stream);
        let (run, number) = (Arc::clone(&run), Arc::clone(&number));
        let mut line = Line { client: load.client, run, number, stream };
        let first = apart.checked_div(load.lines).unwrap_or_default().saturating_mul(place);
        lines.spawn(async move {
            let mut seen = Seen::default();
            let mut next = Instant::now().checked_add(first).unwrap_or(until);
            while next < until && Instant::now() < until {
                sleep_until(next).await;
                let answer = line.purchase().await?;
                if next >= counted {
                    seen.add(answer);
                }
                // A line that was kept waiting sends what it owes at once.
                next = next.checked_add(apart).unwrap_or(until);
            }
            anyhow::Ok(seen)
        });
    }
    let mut seen = Seen::default();
    while let Some(ended) = lines.join_next().await {
        seen = seen.merge(ended??);
    }
    Ok(seen)
}

/// A phase: what the polite client and the other saw, and the share of the CPU that nobody of us took.
struct Phase {
    polite: Seen,
    other: Seen,
    foreign: f64,
}

/// Runs what is being measured.
struct Bench<'s> {
    settings: &'s Settings,
    run: Arc<str>,
    number: Arc<AtomicU64>,
}

impl Bench<'_> {
    async fn phase(&self, name: &str, loads: &[Load]) -> anyhow::Result<Phase> {
        crate::progress::note(&format!("overload, {name}: {} s", self.settings.seconds));
        // The gateway is below the bench.
        let ours = [self.settings.postgres_pid, self.settings.rabbitmq_pid, std::process::id()];
        let used = |now: &Processes| ours.iter().map(|pid| now.tree_us(*pid)).sum::<u64>();
        let (before, machine) = (used(&Processes::now()?), Machine::now()?);
        let began = Instant::now();
        let counted = began.checked_add(WARM_UP).unwrap_or(began);
        let lasts = Duration::from_secs(u64::from(self.settings.seconds));
        let span = (counted, counted.checked_add(lasts).unwrap_or(counted));
        let sent = loads.iter().map(|load| {
            let names = (Arc::clone(&self.run), Arc::clone(&self.number));
            send(self.settings, *load, span, names)
        });
        let seen = futures_util::future::try_join_all(sent).await?;
        let machine = Machine::now()?.since(machine);
        let ours = used(&Processes::now()?).saturating_sub(before);
        let foreign = super::round::share(machine.busy_us.saturating_sub(ours), machine.all_us);
        let mut phase = Phase { polite: Seen::default(), other: Seen::default(), foreign };
        for (load, seen) in loads.iter().zip(seen) {
            if load.client.id == POLITE.id { phase.polite = seen } else { phase.other = seen }
        }
        Ok(phase)
    }
}

/// Measures and prints.
///
/// # Errors
/// When anything is in the way, or the polite client was refused.
pub(super) async fn overload(settings: &Settings) -> anyhow::Result<()> {
    let (servers, places) = (&settings.servers, &settings.places);
    servers.empty().await?;
    places.prepare(servers).await?;
    let mut programs = places.gateway(servers, settings.gateway_port)?;
    programs.until_listening(settings.gateway_port).await?;
    let run = Arc::from(crate::order::run_name());
    let bench = Bench { settings, run, number: Arc::default() };
    let polite = Load { client: POLITE, lines: POLITE_RATE, rate: POLITE_RATE };
    let flood = |lines, rate| Load { client: FLOOD, lines, rate };

    let full = bench.phase("what it takes in", &[flood(SATURATING, 0)]).await?;
    let alone = bench.phase("the polite client alone", &[polite]).await?;
    let full_rate = rate(full.other.accepted, settings.seconds);
    let twice = u32::try_from(full.other.accepted.saturating_mul(2)).unwrap_or(u32::MAX);
    let twice = twice.checked_div(u32::from(settings.seconds)).unwrap_or(1).max(1);
    let both = bench.phase("with a flood", &[polite, flood(FLOODING, twice)]).await?;
    programs.stop().await?;

    let good = rate(both.other.accepted.saturating_add(both.polite.accepted), settings.seconds);
    let polite_alone = Latency::of(alone.polite.accepted_ms);
    let polite_beside = Latency::of(both.polite.accepted_ms);
    let (flood_ok, flood_no) =
        (Latency::of(both.other.accepted_ms), Latency::of(both.other.refused_ms));
    let ratio = |part: u64, whole: u64| {
        let float = |ms: u64| f64::from(u32::try_from(ms.max(1)).unwrap_or(u32::MAX));
        float(part) / float(whole)
    };
    let mut out = std::io::stdout();
    writeln!(out, "takes in {full_rate:.0} purchases/s; the flood sends {twice}/s")?;
    writeln!(out, "polite alone:  {polite_alone:?}, F {:.2}", alone.foreign)?;
    writeln!(out, "polite beside: {polite_beside:?}, F {:.2}", both.foreign)?;
    writeln!(out, "flood stored:  {flood_ok:?}")?;
    writeln!(out, "flood 503:     {flood_no:?}")?;
    writeln!(
        out,
        "polite p99, beside / alone: {:.2} (goal 2); goodput / what it takes in: {:.2} (goal 0.9); \
         polite 503: {} (goal 0)",
        ratio(polite_beside.p99_ms, polite_alone.p99_ms),
        good / full_rate.max(1.0),
        both.polite.refused
    )?;
    anyhow::ensure!(both.polite.refused == 0, "the polite client was told to come again");
    Ok(())
}

fn rate(count: usize, seconds: u16) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / f64::from(seconds.max(1))
}
