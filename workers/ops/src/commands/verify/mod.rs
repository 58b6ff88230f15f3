//! `fleet verify`

mod record;

use std::time::Duration;

use fleet_store::{Holds, Invariant, Store, Violation, invariants};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Failure;
use crate::output::{Output, page, table};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Also what holds only once nothing is under way
    #[arg(long)]
    settled: bool,
    /// Only these codes, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "CODES")]
    only: Vec<String>,
    /// Name the invariants, and look at none
    #[arg(long)]
    list: bool,
    /// Rows shown of each, at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// How long one query may take
    #[arg(long, default_value_t = 60, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    within: u64,
    /// Also compare books and vends with the record of the simulator at this URL (E1, E4)
    #[arg(long, value_name = "URL", requires = "settled")]
    simulator: Option<String>,
}

/// What was found of one invariant.
struct Finding {
    code: &'static str,
    says: &'static str,
    action: &'static str,
    violations: Vec<Violation>,
    /// There are more than these.
    more: bool,
    took: Duration,
}

pub(crate) async fn run(
    arguments: &Arguments,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    let wanted = wanted(arguments)?;
    if arguments.list {
        output.print(
            &json!({ "invariants": wanted.iter().map(|one| head(one)).collect::<Vec<_>>() }),
            || list(&wanted),
        );
        return Ok(());
    }
    let bar = bar(wanted.len());
    let mut findings = Vec::new();
    for invariant in &wanted {
        bar.set_message(invariant.code);
        findings.push(look(arguments, store, invariant).await?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(url) = &arguments.simulator {
        findings.extend(record::compare(store, url).await?);
    }
    let broken: Vec<&Finding> = findings.iter().filter(|one| !one.violations.is_empty()).collect();
    output.print(&to_json(&findings), || to_text(&findings));
    if broken.is_empty() {
        return Ok(());
    }
    let codes: Vec<&str> = broken.iter().map(|one| one.code).collect();
    Err(Failure::No(format!("broken: {}", codes.join(", "))))
}

/// The invariants that are asked for.
fn wanted(arguments: &Arguments) -> Result<Vec<&'static Invariant>, Failure> {
    let unknown = |code: &&String| !invariants().iter().any(|one| one.code == code.as_str());
    if let Some(code) = arguments.only.iter().find(unknown) {
        return Err(Failure::Refused(format!("--only: there is no invariant {code} (--list)")));
    }
    let named = |one: &&Invariant| arguments.only.iter().any(|code| code == one.code);
    let timely = |one: &&Invariant| arguments.settled || one.holds == Holds::Always;
    let all = invariants().iter();
    Ok(if !arguments.only.is_empty() {
        all.filter(named).collect()
    } else if arguments.list {
        all.collect()
    } else {
        all.filter(timely).collect()
    })
}

async fn look(
    arguments: &Arguments,
    store: &Store,
    invariant: &'static Invariant,
) -> Result<Finding, Failure> {
    let began = Instant::now();
    let within = Duration::from_secs(arguments.within);
    let wanted = arguments.limit.saturating_add(1);
    let violations = store.violations(invariant, wanted, within).await;
    let violations = violations.map_err(|error| {
        anyhow::anyhow!("{} cannot be told: {error} (--within gives it more time)", invariant.code)
    })?;
    let (violations, next) = page(violations, arguments.limit, |_| ());
    let Invariant { code, says, action, .. } = *invariant;
    let more = next.is_some();
    Ok(Finding { code, says, action, violations, more, took: began.elapsed() })
}

fn bar(length: usize) -> ProgressBar {
    let bar = super::bar(length);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} eta {eta}") {
        bar.set_style(style);
    }
    bar
}

const fn holds(invariant: &Invariant) -> &'static str {
    match invariant.holds {
        Holds::Always => "always",
        Holds::Settled => "settled",
    }
}

fn head(one: &Invariant) -> Value {
    json!({ "code": one.code, "holds": holds(one), "live": one.live, "says": one.says, "action": one.action })
}

fn list(wanted: &[&Invariant]) -> String {
    let live = |one: &Invariant| if one.live { "yes" } else { "" }.to_owned();
    let row = |one: &&Invariant| {
        vec![one.code.to_owned(), holds(one).to_owned(), live(one), one.says.to_owned()]
    };
    table(&["code", "holds", "watched", "what must hold"], wanted.iter().map(row))
}

fn to_json(findings: &[Finding]) -> Value {
    let row = |violation: &Violation| json!({ "raas_txn_ref": violation.purchase, "detail": violation.detail });
    let one = |finding: &Finding| {
        json!({
            "code": finding.code, "says": finding.says, "action": finding.action,
            "took_ms": u64::try_from(finding.took.as_millis()).unwrap_or(u64::MAX),
            "violations": finding.violations.iter().map(row).collect::<Vec<_>>(),
            "more": finding.more,
        })
    };
    let broken = findings.iter().filter(|finding| !finding.violations.is_empty()).count();
    json!({
        "held": findings.len().saturating_sub(broken), "broken": broken,
        "invariants": findings.iter().map(one).collect::<Vec<_>>(),
    })
}

fn to_text(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut held = 0_usize;
    for finding in findings {
        if finding.violations.is_empty() {
            held = held.saturating_add(1);
            continue;
        }
        text.push_str(&format!("{} is broken: {}\n", finding.code, finding.says));
        let rows = finding.violations.iter().map(|violation| {
            let id = violation.purchase.map_or_else(|| "-".to_owned(), |id| id.to_string());
            vec![id, violation.detail.clone()]
        });
        text.push_str(&table(&["purchase", "what is wrong"], rows));
        if finding.more {
            text.push_str(&format!("and more than these {}: --limit\n", finding.violations.len()));
        }
        text.push_str(&format!("What to do: {}\n\n", finding.action));
    }
    text.push_str(&format!("{held} of {} invariants hold\n", findings.len()));
    text
}
