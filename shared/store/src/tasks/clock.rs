//! What moves tasks without an exchange outside: put back, free, the clock, heartbeats.

use std::time::Duration;

use fleet_domain::{
    ClientId, DueTask, Free, Heartbeat, LaneAsk, LaneId, LaneLease, LaneRoom, PurchaseId, TaskKey,
    TaskKind, Tick, TickReport,
};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{check_keys, split};
use crate::pool::{get, no_row};
use crate::{Store, StoreError};

impl Store {
    /// Puts hints back: rows of these that are still queued become waiting, due now.
    ///
    /// # Errors
    /// [`StoreError::Retry`] while Postgres is away: the same again is safe.
    pub async fn put_back(&self, keys: &[TaskKey]) -> Result<(), StoreError> {
        let Some(first) = keys.first() else { return Ok(()) };
        check_keys(first.kind, keys.iter().copied())?;
        let (purchases, slots) = split(keys.iter().copied());
        let query = sqlx::query("select fleet_put_back_v1($1, $2, $3)")
            .bind(first.kind.code())
            .bind(purchases)
            .bind(slots);
        self.row(query).await.map(drop)
    }

    /// Gives claims back of which nothing has left, as if they had never been made.
    ///
    /// # Errors
    /// [`StoreError::Retry`] while Postgres is away: the same again is safe.
    pub async fn free(&self, frees: &[Free]) -> Result<(), StoreError> {
        let Some(first) = frees.first() else { return Ok(()) };
        check_keys(first.key.kind, frees.iter().map(|free| free.key))?;
        let (purchases, slots) = split(frees.iter().map(|free| free.key));
        let tokens: Vec<Uuid> = frees.iter().map(|free| free.token.0).collect();
        let query = sqlx::query("select fleet_free_v1($1, $2, $3, $4)")
            .bind(first.key.kind.code())
            .bind(purchases)
            .bind(slots)
            .bind(tokens);
        self.row(query).await.map(drop)
    }

    /// One look of the clock at one kind.
    ///
    /// # Errors
    /// [`StoreError::Retry`] while Postgres is away: the next tick does what this one did not.
    pub async fn tick(&self, tick: &Tick) -> Result<TickReport, StoreError> {
        let room = |lane: &LaneRoom| i32::try_from(lane.room).unwrap_or(i32::MAX);
        let take_max = i32::try_from(tick.take_max.min(10_000)).unwrap_or(10_000);
        let ready = tick.queue_ready.map(|ready| i64::try_from(ready).unwrap_or(i64::MAX));
        let sql = "select * from fleet_tick_v1($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let query = sqlx::query(sql)
            .bind(tick.kind.code())
            .bind(take_max)
            .bind(tick.lanes.iter().map(|lane| lane.lane.0).collect::<Vec<_>>())
            .bind(tick.lanes.iter().map(room).collect::<Vec<_>>())
            .bind(tick.lanes.iter().map(|lane| lane.after.0).collect::<Vec<_>>())
            .bind(tick.from.map(|(lane, _)| lane.0))
            .bind(tick.from.map(|(_, client)| client.0))
            .bind(ready)
            .bind(tick.unpublished);
        let rows = self.rows(query).await?;
        let first = rows.first().ok_or_else(no_row)?;
        let mut report = TickReport {
            ours: get(first, "ours")?,
            now: get(first, "db_now")?,
            ..TickReport::default()
        };
        for row in rows.iter().skip(1) {
            told(tick.kind, row, &mut report)?;
        }
        Ok(report)
    }

    /// Tells the others what this process has seen, and leases permits; what it may use of each lane
    /// that is known. A beat that comes in after a later one gets nothing.
    ///
    /// # Errors
    /// [`StoreError::Retry`] while Postgres is away: the next beat, under a later number, says it
    /// all again.
    pub async fn beat(
        &self,
        process: Uuid,
        beat: &Heartbeat,
    ) -> Result<Vec<LaneLease>, StoreError> {
        let column = |of: fn(&LaneAsk) -> u32| -> Vec<i32> {
            beat.lanes.iter().map(|ask| i32::try_from(of(ask)).unwrap_or(i32::MAX)).collect()
        };
        let lanes: Vec<i32> = beat.lanes.iter().map(|ask| ask.lane.0).collect();
        let sql = "select lane, permits, rate, calls,
                          (extract(epoch from first_call) * 1000000)::bigint as first_micros
                   from fleet_beat_v1($1, $2, $3, $4, $5, $6, $7 * interval '1 microsecond',
                                      $8, $9, $10, $11, $12, $13)";
        let query = sqlx::query(sql)
            .bind(process)
            .bind(beat.kind.code())
            .bind(self.service())
            .bind(beat.watermark)
            .bind(i32::try_from(beat.unclaimed).unwrap_or(i32::MAX))
            .bind(i64::try_from(beat.number).unwrap_or(i64::MAX))
            .bind(i64::try_from(beat.calls_for.as_micros()).unwrap_or(i64::MAX))
            .bind(lanes)
            .bind(column(|ask| ask.held))
            .bind(column(|ask| ask.need))
            .bind(column(|ask| ask.spare))
            .bind(column(|ask| ask.calls))
            .bind(beat.lanes.iter().map(|ask| ask.probe).collect::<Vec<bool>>());
        self.rows(query).await?.iter().map(lease).collect()
    }
}

fn lease(row: &PgRow) -> Result<LaneLease, StoreError> {
    let count = |name: &'static str| -> Result<u32, StoreError> {
        let count: i32 = get(row, name)?;
        Ok(u32::try_from(count).unwrap_or(0))
    };
    let micros: i64 = get(row, "first_micros")?;
    Ok(LaneLease {
        lane: LaneId(get(row, "lane")?),
        permits: count("permits")?,
        rate_per_second: count("rate")?,
        calls: count("calls")?,
        first_call: Duration::from_micros(u64::try_from(micros).unwrap_or(0)),
    })
}

/// Takes in what one row of a look says.
fn told(kind: TaskKind, row: &PgRow, report: &mut TickReport) -> Result<(), StoreError> {
    let lane = LaneId(get(row, "lane")?);
    if get(row, "reminded")? {
        report.reminded = report.reminded.saturating_add(1);
        return Ok(());
    }
    if get(row, "goes_on")? {
        report.goes_on = Some((lane, ClientId(get(row, "client")?)));
        return Ok(());
    }
    let Some(purchase) = get(row, "purchase")? else {
        report.more.push(lane);
        return Ok(());
    };
    report.due.push(due_task(kind, purchase, get(row, "slot")?, lane.0));
    if get(row, "lost")? {
        report.lost = report.lost.saturating_add(1);
    }
    // They come lane by lane and turn by turn: the last of a lane counts.
    let client = ClientId(get(row, "client")?);
    match report.turns.last_mut() {
        Some(last) if last.0 == lane => last.1 = client,
        Some(_) | None => report.turns.push((lane, client)),
    }
    Ok(())
}

const fn due_task(kind: TaskKind, purchase: Uuid, slot: i32, lane: i32) -> DueTask {
    let key = TaskKey { purchase: PurchaseId(purchase), kind, slot };
    DueTask { key, lane: LaneId(lane) }
}
