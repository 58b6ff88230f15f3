//! A group of commits as parallel columns, the form in which the commit function takes it.

use chrono::{DateTime, Utc};
use fleet_domain::{
    Answer, Change, Commit, Decision, Next, Private, SentUntil, TokenVerdict, Tries,
};
use uuid::Uuid;

use crate::Keyring;

/// The longest text that the journal and the park list keep.
const DETAIL_CHARACTERS_MAX: usize = 500;

/// One entry per commit.
#[derive(Default)]
pub(super) struct CommitColumns {
    pub(super) purchase: Vec<Uuid>,
    pub(super) slot: Vec<i32>,
    pub(super) token: Vec<Uuid>,
    pub(super) signals: Vec<i32>,
    pub(super) definite: Vec<bool>,
    pub(super) sent: Vec<i16>,
    pub(super) sent_value: Vec<Option<DateTime<Utc>>>,
    pub(super) next: Vec<i16>,
    pub(super) wait_ms: Vec<Option<i64>>,
    pub(super) tries: Vec<i16>,
    pub(super) new_reference: Vec<bool>,
    pub(super) outcome: Vec<&'static str>,
    pub(super) detail: Vec<String>,
    pub(super) case: Vec<Option<String>>,
    pub(super) park_class: Vec<Option<&'static str>>,
    pub(super) park_cause: Vec<Option<String>>,
    pub(super) risk_minor: Vec<Option<i64>>,
    pub(super) risk_currency: Vec<Option<&'static str>>,
    pub(super) track: TrackColumns,
    pub(super) answer: AnswerColumns,
    pub(super) made: MadeColumns,
}

/// What each commit writes on its track.
#[derive(Default)]
pub(super) struct TrackColumns {
    pub(super) state: Vec<Option<&'static str>>,
    pub(super) code: Vec<Option<String>>,
    pub(super) reference: Vec<Option<String>>,
    /// Reserve: how long it holds. Deliver: when the first byte left, since the epoch.
    pub(super) hold_ms: Vec<Option<i64>>,
    pub(super) vend_amount: Vec<Option<i64>>,
    pub(super) voucher: Vec<Option<Vec<u8>>>,
    pub(super) settle_as: Vec<Option<&'static str>>,
    /// Deliver: at least one byte left. Report: what was reported. Validate: the token is valid; the
    /// threat's code and flags take the places of amount and reference.
    pub(super) flag: Vec<Option<bool>>,
    pub(super) http_status: Vec<Option<i32>>,
    /// Dispense: the supplier's own word. Reserve: the transaction that was asked about.
    pub(super) own_code: Vec<Option<String>>,
}

/// The answers, for when the fence fails.
#[derive(Default)]
pub(super) struct AnswerColumns {
    pub(super) kind: Vec<Option<&'static str>>,
    pub(super) reference: Vec<Option<String>>,
    pub(super) status: Vec<Option<String>>,
    pub(super) body: Vec<Option<Vec<u8>>>,
}

/// What the commits make: tasks, deliveries, lines of the books, each with the number of its commit
/// (from 1, as Postgres counts).
#[derive(Default)]
pub(super) struct MadeColumns {
    pub(super) task_of: Vec<i32>,
    pub(super) task_kind: Vec<i16>,
    pub(super) task_slot: Vec<i32>,
    pub(super) task_lane: Vec<i32>,
    pub(super) task_start_by: Vec<Option<DateTime<Utc>>>,
    pub(super) task_deadline: Vec<Option<DateTime<Utc>>>,
    pub(super) delivery_of: Vec<i32>,
    pub(super) delivery_slot: Vec<i32>,
    pub(super) delivery_channel: Vec<String>,
    pub(super) delivery_body: Vec<Vec<u8>>,
    pub(super) entry_of: Vec<i32>,
    pub(super) entry: Vec<&'static str>,
    pub(super) entry_amount: Vec<i64>,
    pub(super) entry_currency: Vec<&'static str>,
}

impl CommitColumns {
    pub(super) fn of(keyring: &Keyring, group: &[Commit]) -> Self {
        let mut columns = Self::default();
        for (number, commit) in (1..).zip(group) {
            let id = commit.key.purchase.0;
            columns.purchase.push(id);
            columns.slot.push(commit.key.slot);
            columns.token.push(commit.token.0);
            columns.signals.push(commit.signals);
            columns.definite.push(commit.definite);
            let (sent, value) = match commit.sent {
                SentUntil::Clear => (0, None),
                SentUntil::Keep => (1, None),
                SentUntil::Restore(value) => (2, value),
            };
            columns.sent.push(sent);
            columns.sent_value.push(value);
            columns.push_decision(&commit.decision);
            columns.track.push(keyring, id, &commit.decision.change);
            if let (Some(asked), Some(last)) =
                (&commit.decision.asked, columns.track.own_code.last_mut())
            {
                *last = Some(asked.clone());
            }
            columns.answer.push(keyring, id, commit.answer.as_ref());
            columns.made.push(keyring, id, number, &commit.decision);
        }
        columns
    }

