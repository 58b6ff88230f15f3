//! What others tell us about a purchase, and who may tell it.

use chrono::{DateTime, Utc};

use crate::{FundingType, Order, Private, TaskKey, TaskKind};

/// The source of facts that are answers of our own calls.
pub const CALL: &str = "call";
/// The endpoint of suppliers' confirmations. A funding source's endpoint has the name of its type.
pub const SUPPLIER_CALLBACK: &str = "supplier_callback";
/// Facts of nobody that are kept of one source, besides those that a person decided about: the newest.
pub const UNMATCHED_KEPT: usize = 1_000;
/// Facts of one task that nobody signs and that are kept.
///
/// Anybody may send them, and what was paid for or matched by a person is kept besides. Those that were
/// asked about in vain give way first, the oldest before all; of those that were not asked about the
/// first half and the newest stay, so that neither what came before a flood nor what comes after it is
/// lost.
pub const UNSIGNED_KEPT: usize = 64;

/// Something that was told to us about a task: a callback, or the late answer of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// [`CALL`], or the endpoint that took it in and the connector ([`told_by`]).
    pub source: String,
    /// What kind of fact (`vend`, `reserve`, …).
    pub kind: String,
    /// The outside reference it speaks of (a vend reference, a `raasTxnRef`).
    pub reference: String,
    /// The code or status it tells.
    pub status: String,
    /// The other side's id, or the token of the call.
    pub external_id: String,
    /// The document itself.
    pub body: Private,
    /// The database's time.
    pub received_at: DateTime<Utc>,
    /// How often its source was asked about it and did not confirm it.
    pub asks: i32,
    /// When it was asked last.
    pub asked_at: Option<DateTime<Utc>>,
}

/// A fact to be stored: unique by source, kind, reference, status, id and what it tells; the second
/// copy is a no-op.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFact {
    /// [`CALL`], or the endpoint that took it in and the connector ([`told_by`]).
    pub source: String,
    /// What kind of fact (`vend`, `reserve`, …).
    pub kind: String,
    /// The task it is about, if it can be told.
    pub task: Option<TaskKey>,
    /// The outside reference it speaks of.
    pub reference: String,
    /// The code or status it tells.
    pub status: String,
    /// The other side's id.
    pub external_id: String,
    /// All else that it tells and that matters, in one form.
    ///
    /// It makes a corrected or fuller document another fact, and the same one again the same. Only a
    /// keyed digest of it is stored.
    pub meaning: Private,
    /// The document itself.
    pub body: Private,
}

/// The source of facts that a connector tells at an endpoint.
#[must_use]
pub fn told_by(endpoint: &str, connector: &str) -> String {
    format!("{endpoint}:{connector}")
}

/// Whether facts of this source prove who tells them.
#[must_use]
pub fn is_signed(source: &str) -> bool {
    let endpoint = source.split_once(':').map_or(source, |(endpoint, _)| endpoint);
    ![FundingType::MoCharge, FundingType::CardPayment].iter().any(|one| one.name() == endpoint)
}

impl Order {
    /// Whether a source may speak of this part of the purchase.
    ///
    /// That is the connector that the purchase names for it, and our own late answers. Nothing follows
    /// from the words of any other, whatever secret it proves to know.
    #[must_use]
    pub fn is_told_by(&self, kind: TaskKind, source: &str) -> bool {
        if source == CALL {
            return true;
        }
        let teller = match kind {
            TaskKind::Dispense => told_by(SUPPLIER_CALLBACK, &self.supplier),
            TaskKind::Reserve | TaskKind::Settle | TaskKind::Refund
                if self.funding != FundingType::Client =>
            {
                told_by(self.funding.name(), &self.funding_source)
            }
            TaskKind::Reserve
            | TaskKind::Settle
            | TaskKind::Refund
            | TaskKind::Deliver
            | TaskKind::Notify
            | TaskKind::Report
            | TaskKind::Case
            | TaskKind::Validate => return false,
        };
        source == teller
    }
}
