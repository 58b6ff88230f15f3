//! Heartbeats and the permits that they lease, as `fleet_beat_v1`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_domain::{Heartbeat, LaneAsk, LaneId, LaneLease, TaskKind, between, later};
use uuid::Uuid;

use super::model::{Beat, Model};

/// How far ahead calls are booked by a lane's rate.
const BOOKED_AHEAD: Duration = Duration::from_secs(1);

/// A lane's limits, and when the next call at its rate is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaneRow {
    pub(super) kind: TaskKind,
    pub(super) concurrency: u32,
    pub(super) rate_per_second: u32,
    pub(super) next_call_at: Option<DateTime<Utc>>,
}

/// What one process holds and needs of a lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct PermitRow {
    pub(super) kind: TaskKind,
    pub(super) permits: u32,
    pub(super) need: u32,
    pub(super) probe: bool,
}

impl Model {
    pub(super) fn set_lane(&mut self, lane: LaneId, kind: TaskKind, concurrency: u32, rate: u32) {
        let next_call_at = self.lanes.get(&lane).and_then(|row| row.next_call_at);
        let row = LaneRow { kind, concurrency, rate_per_second: rate, next_call_at };
        self.lanes.insert(lane, row);
    }

    pub(super) fn beat(&mut self, process: Uuid, beat: &Heartbeat) -> Vec<LaneLease> {
        let (now, kind) = (self.now, beat.kind);
        let before = self.beats.get(&(process, kind));
        if before.is_some_and(|before| before.number >= beat.number) {
            return Vec::new();
        }
        let calls_until = later(now, beat.calls_for);
        let renewed = Beat {
            at: now,
            watermark: beat.watermark.max(before.and_then(|before| before.watermark)),
            unclaimed: beat.unclaimed,
            number: beat.number,
            calls_until: before.map_or(calls_until, |before| before.calls_until.max(calls_until)),
        };
        self.beats.insert((process, kind), renewed);
        let named = |lane: LaneId| beat.lanes.iter().any(|ask| ask.lane == lane);
        let beats = &self.beats;
        self.permits.retain(|(lane, other), row| {
            if *other == process {
                return row.kind != kind || named(*lane);
            }
            let alive = |beat: &Beat| beat.calls_until > now;
            !named(*lane) || beats.get(&(*other, row.kind)).is_some_and(alive)
        });
        beat.lanes.iter().filter_map(|ask| self.lease(process, kind, ask)).collect()
    }

    fn lease(&mut self, process: Uuid, kind: TaskKind, ask: &LaneAsk) -> Option<LaneLease> {
        let row = self.lanes.get(&ask.lane).copied().filter(|row| row.kind == kind)?;
        let most = row.concurrency;
        let others: Vec<PermitRow> = self
            .permits
            .iter()
            .filter(|((lane, other), _)| *lane == ask.lane && *other != process)
            .map(|(_, row)| *row)
            .collect();
        let sum = |of: fn(&PermitRow) -> u32| others.iter().map(of).fold(0, u32::saturating_add);
        let needing = others.iter().filter(|row| row.need > 0).count();
        let needing = count(needing).saturating_add(u32::from(ask.need > 0));
        let share = most.checked_div(needing).unwrap_or(most).max(1);
        let idle = most.saturating_sub(ask.need).saturating_sub(sum(|row| row.need));
        let at_hand = idle.checked_div(count(others.len()).saturating_add(1)).unwrap_or(0);
        let of_others = others.iter().map(|row| row.need.min(share)).fold(0, u32::saturating_add);
        let own = if ask.need > 0 { share } else { 0 };
        let wanted = ask.need.saturating_add(ask.spare.min(at_hand));
        let probing = others.iter().any(|row| row.probe && row.permits > 0);
        let at_once = match (ask.probe, probing) {
            (false, _) => most,
            (true, false) => 1,
            (true, true) => 0,
        };
        let may = wanted.min(own.max(most.saturating_sub(of_others))).min(at_once);
        let may = may.min(most.saturating_sub(sum(|row| row.permits)));
        let permits = ask.held.max(may);
        if permits > 0 || ask.need > 0 || ask.probe {
            let row = PermitRow { kind, permits, need: ask.need, probe: ask.probe };
            self.permits.insert((ask.lane, process), row);
        } else {
            self.permits.remove(&(ask.lane, process));
        }
        let (calls, first_call) = self.book(ask.lane, row, ask.calls);
        let rate_per_second = row.rate_per_second;
        Some(LaneLease { lane: ask.lane, permits: may, rate_per_second, calls, first_call })
    }

    fn book(&mut self, lane: LaneId, row: LaneRow, wanted: u32) -> (u32, Duration) {
        let first = row.next_call_at.map_or(self.now, |at| at.max(self.now));
        let first_call = between(self.now, first);
        let rate = u64::from(row.rate_per_second);
        let Some(ahead) = BOOKED_AHEAD.checked_sub(first_call).filter(|_| rate > 0) else {
            return (0, first_call);
        };
        let micros = u64::try_from(ahead.as_micros()).unwrap_or(u64::MAX);
        let most = micros.saturating_mul(rate) / 1_000_000;
        let calls = wanted.min(u32::try_from(most.saturating_add(1)).unwrap_or(u32::MAX));
        if let (true, Some(row)) = (calls > 0, self.lanes.get_mut(&lane)) {
            let gaps = Duration::from_secs(u64::from(calls)).checked_div(row.rate_per_second);
            row.next_call_at = Some(later(first, gaps.unwrap_or_default()));
        }
        (calls, first_call)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
