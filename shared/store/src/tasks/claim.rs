//! Claims: one round trip for the tasks and what they are about.

use chrono::{DateTime, Utc};
use fleet_domain::{
    ClaimAsk, ClaimGroup, ClaimVerdict, ClaimedTask, Delivery, DeliveryState, DeskToken,
    ExchangeTimes, Fact, Job, LaneId, TaskKey, TokenState,
};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{check_keys, split};
use crate::pool::get;
use crate::purchases::read_purchase;
use crate::{Store, StoreError};

impl Store {
    /// Claims a group; one verdict per ask, in their order.
    ///
    /// # Errors
    /// [`StoreError`] for the group; a row that cannot be read is a verdict of its own.
    pub async fn claim(
        &self,
        group: &ClaimGroup,
    ) -> Result<Vec<ClaimVerdict<Box<Job>>>, StoreError> {
        let asks = &group.asks;
        if asks.is_empty() {
            return Ok(Vec::new());
        }
        check_keys(group.kind, asks.iter().map(|ask| ask.key))?;
        let (purchases, slots) = split(asks.iter().map(|ask| ask.key));
        let lanes: Vec<i32> = asks.iter().map(|ask| ask.lane.0).collect();
        let tokens: Vec<Uuid> = asks.iter().map(|ask| ask.token.0).collect();
        let lease_ms = |ask: &ClaimAsk| i64::try_from(ask.lease.as_millis()).unwrap_or(i64::MAX);
        let leases: Vec<i64> = asks.iter().map(lease_ms).collect();
        let only_ends: Vec<bool> = asks.iter().map(|ask| ask.only_ends).collect();
        let query = sqlx::query(include_str!("claim.sql"))
            .bind(group.kind.code())
            .bind(purchases)
            .bind(slots)
            .bind(lanes)
            .bind(tokens)
            .bind(leases)
            .bind(only_ends)
            .bind(group.skip_locked);
        let rows = self.rows(query).await?;
        if rows.len() != asks.len() {
            return Err(StoreError::Unreadable("a claim without a verdict".to_owned()));
        }
        asks.iter().zip(&rows).map(|(ask, row)| self.verdict(ask, row)).collect()
    }

    fn verdict(&self, ask: &ClaimAsk, row: &PgRow) -> Result<ClaimVerdict<Box<Job>>, StoreError> {
        let word: String = get(row, "verdict")?;
        let job = || match self.read_job(ask, row) {
            Ok(job) => Ok(Box::new(job)),
            Err(error) => Err(ClaimVerdict::Unreadable(error.to_string())),
        };
        Ok(match word.as_str() {
            "started" => job().map_or_else(|unreadable| unreadable, ClaimVerdict::Started),
            "resumed" => job().map_or_else(|unreadable| unreadable, ClaimVerdict::Resumed),
            "expired" => job().map_or_else(|unreadable| unreadable, ClaimVerdict::Expired),
            "busy" => ClaimVerdict::Busy,
            "not_due" => ClaimVerdict::NotDue,
            "parked" => ClaimVerdict::Parked,
            "gone" => ClaimVerdict::Gone,
            "other_lane" => ClaimVerdict::OtherLane(LaneId(get(row, "true_lane")?)),
            "held" => ClaimVerdict::Held,
            "locked" => ClaimVerdict::Locked,
            _ => return Err(StoreError::Unreadable("an unknown verdict".to_owned())),
        })
    }

    fn read_job(&self, ask: &ClaimAsk, row: &PgRow) -> Result<Job, StoreError> {
        let purchase = read_purchase(self.keyring(), row)?;
        Ok(Job {
            task: ClaimedTask {
                key: ask.key,
                lane: LaneId(get(row, "true_lane")?),
                token: ask.token,
                claims: get(row, "t_claims")?,
                tries: get(row, "t_tries")?,
                ref_no: get(row, "t_ref_no")?,
                former_sent_until: get(row, "t_former")?,
                signals: get(row, "t_signals")?,
                start_by: get(row, "t_start_by")?,
                deadline_at: get(row, "t_deadline_at")?,
                now: get(row, "claimed_at")?,
                exchange: ExchangeTimes::default(),
            },
            delivery: self.read_delivery(ask.key, row)?,
            facts: self.read_facts(ask.key, row)?,
            token: read_token(row)?,
            purchase,
        })
    }

    fn read_delivery(&self, key: TaskKey, row: &PgRow) -> Result<Option<Delivery>, StoreError> {
        let Some(state) = get::<Option<String>, _>(row, "d_state")? else { return Ok(None) };
        let sealed: Vec<u8> = get(row, "d_body")?;
        let body = self.keyring().unseal("delivery.body", key.purchase.0, &sealed)?;
        Ok(Some(Delivery {
            slot: key.slot,
            channel: get(row, "d_channel")?,
            body,
            state: DeliveryState::from_name(&state)
                .ok_or_else(|| StoreError::Unreadable("delivery.state".to_owned()))?,
            attempts: get(row, "d_attempts")?,
            first_sent_at: get(row, "d_first_sent_at")?,
        }))
    }

    fn read_facts(&self, key: TaskKey, row: &PgRow) -> Result<Vec<Fact>, StoreError> {
        let Some(sources) = get::<Option<Vec<String>>, _>(row, "f_source")? else {
            return Ok(Vec::new());
        };
        let column = |name: &str| get::<Vec<String>, _>(row, name);
        let (kinds, references) = (column("f_type")?, column("f_reference")?);
        let (statuses, ids) = (column("f_status")?, column("f_external_id")?);
        let bodies: Vec<Vec<u8>> = get(row, "f_body")?;
        let times: Vec<DateTime<Utc>> = get(row, "f_received_at")?;
        let asks: Vec<i32> = get(row, "f_asks")?;
        let asked: Vec<Option<DateTime<Utc>>> = get(row, "f_asked_at")?;
        let mut facts = Vec::with_capacity(sources.len());
        let texts = sources.into_iter().zip(kinds).zip(references).zip(statuses).zip(ids);
        let rest = bodies.into_iter().zip(times).zip(asks.into_iter().zip(asked));
        for (
            ((((source, kind), reference), status), external_id),
            ((body, received_at), (asks, asked_at)),
        ) in texts.zip(rest)
        {
            facts.push(Fact {
                source,
                kind,
                reference,
                status,
                external_id,
                body: self.keyring().unseal("fact.body", key.purchase.0, &body)?,
                received_at,
                asks,
                asked_at,
            });
        }
        Ok(facts)
    }
}

fn read_token(row: &PgRow) -> Result<Option<DeskToken>, StoreError> {
    let Some(told) = get::<Option<String>, _>(row, "k_told")? else { return Ok(None) };
    Ok(Some(DeskToken {
        expires_at: get(row, "k_expires_at")?,
        told: TokenState::from_name(&told)
            .ok_or_else(|| StoreError::Unreadable("fraud_token.told".to_owned()))?,
        success_due: get(row, "k_success_due")?,
        known_at: get(row, "k_known_at")?,
        validate_timestamp: get(row, "k_timestamp")?,
    }))
}
