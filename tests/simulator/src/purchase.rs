//! What the parties together know of one purchase.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::record::EffectKind;

/// A body's fingerprint: bodies themselves are not kept.
pub(crate) type Fingerprint = [u8; 32];

pub(crate) fn fingerprint(body: &[u8]) -> Fingerprint {
    Sha256::digest(body).into()
}

/// One purchase.
#[derive(Default)]
pub(crate) struct Purchase {
    pub(crate) target: Option<Arc<str>>,
    pub(crate) client_ref: Option<Arc<str>>,
    /// The purchase's amount in minor units and its currency, as whoever came first told it.
    pub(crate) amount: Option<(i64, Arc<str>)>,
    pub(crate) hold: Option<Hold>,
    /// The buyer has been asked by an operator or a card processor.
    pub(crate) is_prompted: bool,
    /// And has been let act.
    pub(crate) has_acted: bool,
    /// The number of the transaction that took the money.
    pub(crate) paid: Option<Arc<str>>,
    /// The numbers of all of them.
    pub(crate) transactions: Vec<Arc<str>>,
    /// By supplier and vend reference, in the order of the references.
    pub(crate) vends: BTreeMap<(Arc<str>, Arc<str>), Vend>,
    /// The frozen body of its result, by client.
    pub(crate) results: BTreeMap<i64, Fingerprint>,
    pub(crate) counts: BTreeMap<EffectKind, u64>,
    /// Positions in the record.
    pub(crate) effects: Vec<usize>,
    pub(crate) calls: Vec<usize>,
}

/// A bank's side of a purchase.
pub(crate) struct Hold {
    pub(crate) bank: Arc<str>,
    pub(crate) body: Fingerprint,
    pub(crate) amount: i64,
    pub(crate) reference: Arc<str>,
    pub(crate) state: HoldState,
    /// The body of the result that settled it, without its timestamp.
    pub(crate) settled_by: Option<Fingerprint>,
}

/// Where a hold stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HoldState {
    /// Asked for, nothing decided.
    Undecided,
    /// Refused for good, with this code.
    Refused(String),
    /// The funds are held.
    Held,
    /// The funds are taken.
    Captured,
    /// The funds are given back.
    Cancelled,
    /// The money was taken at once, without a hold.
    Charged,
    /// And it went back.
    Refunded,
}

/// A supplier's side of one vend reference.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Vend {
    pub(crate) state: VendState,
    pub(crate) told: Told,
    /// How often goods went out under this reference.
    pub(crate) times_done: u32,
    #[serde(skip)]
    pub(crate) product: i64,
    #[serde(skip)]
    pub(crate) amount: i64,
    #[serde(skip)]
    pub(crate) supplier_ref: Option<Arc<str>>,
    #[serde(skip)]
    pub(crate) voucher: Option<Arc<str>>,
}

/// Where a vend stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VendState {
    /// Asked for, nothing decided.
    Undecided,
    /// Accepted; decided after so many look-ups.
    Pending {
        /// Look-ups that still find it pending.
        look_ups: u32,
        /// Its code then.
        code: String,
    },
    /// Goods are out.
    Done,
    /// Refused, with this code.
    Refused(String),
}

/// What the fleet was told of a vend, by the newest answer that told anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    /// No readable answer yet.
    Nothing,
    /// The supplier works on it.
    Pending,
    /// Goods are out.
    Done,
    /// Refused.
    Refused,
    /// A look-up did not find it.
    NotFound,
}

impl Vend {
    /// Whether the fleet cannot know that nothing went out under this reference.
    pub(crate) const fn may_be_out(&self) -> bool {
        !matches!(self.told, Told::Refused | Told::NotFound)
    }

    /// Goods went out, and the fleet was not told the contrary.
    pub(crate) const fn is_out(&self) -> bool {
        self.times_done > 0 && self.may_be_out()
    }
}

impl Purchase {
    pub(crate) fn count(&self, kind: EffectKind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or(0)
    }

    /// Goods went out as far as anybody knows: in fact, or by a supplier's word.
    pub(crate) fn is_vended(&self) -> bool {
        self.vends.values().any(|vend| vend.times_done > 0 || vend.told == Told::Done)
    }
}
