//! What a run did and what came of it.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use comfy_table::Table;
use serde::Serialize;

use crate::latency::Latency;
use crate::lookup::Found;
use crate::mix::{Payer, Scenario};
use crate::order::{Order, Way};
use crate::run::{Answer, Sent};
use crate::send_amqp::Reply;
use crate::verdict::{Verdict, judge};
use crate::watch::{Figures, Watch};

/// Problems shown by name; all are counted.
const SHOWN: usize = 50;

/// One purchase with everything that is known of it.
pub(crate) struct Judged<'a> {
    order: &'a Order,
    sent: Sent,
    reply: Option<Reply>,
    status: String,
    result_after_ms: Option<u64>,
    has_report: bool,
    verdict: Verdict,
}

impl<'a> Judged<'a> {
    pub(crate) fn new(
        order: &'a Order,
        sent: Sent,
        reply: Option<Reply>,
        (found, watch): (&Found, &Watch),
    ) -> Self {
        let seen = watch.seen(order);
        let verdict = judge(order, &sent, reply.as_ref(), found, &seen);
        let status = match found {
            Found::Status(status) => status.clone(),
            Found::Unknown => "not found".to_owned(),
            Found::NoAnswer(_) => "no answer".to_owned(),
        };
        let after = seen.result_at.map(|at| at.signed_duration_since(sent.at).num_milliseconds());
        let result_after_ms = after.map(|after| u64::try_from(after).unwrap_or(0));
        let has_report = watch.has_report(order);
        Self { order, sent, reply, status, result_after_ms, has_report, verdict }
    }

    fn answer(&self) -> String {
        match (&self.sent.answer, &self.reply) {
            (_, Some(reply)) => format!("{} {}", reply.outcome, reply.response_code),
            (Answer::Accepted { code, .. }, None) => code.clone(),
            (Answer::Confirmed, None) => "confirmed".to_owned(),
            (Answer::Rejected { code, .. }, None) => format!("rejected {code}"),
            (Answer::None { .. }, None) => "no answer".to_owned(),
        }
    }
}

/// The report.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    run: String,
    good: bool,
    seconds: u64,
    stood_still: bool,
    purchases: usize,
    ended_as_scripted: usize,
    not_accepted: usize,
    by_scenario: BTreeMap<Scenario, usize>,
    by_way: BTreeMap<Way, usize>,
    by_payer: BTreeMap<Payer, usize>,
    by_answer: BTreeMap<String, usize>,
    by_status: BTreeMap<String, usize>,
    by_script: BTreeMap<&'static str, Counted>,
    replies_expected: usize,
    replies: usize,
    tokens: usize,
    reports: usize,
    answer_ms: BTreeMap<Way, Latency>,
    result_ms: BTreeMap<Scenario, Latency>,
    holds_open: u64,
    duplicates: BTreeMap<String, u64>,
    repeats: BTreeMap<String, u64>,
    violations: BTreeMap<String, u64>,
    violation_samples: Vec<serde_json::Value>,
    problem_count: usize,
    problems: Vec<Problem>,
}

/// One script's purchases.
#[derive(Debug, Default, Serialize)]
struct Counted {
    sent: usize,
    good: usize,
}

/// One purchase that did not end as it must.
#[derive(Debug, Serialize)]
struct Problem {
    client_txn_ref: String,
    script: &'static str,
    scenario: Scenario,
    way: Way,
    problem: String,
}

impl Report {
    pub(crate) fn new(
        run: &str,
        judged: &[Judged<'_>],
        (before, after): (&Figures, &Figures),
        violation_samples: Vec<serde_json::Value>,
        (took, stood_still): (Duration, bool),
    ) -> Self {
        let problems: Vec<Problem> = judged.iter().filter_map(problem).collect();
        let is_good = |judged: &&Judged<'_>| judged.verdict == Verdict::Good;
        let ended_as_scripted = judged.iter().filter(is_good).count();
        let not_accepted =
            judged.iter().filter(|j| matches!(j.verdict, Verdict::NotAccepted(_))).count();
        let mut by_script: BTreeMap<&'static str, Counted> = BTreeMap::new();
        for one in judged {
            let counted = by_script.entry(one.order.case.name).or_default();
            counted.sent = counted.sent.saturating_add(1);
            counted.good = counted.good.saturating_add(usize::from(is_good(&one)));
        }
        let duplicates = grown(&before.duplicates, &after.duplicates);
        let violations = grown(&before.violations_by_rule, &after.violations_by_rule);
        let good = problems.is_empty()
            && ended_as_scripted > 0
            && duplicates.is_empty()
            && violations.is_empty();
        Self {
            run: run.to_owned(),
            good,
            seconds: took.as_secs(),
            stood_still,
            purchases: judged.len(),
            ended_as_scripted,
            not_accepted,
            by_scenario: count(judged, |j| j.order.scenario),
            by_way: count(judged, |j| j.order.way),
            by_payer: count(judged, |j| j.order.case.payer),
            by_answer: count(judged, Judged::answer),
            by_status: count(judged, |j| j.status.clone()),
            by_script,
            replies_expected: judged.iter().filter(|j| j.order.way == Way::AmqpReply).count(),
            replies: judged.iter().filter(|j| j.reply.is_some()).count(),
            tokens: judged.iter().filter(|j| j.order.token.is_some()).count(),
            reports: judged.iter().filter(|j| j.has_report).count(),
            answer_ms: latencies(judged, |j| {
                Some((j.order.way, u64::try_from(j.sent.took.as_millis()).unwrap_or(u64::MAX)))
            }),
            result_ms: latencies(judged, |j| Some((j.order.scenario, j.result_after_ms?))),
            holds_open: after.holds_open,
            duplicates,
            repeats: grown(&before.repeats, &after.repeats),
            violations,
            violation_samples,
            problem_count: problems.len(),
            problems: problems.into_iter().take(SHOWN).collect(),
        }
    }

    /// Everything accepted ended as its script says, and the world saw nothing wrong.
    pub(crate) const fn is_good(&self) -> bool {
        self.good
    }

    /// Prints it.
    ///
    /// # Errors
    /// When standard output is closed.
    pub(crate) fn print(&self, json: bool) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        if json {
            return writeln!(out, "{}", serde_json::to_string_pretty(self)?);
        }
        writeln!(out, "{}", self.counts())?;
        writeln!(out, "{}", self.times())?;
        let mut scripts = Table::new();
        scripts.set_header(["script", "sent", "ended so"]);
        for (name, counted) in &self.by_script {
            scripts.add_row([
                (*name).to_owned(),
                counted.sent.to_string(),
                counted.good.to_string(),
            ]);
        }
        writeln!(out, "{scripts}")?;
        for problem in &self.problems {
            let Problem { client_txn_ref, script, scenario, way, problem } = problem;
            writeln!(out, "{client_txn_ref} ({script}, {scenario:?}, {way:?}): {problem}")?;
        }
        for sample in &self.violation_samples {
            writeln!(out, "violation: {sample}")?;
        }
        let word = if self.good { "good" } else { "NOT GOOD" };
        let (ended, all, seconds) = (self.ended_as_scripted, self.purchases, self.seconds);
        let still = if self.stood_still { ", the rest stands still" } else { "" };
        let problems = self.problem_count;
        writeln!(
            out,
            "{word}: {ended} of {all} purchases ended as scripted in {seconds} s, {problems} \
             problems{still}"
        )
    }

