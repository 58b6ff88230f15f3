//! The catch-up feed of a client's results, and the statement of one of its days: ours, because the
//! documents have none.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::TransactResult;

/// Results on one page at most.
pub const FEED_PAGE_MAX: u32 = 500;

/// One page of the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResultFeed {
    /// Whose results.
    pub client_id: i64,
    /// In the order of their numbers, without a gap.
    pub results: Vec<FeedResult>,
    /// What `since` is to be next: the last number of this page.
    pub next: i64,
    /// True when there may be more already.
    pub more: bool,
}

/// A result with its place in the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedResult {
    /// 1 for the client's first result, and one more with each.
    pub sequence: i64,
    /// When the purchase ended.
    pub ended_at: DateTime<Utc>,
    /// What Transact Result says.
    #[serde(flatten)]
    pub result: TransactResult,
}

/// The statement of one of a client's days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// Whose.
    pub client_id: i64,
    /// The day, in UTC: every result whose `endedAt` is in it.
    pub date: NaiveDate,
    /// Results of the day.
    pub results: i64,
    /// The lowest number in the feed among them; absent on a day without results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sequence: Option<i64>,
    /// The highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sequence: Option<i64>,
    /// One row for each currency.
    pub totals: Vec<StatementTotals>,
}

/// What a day's results add up to in one currency, in minor units; amounts are of successes only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are those of Transact Result")]
pub struct StatementTotals {
    pub currency_code: String,
    /// Purchases that were dispensed.
    pub succeeded: i64,
    /// Purchases that were not.
    pub failed: i64,
    pub reserve_amount: i64,
    pub fee_amount: i64,
    pub settlement_amount: i64,
    pub vend_amount: i64,
    pub client_share_amount: i64,
    pub vendor_share_amount: i64,
}

/// Adds a day up, result by result.
#[derive(Debug)]
pub struct StatementMaker {
    statement: Statement,
    totals: BTreeMap<String, StatementTotals>,
}

impl StatementMaker {
    /// Of a day without results so far.
    #[must_use]
    pub const fn new(client_id: i64, date: NaiveDate) -> Self {
        let statement = Statement {
            client_id,
            date,
            results: 0,
            first_sequence: None,
            last_sequence: None,
            totals: Vec::new(),
        };
        Self { statement, totals: BTreeMap::new() }
    }

    /// Adds a result; `None` when a sum does not fit.
    #[must_use]
    pub fn add(&mut self, sequence: i64, currency: &str, result: &TransactResult) -> Option<()> {
        let day = &mut self.statement;
        day.results = day.results.checked_add(1)?;
        day.first_sequence = Some(day.first_sequence.unwrap_or(sequence).min(sequence));
        day.last_sequence = Some(day.last_sequence.unwrap_or(sequence).max(sequence));
        let totals = self.totals.entry(currency.to_owned()).or_default();
        totals.add(result)
    }

    /// The statement.
    #[must_use]
    pub fn finish(self) -> Statement {
        let totals = self
            .totals
            .into_iter()
            .map(|(currency_code, totals)| StatementTotals { currency_code, ..totals });
        Statement { totals: totals.collect(), ..self.statement }
    }
}

impl StatementTotals {
    fn add(&mut self, result: &TransactResult) -> Option<()> {
        if result.response_code != crate::codes::OK {
            self.failed = self.failed.checked_add(1)?;
            return Some(());
        }
        self.succeeded = self.succeeded.checked_add(1)?;
        for (sum, amount) in [
            (&mut self.reserve_amount, result.reserve_amount),
            (&mut self.fee_amount, result.fee_amount),
            (&mut self.settlement_amount, result.settlement_amount),
            (&mut self.vend_amount, result.vend_amount),
            (&mut self.client_share_amount, result.client_share_amount),
            (&mut self.vendor_share_amount, result.vendor_share_amount),
        ] {
            *sum = sum.checked_add(amount)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(code: &str, amount: i64) -> TransactResult {
        serde_json::from_value(serde_json::json!({
            "clientTxnRef": "order-1", "raasTxnRef": "r", "responseCode": code,
            "timestamp": "2026-01-31T10:00:00.000Z", "reserveAmount": amount, "feeAmount": 1,
            "settlementAmount": amount, "vendAmount": amount, "clientShareAmount": 1,
            "vendorShareAmount": 2,
        }))
        .unwrap()
    }

    #[test]
    fn a_day_adds_up_by_currency_and_counts_no_failure_as_money() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap();
        let mut maker = StatementMaker::new(1001, day);
        for (sequence, currency, code, amount) in
            [(8, "ZAR", "0000", 100), (7, "KWD", "0000", 5), (9, "ZAR", "2010", 900)]
        {
            maker.add(sequence, currency, &result(code, amount)).unwrap();
        }
        let statement = maker.finish();
        assert_eq!((statement.results, statement.first_sequence), (3, Some(7)));
        assert_eq!(statement.last_sequence, Some(9));
        let [dinars, rand] = statement.totals.as_slice() else { panic!("{statement:?}") };
        assert_eq!((&*dinars.currency_code, dinars.settlement_amount), ("KWD", 5));
        assert_eq!((rand.succeeded, rand.failed, rand.reserve_amount), (1, 1, 100));
    }

    #[test]
    fn a_sum_that_does_not_fit_is_told() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap();
        let mut maker = StatementMaker::new(1001, day);
        maker.add(1, "ZAR", &result("0000", i64::MAX)).unwrap();
        assert_eq!(maker.add(2, "ZAR", &result("0000", 1)), None);
    }
}
