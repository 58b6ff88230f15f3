//! The catch-up feed of a client's results, and statements of its days.

use chrono::{DateTime, NaiveDate, Utc};
use fleet_contracts::{FeedResult, Statement, StatementMaker, TransactResult};
use fleet_domain::{ClientId, PurchaseId};
use sqlx::postgres::PgRow;

use super::row::read_purchase;
use crate::pool::{get, no_row};
use crate::{Store, StoreError};

/// New results that get their numbers at once.
const NUMBERED_MAX: i32 = 5_000;
/// Results that a statement reads at once.
const STATEMENT_PAGE: u32 = 2_000;

/// What there is to say of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementOf {
    /// The statement's text: the same each time.
    Day(String),
    /// The day is not over for long enough; results of it may still come.
    NotOver,
}

impl Store {
    /// A client's results after this number of its feed, in their order; newly ended purchases get
    /// their numbers first.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away, or when a row cannot be read.
    pub async fn results_since(
        &self,
        client: ClientId,
        since: i64,
        limit: u32,
    ) -> Result<Vec<FeedResult>, StoreError> {
        self.number_results(client).await?;
        let page = self.results_page(client, (since, i64::MAX), None, limit).await?;
        Ok(page.into_iter().map(|(result, _)| result).collect())
    }

    /// A client's statement of a day (UTC), made when it is first asked for; from then on the same
    /// text. It can be had five minutes after the day's end.
    ///
    /// # Errors
    /// [`StoreError`] while Postgres is away, or when a row cannot be read.
    pub async fn statement(
        &self,
        client: ClientId,
        day: NaiveDate,
    ) -> Result<StatementOf, StoreError> {
        if let Some(text) = self.stored_statement(client, day).await? {
            return Ok(StatementOf::Day(text));
        }
        let Some((first, last)) = self.numbered_day(client, day).await? else {
            return Ok(StatementOf::NotOver);
        };
        let statement = self.make_statement(client, day, first, last).await?;
        let text = serde_json::to_string(&statement)
            .map_err(|_error| StoreError::Unreadable("statement".to_owned()))?;
        let sql = "insert into statement (client_id, day, body) values ($1, $2, $3) \
                   on conflict do nothing";
        self.rows(sqlx::query(sql).bind(client.0).bind(day).bind(text)).await?;
        // Whoever came first has made the statement.
        let stored = self.stored_statement(client, day).await?;
        stored.map(StatementOf::Day).ok_or_else(no_row)
    }

    async fn stored_statement(
        &self,
        client: ClientId,
        day: NaiveDate,
    ) -> Result<Option<String>, StoreError> {
        let sql = "select body from statement where client_id = $1 and day = $2";
        let row = self.row(sqlx::query(sql).bind(client.0).bind(day)).await?;
        row.map(|row| get(&row, 0)).transpose()
    }

    /// The lowest and the highest number of a day, once all of its results are numbered; `None`
    /// while it is not over.
    async fn numbered_day(
        &self,
        client: ClientId,
        day: NaiveDate,
    ) -> Result<Option<(i64, i64)>, StoreError> {
        loop {
            let query = sqlx::query(include_str!("results_day.sql")).bind(client.0).bind(day);
            let row = self.row(query).await?.ok_or_else(no_row)?;
            if !get::<bool, _>(&row, "over")? {
                return Ok(None);
            }
            if get::<i64, _>(&row, "unnumbered")? == 0 {
                return Ok(Some((get(&row, "first")?, get(&row, "last")?)));
            }
            self.number_results(client).await?;
        }
    }

    async fn make_statement(
        &self,
        client: ClientId,
        day: NaiveDate,
        first: i64,
        last: i64,
    ) -> Result<Statement, StoreError> {
        let mut maker = StatementMaker::new(client.0, day);
        let mut since = first.saturating_sub(1);
        loop {
            let page = self.results_page(client, (since, last), Some(day), STATEMENT_PAGE).await?;
            let Some((newest, _)) = page.last() else { return Ok(maker.finish()) };
            since = newest.sequence;
            for (result, currency) in &page {
                maker.add(result.sequence, currency, &result.result).ok_or_else(|| {
                    StoreError::Unreadable("statement: a sum is out of range".to_owned())
                })?;
            }
        }
    }

    async fn number_results(&self, client: ClientId) -> Result<(), StoreError> {
        let query = sqlx::query("select fleet_number_results_v1($1, $2)");
        self.rows(query.bind(client.0).bind(NUMBERED_MAX)).await.map(drop)
    }

    /// Results numbered after the first and up to the second number, with their currencies.
    async fn results_page(
        &self,
        client: ClientId,
        (after, to): (i64, i64),
        day: Option<NaiveDate>,
        limit: u32,
    ) -> Result<Vec<(FeedResult, String)>, StoreError> {
        let query = sqlx::query(include_str!("results_page.sql"))
            .bind(client.0)
            .bind(after)
            .bind(to)
            .bind(day)
            .bind(i64::from(limit));
        self.rows(query).await?.iter().map(|row| self.feed_result(row)).collect()
    }

    fn feed_result(&self, row: &PgRow) -> Result<(FeedResult, String), StoreError> {
        let ended_at: DateTime<Utc> = get(row, "ended_at")?;
        let id = PurchaseId(get(row, "purchase")?);
        let unreadable = || StoreError::Unreadable(format!("result of {id}"));
        // What was frozen to be sent is what is told here too.
        let result = match get::<Option<Vec<u8>>, _>(row, "result_sealed")? {
            Some(sealed) => {
                let text = self.keyring().unseal("delivery.body", id.0, &sealed)?;
                serde_json::from_str(text.expose()).map_err(|_error| unreadable())?
            }
            None => {
                let purchase = read_purchase(self.keyring(), row)?;
                TransactResult::of_ended(&purchase, ended_at).ok_or_else(unreadable)?
            }
        };
        Ok((FeedResult { sequence: get(row, "seq")?, ended_at, result }, get(row, "currency")?))
    }
}