    fn counts(&self) -> Table {
        let mut table = Table::new();
        table.set_header(["what", "which", "purchases"]);
        let mut row = |what: &str, which: String, count: String| {
            table.add_row([what.to_owned(), which, count]);
        };
        for (scenario, count) in &self.by_scenario {
            row("scenario", format!("{scenario:?}"), count.to_string());
        }
        for (way, count) in &self.by_way {
            row("way in", format!("{way:?}"), count.to_string());
        }
        for (payer, count) in &self.by_payer {
            row("paid", format!("{payer:?}"), count.to_string());
        }
        for (answer, count) in &self.by_answer {
            row("answer", answer.clone(), count.to_string());
        }
        for (status, count) in &self.by_status {
            row("final status", status.clone(), count.to_string());
        }
        row("replies", "by AMQP".to_owned(), format!("{}/{}", self.replies, self.replies_expected));
        row("reports", "to the desk".to_owned(), format!("{}/{}", self.reports, self.tokens));
        row("never accepted", String::new(), self.not_accepted.to_string());
        row("holds open", "in the simulator".to_owned(), self.holds_open.to_string());
        for (name, found) in [
            ("duplicates", &self.duplicates),
            ("repeats", &self.repeats),
            ("violations", &self.violations),
        ] {
            if found.is_empty() {
                row(name, "none".to_owned(), "0".to_owned());
            }
            for (which, count) in found {
                row(name, which.clone(), count.to_string());
            }
        }
        table
    }

    fn times(&self) -> Table {
        let mut table = Table::new();
        table.set_header(["milliseconds", "count", "p50", "p95", "p99", "max"]);
        let ways = self.answer_ms.iter().map(|(way, l)| (format!("to the answer, {way:?}"), l));
        let results = self.result_ms.iter().map(|(s, l)| (format!("to the result, {s:?}"), l));
        for (name, latency) in ways.chain(results) {
            let Latency { count, p50_ms, p95_ms, p99_ms, max_ms } = latency;
            let figures = [p50_ms, p95_ms, p99_ms, max_ms].map(u64::to_string);
            table.add_row([vec![name, count.to_string()], figures.to_vec()].concat());
        }
        table
    }
}

fn problem(judged: &Judged<'_>) -> Option<Problem> {
    let Verdict::Bad(problem) = &judged.verdict else { return None };
    Some(Problem {
        client_txn_ref: judged.order.client_ref.clone(),
        script: judged.order.case.name,
        scenario: judged.order.scenario,
        way: judged.order.way,
        problem: problem.clone(),
    })
}

fn count<'a, K: Ord>(judged: &[Judged<'a>], key: impl Fn(&Judged<'a>) -> K) -> BTreeMap<K, usize> {
    let mut counts: BTreeMap<K, usize> = BTreeMap::new();
    for one in judged {
        let count = counts.entry(key(one)).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

fn latencies<K: Ord>(
    judged: &[Judged<'_>],
    pick: impl Fn(&Judged<'_>) -> Option<(K, u64)>,
) -> BTreeMap<K, Latency> {
    let mut all: BTreeMap<K, Vec<u64>> = BTreeMap::new();
    for (key, milliseconds) in judged.iter().filter_map(pick) {
        all.entry(key).or_default().push(milliseconds);
    }
    all.into_iter().map(|(key, list)| (key, Latency::of(list))).collect()
}

/// What grew since the run began, by how much.
fn grown(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let growth = after.iter().map(|(name, now)| {
        let then = before.get(name).copied().unwrap_or(0);
        (name.clone(), now.saturating_sub(then))
    });
    growth.filter(|(_, count)| *count > 0).collect()
}