    fn push_decision(&mut self, decision: &Decision) {
        let (next, wait_ms, park) = match &decision.next {
            Next::Finish => (1, None, None),
            Next::Now => (2, None, None),
            Next::Wait(wait) => (3, Some(milliseconds(*wait)), None),
            Next::At(at) => (5, Some(since_epoch(*at)), None),
            Next::Park { class, cause, at_risk } => (4, None, Some((class, cause, at_risk))),
        };
        self.next.push(next);
        self.wait_ms.push(wait_ms);
        self.park_class.push(park.map(|(class, _, _)| class.name()));
        self.park_cause.push(park.map(|(_, cause, _)| shortened(cause)));
        let risk = park.and_then(|(_, _, at_risk)| *at_risk);
        self.risk_minor.push(risk.map(|money| money.minor));
        self.risk_currency.push(risk.map(|money| money.currency.code()));
        self.tries.push(match decision.tries {
            Tries::Keep => 0,
            Tries::Count => 1,
            Tries::Restart => 2,
        });
        self.new_reference.push(decision.new_reference);
        self.outcome.push(decision.outcome);
        self.detail.push(shortened(&decision.detail));
        self.case.push(decision.case.as_deref().map(shortened));
    }
}

/// Table and column of the page where a buyer pays.
pub(crate) const PAYMENT_PAGE: &str = "payment_page.url";

/// One track's values, before they go to their columns.
#[derive(Default)]
struct Track {
    state: Option<&'static str>,
    code: Option<String>,
    reference: Option<String>,
    hold_ms: Option<i64>,
    vend_amount: Option<i64>,
    voucher: Option<Vec<u8>>,
    settle_as: Option<&'static str>,
    flag: Option<bool>,
    http_status: Option<i32>,
    own_code: Option<String>,
}

impl TrackColumns {
    fn push(&mut self, keyring: &Keyring, id: Uuid, change: &Change) {
        let seal = |voucher: &Private| keyring.seal("purchase.voucher", id, voucher.expose());
        let track = match change.clone() {
            Change::None => Track::default(),
            Change::Reserve { state, code, reservation, hold, page } => Track {
                state: Some(state.name()),
                code,
                reference: reservation,
                hold_ms: hold.map(milliseconds),
                voucher: page.map(|page| keyring.seal(PAYMENT_PAGE, id, page.expose())),
                ..Track::default()
            },
            Change::Dispense {
                state,
                code,
                supplier_code,
                supplier_ref,
                vend_amount,
                voucher,
                settle_as,
            } => Track {
                state: Some(state.name()),
                code,
                own_code: supplier_code,
                reference: supplier_ref,
                vend_amount,
                voucher: voucher.as_ref().map(seal),
                settle_as: settle_as.map(fleet_domain::SettleAs::name),
                ..Track::default()
            },
            Change::Settle { state } => Track { state: Some(state.name()), ..Track::default() },
            Change::Deliver { state, http_status, sent_at } => Track {
                state: Some(state.name()),
                hold_ms: sent_at.map(since_epoch),
                flag: Some(sent_at.is_some()),
                http_status,
                ..Track::default()
            },
            Change::Report { state, success } => {
                Track { state: Some(state.name()), flag: success, ..Track::default() }
            }
            Change::Validate { state, code, verdict } => Track {
                state: Some(state.name()),
                code,
                own_code: verdict.as_ref().and_then(TokenVerdict::word).map(str::to_owned),
                flag: verdict.as_ref().map(|verdict| verdict.is_valid),
                vend_amount: verdict.as_ref().map(|verdict| verdict.threat_code),
                reference: verdict.map(|verdict| shortened(&verdict.threat_flags)),
                ..Track::default()
            },
        };
        self.state.push(track.state);
        self.code.push(track.code);
        self.reference.push(track.reference);
        self.hold_ms.push(track.hold_ms);
        self.vend_amount.push(track.vend_amount);
        self.voucher.push(track.voucher);
        self.settle_as.push(track.settle_as);
        self.flag.push(track.flag);
        self.http_status.push(track.http_status);
        self.own_code.push(track.own_code);
    }
}

impl AnswerColumns {
    fn push(&mut self, keyring: &Keyring, id: Uuid, answer: Option<&Answer>) {
        self.kind.push(answer.map(|answer| answer.kind));
        self.reference.push(answer.map(|answer| answer.reference.clone()));
        self.status.push(answer.map(|answer| answer.status.clone()));
        let body = answer.map(|answer| keyring.seal("fact.body", id, answer.body.expose()));
        self.body.push(body);
    }
}

impl MadeColumns {
    fn push(&mut self, keyring: &Keyring, id: Uuid, number: i32, decision: &Decision) {
        for task in &decision.follow_ups {
            self.task_of.push(number);
            self.task_kind.push(task.kind.code());
            self.task_slot.push(task.slot);
            self.task_lane.push(task.lane.0);
            self.task_start_by.push(task.start_by);
            self.task_deadline.push(task.deadline_at);
        }
        for delivery in &decision.deliveries {
            self.delivery_of.push(number);
            self.delivery_slot.push(delivery.slot);
            self.delivery_channel.push(delivery.channel.clone());
            let body = keyring.seal("delivery.body", id, delivery.body.expose());
            self.delivery_body.push(body);
        }
        for (entry, money) in &decision.ledger {
            self.entry_of.push(number);
            self.entry.push(entry.name());
            self.entry_amount.push(money.minor);
            self.entry_currency.push(money.currency.code());
        }
    }
}

fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds since the epoch, rounded up: never earlier.
const fn since_epoch(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros().saturating_add(999).div_euclid(1_000)
}

fn shortened(text: &str) -> String {
    text.chars().take(DETAIL_CHARACTERS_MAX).collect()
}
