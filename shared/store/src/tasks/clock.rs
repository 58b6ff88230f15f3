//! What moves tasks without an exchange outside: put back, free, the clock, heartbeats.

use fleet_domain::{
    DueTask, Free, Heartbeat, LaneId, PurchaseId, TaskKey, TaskKind, Tick, TickReport,
};
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
        let (lanes, rooms): (Vec<i32>, Vec<i32>) = tick
            .lane_room
            .iter()
            .map(|(lane, room)| (lane.0, i32::try_from(*room).unwrap_or(i32::MAX)))
            .unzip();
        let take_max = i32::try_from(tick.take_max.min(10_000)).unwrap_or(10_000);
        let ready = tick.queue_ready.map(|ready| i64::try_from(ready).unwrap_or(i64::MAX));
        let sql = "select * from fleet_tick_v1($1, $2, $3, $4, $5)";
        let query = sqlx::query(sql)
            .bind(tick.kind.code())
            .bind(take_max)
            .bind(lanes)
            .bind(rooms)
            .bind(ready);
        let rows = self.rows(query).await?;
        let first = rows.first().ok_or_else(no_row)?;
        let mut report = TickReport {
            ours: get(first, "ours")?,
            now: get(first, "db_now")?,
            ..TickReport::default()
        };
        for row in rows.iter().skip(1) {
            if get(row, "reminded")? {
                report.reminded = report.reminded.saturating_add(1);
                continue;
            }
            report.due.push(due_task(
                tick.kind,
                get(row, "purchase")?,
                get(row, "slot")?,
                get(row, "lane")?,
            ));
            if get(row, "lost")? {
                report.lost = report.lost.saturating_add(1);
            }
        }
        Ok(report)
    }

    /// Tells the others what this process has seen; the number of live processes of the kind.
    ///
    /// # Errors
    /// [`StoreError::Retry`] while Postgres is away.
    pub async fn beat(&self, process: Uuid, beat: &Heartbeat) -> Result<u32, StoreError> {
        let query = sqlx::query("select fleet_beat_v1($1, $2, $3, $4, $5)")
            .bind(process)
            .bind(beat.kind.code())
            .bind(self.service())
            .bind(beat.watermark)
            .bind(i32::try_from(beat.unclaimed).unwrap_or(i32::MAX));
        let row = self.row(query).await?.ok_or_else(no_row)?;
        let alive: i32 = get(&row, 0)?;
        Ok(u32::try_from(alive).unwrap_or(1))
    }
}

const fn due_task(kind: TaskKind, purchase: Uuid, slot: i32, lane: i32) -> DueTask {
    let key = TaskKey { purchase: PurchaseId(purchase), kind, slot };
    DueTask { key, lane: LaneId(lane) }
}
