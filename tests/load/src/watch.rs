//! Watching by the simulator's record: what took effect for each purchase.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::mix::{Expected, Scenario};
use crate::order::Order;

/// Effects of a page.
const PAGE: usize = 5_000;
const DEADLINE: Duration = Duration::from_secs(10);

/// What took effect for one purchase.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    /// By kind: reserve, capture, cancel, vend, result.
    pub(crate) counts: BTreeMap<String, u64>,
    /// The response code of its result.
    pub(crate) told: Option<String>,
    pub(crate) result_at: Option<DateTime<Utc>>,
}

impl Seen {
    pub(crate) fn count(&self, kind: &str) -> u64 {
        self.counts.get(kind).copied().unwrap_or(0)
    }

    /// The client has its result, if it must, and no money is held, unless it must be.
    pub(crate) fn is_final(&self, scenario: Scenario, expected: Expected) -> bool {
        let settled = self.count("capture").saturating_add(self.count("cancel"));
        let held = scenario == Scenario::WeReserve && self.count("reserve") > settled;
        match expected {
            Expected::Success | Expected::RefusedByBank | Expected::RefusedBySupplier => {
                self.count("result") > 0 && !held
            }
            Expected::Undelivered => self.count("vend") > 0 && !held,
            Expected::Parked => self.count("vend") > 0,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Effect {
    kind: String,
    purchase: String,
    #[serde(default)]
    client_ref: Option<String>,
    #[serde(default)]
    told: Option<String>,
    at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Page {
    rows: Vec<Effect>,
    last: Option<u64>,
    more: bool,
}

/// The simulator's figures that a run is judged by.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    pub(crate) newest: u64,
    pub(crate) holds_open: u64,
    pub(crate) duplicates: BTreeMap<String, u64>,
    pub(crate) repeats: BTreeMap<String, u64>,
    pub(crate) violations_by_rule: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Violations {
    rows: Vec<serde_json::Value>,
}

/// Reads the record from where the run began.
pub(crate) struct Watch {
    http: reqwest::Client,
    simulator: String,
    after: u64,
    by_purchase: HashMap<String, Seen>,
    purchases: HashMap<String, String>,
    reports: HashMap<String, u64>,
    /// How card payments ended for their client, by its reference: the status, and when.
    completions: HashMap<String, (String, DateTime<Utc>)>,
}

impl Watch {
    /// Begins at the record's present end.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub(crate) async fn begin(
        http: reqwest::Client,
        simulator: &str,
    ) -> anyhow::Result<(Self, Figures)> {
        let mut watch = Self {
            http,
            simulator: simulator.to_owned(),
            after: 0,
            by_purchase: HashMap::new(),
            purchases: HashMap::new(),
            reports: HashMap::new(),
            completions: HashMap::new(),
        };
        let figures = watch.figures().await?;
        watch.after = figures.newest;
        Ok((watch, figures))
    }

    /// # Errors
    /// When the simulator does not answer.
    pub(crate) async fn figures(&self) -> anyhow::Result<Figures> {
        self.get("control/summary").await
    }

    /// The first violations since the record's end at `after`.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub(crate) async fn violations(&self, after: u64) -> anyhow::Result<Vec<serde_json::Value>> {
        let path = format!("control/violations?after={after}&limit=20");
        let found: Violations = self.get(&path).await?;
        Ok(found.rows)
    }

    /// Reads what is new; tells whether there was anything.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub(crate) async fn poll(&mut self) -> anyhow::Result<bool> {
        let before = self.after;
        loop {
            let path = format!("control/record?after={}&limit={PAGE}", self.after);
            let page: Page = self.get(&path).await?;
            for effect in page.rows {
                self.take(effect);
            }
            self.after = page.last.unwrap_or(self.after);
            if !page.more {
                return Ok(self.after > before);
            }
        }
    }

    fn take(&mut self, effect: Effect) {
        if effect.kind == "report" {
            let count = self.reports.entry(effect.purchase).or_default();
            *count = count.saturating_add(1);
            return;
        }
        if effect.kind == "completion" {
            let client_ref = effect.purchase.trim_start_matches("order:").to_owned();
            let told = (effect.told.unwrap_or_default(), effect.at);
            self.completions.entry(client_ref).or_insert(told);
            return;
        }
        if let Some(client_ref) = effect.client_ref {
            self.purchases.insert(client_ref, effect.purchase.clone());
        }
        let seen = self.by_purchase.entry(effect.purchase).or_default();
        if effect.kind == "result" {
            seen.told = effect.told.or_else(|| seen.told.take());
            seen.result_at.get_or_insert(effect.at);
        }
        let count = seen.counts.entry(effect.kind).or_default();
        *count = count.saturating_add(1);
    }

    /// What took effect for an order; nothing, as long as no party knows its reference.
    pub(crate) fn seen(&self, order: &Order) -> Seen {
        let purchase = self.purchases.get(&order.client_ref);
        let seen = purchase.and_then(|purchase| self.by_purchase.get(purchase)).cloned();
        let mut seen = seen.unwrap_or_default();
        // Who is paid by card is told a status in place of a code.
        if let Some((status, at)) = self.completions.get(&order.client_ref) {
            let code = if status == "success" { "0000" } else { "2090" };
            seen.told = Some(code.to_owned());
            seen.result_at = Some(*at);
            seen.counts.insert("result".to_owned(), 1);
        }
        seen
    }

    /// No party may ever tell the client's reference of some purchases.
    pub(crate) fn is_purchase(&mut self, order: &Order, purchase: &str) {
        if !self.purchases.contains_key(&order.client_ref) {
            self.purchases.insert(order.client_ref.clone(), purchase.to_owned());
        }
    }

    pub(crate) fn is_final(&self, order: &Order) -> bool {
        self.seen(order).is_final(order.scenario, order.case.expected)
    }

    pub(crate) fn has_report(&self, order: &Order) -> bool {
        order.token.as_ref().is_some_and(|token| self.reports.contains_key(token))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let url = format!("{}/{path}", self.simulator);
        let answer = self.http.get(&url).timeout(DEADLINE).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let answer = answer.with_context(|| format!("the simulator at {url}"))?;
        answer.json().await.with_context(|| format!("the simulator at {url}"))
    }
}
