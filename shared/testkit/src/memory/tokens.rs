//! The fraud desk's tokens: one report in flight on each.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_contracts::REPORT_WEEK;
use fleet_domain::{
    ClaimAsk, ClaimToken, Commit, DeskToken, DispenseState, Order, PurchaseId, TaskKey, TaskKind,
    TaskState, TokenState, TokenVerdict, later,
};
use fleet_store::{ReportView, TokenView};

use super::model::Model;

/// How long a token is kept for the report that waited the longest.
const PROMISED_FOR: Duration = Duration::from_secs(10);

/// (desk, token).
pub(super) type TokenKey = (String, String);

#[derive(Debug, Clone)]
pub(super) struct TokenRow {
    known_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    told: TokenState,
    success_due: bool,
    busy_with: Option<ClaimToken>,
    promised_to: Option<PurchaseId>,
    busy_until: Option<DateTime<Utc>>,
    validate_timestamp: Option<String>,
    verdict: Option<(TokenVerdict, DateTime<Utc>)>,
}

fn key_of(order: &Order) -> Option<TokenKey> {
    let (fraud, token) = order.fraud_token()?;
    Some((fraud.desk.clone()?, token.to_owned()))
}

const fn report_of(purchase: PurchaseId) -> TaskKey {
    TaskKey { purchase, kind: TaskKind::Report, slot: 0 }
}

impl Model {
    fn token_key(&self, id: PurchaseId) -> Option<TokenKey> {
        key_of(&self.purchases.get(&id)?.purchase.order)
    }

    /// A token is known from the first purchase that names it.
    pub(super) fn know_token(&mut self, order: &Order) {
        let (Some(key), Some((fraud, _))) = (key_of(order), order.fraud_token()) else { return };
        let now = self.now;
        self.tokens.entry(key).or_insert_with(|| TokenRow {
            known_at: now,
            expires_at: later(fraud.token_created_at.unwrap_or(now).min(now), REPORT_WEEK),
            told: TokenState::Nothing,
            success_due: false,
            busy_with: None,
            promised_to: None,
            busy_until: None,
            validate_timestamp: fraud.validate_timestamp.clone(),
            verdict: None,
        });
        let report = ReportView {
            state: "queued".to_owned(),
            success: None,
            reported_at: None,
            waits_since: None,
            token: None,
        };
        self.reports.insert(order.id, report);
    }

    /// Takes the token of a report that is to be claimed; false when it has to wait.
    pub(super) fn take_token(&mut self, ask: &ClaimAsk, lease: DateTime<Utc>) -> bool {
        let (now, id) = (self.now, ask.key.purchase);
        let Some(key) = self.token_key(id) else { return true };
        let dispensed = self
            .purchases
            .get(&id)
            .is_some_and(|row| row.purchase.progress.dispense == DispenseState::Dispensed);
        let Some(row) = self.tokens.get_mut(&key) else { return true };
        let is_open =
            row.busy_until.is_none_or(|until| until <= now) || row.promised_to == Some(id);
        if is_open {
            row.busy_with = Some(ask.token);
            row.promised_to = None;
            row.busy_until = Some(lease);
            row.success_due |= dispensed;
        }
        let busy_until = row.busy_until.unwrap_or(now);
        if let Some(report) = self.reports.get_mut(&id) {
            report.waits_since = if is_open { None } else { report.waits_since.or(Some(now)) };
        }
        if !is_open && let Some(task) = self.tasks.get_mut(&ask.key) {
            task.state = TaskState::Waiting;
            task.due_at = busy_until;
        }
        is_open
    }

    /// A claim has ended: its token is free, for the report that waited the longest.
    pub(super) fn give_token(&mut self, id: PurchaseId, claim: ClaimToken, told: Option<bool>) {
        let now = self.now;
        let Some(key) = self.token_key(id) else { return };
        let Some(row) = self.tokens.get_mut(&key) else { return };
        if let Some(success) = told {
            let stays = success || row.told == TokenState::Success;
            row.told = if stays { TokenState::Success } else { TokenState::Failure };
            row.success_due |= success;
        }
        if row.busy_with == Some(claim) {
            row.busy_with = None;
            row.busy_until = None;
        }
        if row.busy_until.is_some() {
            return;
        }
        let waits = |task: &super::model::Task| {
            matches!(task.state, TaskState::Queued | TaskState::Waiting)
        };
        let next = self
            .reports
            .iter()
            .filter_map(|(id, report)| Some((report.waits_since?, *id)))
            .filter(|(_, id)| self.tasks.get(&report_of(*id)).is_some_and(waits))
            .filter(|(_, id)| self.token_key(*id).as_ref() == Some(&key))
            .min();
        let Some((_, next)) = next else { return };
        if let Some(row) = self.tokens.get_mut(&key) {
            row.promised_to = Some(next);
            row.busy_until = Some(later(now, PROMISED_FOR));
        }
        if let Some(task) = self.tasks.get_mut(&report_of(next))
            && task.state == TaskState::Waiting
        {
            task.due_at = now;
        }
    }

    pub(super) fn token_validated(&mut self, commit: &Commit, verdict: TokenVerdict) {
        let now = self.now;
        let key = self.token_key(commit.key.purchase);
        if let Some(row) = key.and_then(|key| self.tokens.get_mut(&key)) {
            row.verdict = Some((verdict, now));
        }
    }

    /// What a report or validate task learns of its token.
    pub(super) fn desk_token(&self, key: TaskKey) -> Option<DeskToken> {
        if !matches!(key.kind, TaskKind::Report | TaskKind::Validate) {
            return None;
        }
        let row = self.tokens.get(&self.token_key(key.purchase)?)?;
        Some(DeskToken {
            expires_at: row.expires_at,
            told: row.told,
            success_due: row.success_due,
            known_at: row.known_at,
            validate_timestamp: row.validate_timestamp.clone(),
        })
    }

    pub(super) fn report_view(&self, id: PurchaseId) -> Option<ReportView> {
        let report = self.reports.get(&id)?.clone();
        let key = self.token_key(id);
        let token = key.and_then(|key| {
            let row = self.tokens.get(&key)?;
            let verdict = row.verdict.as_ref().map(|(verdict, _)| verdict);
            Some(TokenView {
                desk: key.0,
                told: row.told,
                success_due: row.success_due,
                expires_at: row.expires_at,
                busy_until: row.busy_until,
                is_valid: verdict.map(|verdict| verdict.is_valid),
                threat_code: verdict.map(|verdict| verdict.threat_code),
                threat_flags: verdict.map(|verdict| verdict.threat_flags.clone()),
                validated_at: row.verdict.as_ref().map(|(_, at)| *at),
            })
        });
        Some(ReportView { token, ..report })
    }
}
