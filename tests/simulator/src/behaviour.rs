//! What a party does with one call: whether it has the effect, and how it answers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is asked of a party: a script has one list of behaviours for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A bank's *reserve funds*.
    Reserve,
    /// A bank's look-up of a reservation.
    ReservationLookUp,
    /// The result for the bank: capture or cancel.
    Settle,
    /// The refund of a charge.
    Refund,
    /// A supplier's vend.
    Vend,
    /// A supplier's look-up of a vend.
    VendLookUp,
    /// A supplier's validation of an account.
    ValidateAccount,
    /// A result for a client.
    Result,
    /// An IPN for a client.
    Ipn,
    /// A report to the fraud desk.
    Report,
    /// A token's validation by the fraud desk.
    Validate,
    /// A message to a person.
    Message,
    /// An operator's charge by SMS.
    MoCharge,
    /// An operator's check of a transaction.
    MoCheck,
    /// A card payment at its processor.
    CardPayment,
    /// A card processor's Transaction Query.
    CardQuery,
    /// A card payment's completion for a client.
    Completion,
    /// An app's sale at a card gateway.
    Sale,
    /// A card gateway's status of a sale.
    SaleStatus,
}

/// The behaviours of one purchase, used in order; the last one repeats.
pub type Plan = BTreeMap<Action, Vec<Behaviour>>;

/// What a party does with one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// Whether it does what is asked. A look-up has no effect of its own.
    #[serde(default)]
    pub effect: bool,
    /// How long after the call's arrival the effect happens, even if the caller has left.
    #[serde(default)]
    pub effect_after_ms: u64,
    /// How long the answer takes, besides the latency of every call.
    #[serde(default)]
    pub answer_after_ms: u64,
    /// A vend that the supplier accepts now and decides later, at a look-up. For a sale: how many
    /// polls of its status find it as it is, and then what becomes of it, as in `confirm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// What a supplier that confirms by callback sends, in order. For a charge by SMS or a card
    /// payment: what the buyer does; nothing here means that the buyer pays within 300 ms. For a sale:
    /// what becomes of it; nothing here means that it is approved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirm: Vec<Confirmation>,
    /// How it answers.
    pub answer: AnswerKind,
}

/// How an accepted vend is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// This many look-ups still find it pending.
    pub look_ups: u32,
    /// Then its code is this; `0000` has the effect.
    pub code: String,
}

/// One callback of a supplier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The response code that it tells. For a buyer, a word and perhaps in which way: `CHARGED`
    /// (`/number`, `/second`, `/amount`, `/test`, `/msisdn`, `/forged`, `/untold`) or an error's status
    /// by SMS;
    /// `SUCCESS` (`/bare`, `/quoted`, `/second`, `/amount`, `/order`, `/forged`, `/untold`) or `FAILED` with a
    /// card; `SILENT` for nothing at all. For a sale, what becomes of it: `approved` (`/untold`,
    /// `/amount`, `/control`, `/unverified`), `declined` (`/contrary`), `filtered`, `error`,
    /// `redirect`, `reversal`, `chargeback`, or a status that is told and changes nothing.
    pub code: String,
    /// How long after the vend it leaves.
    #[serde(default)]
    pub after_ms: u64,
    /// Send it, and wait for the gateway to take it, before the vend itself is answered.
    #[serde(default)]
    pub before_answer: bool,
}

/// How a call is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// 200 with the contract's body and this response code. `0000` is the truthful answer: what
    /// the party has recorded. For a listener it is its acknowledgement (202).
    Code(String),
    /// Another HTTP status.
    Status {
        /// The status.
        status: u16,
        /// `Retry-After`, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_seconds: Option<u32>,
    },
    /// The truthful answer, with NUL and BEL behind its references, and 500 letters behind a
    /// supplier's.
    DirtyReferences,
    /// 200 with these bytes.
    Bytes(Vec<u8>),
    /// The truthful answer behind a byte order mark, with these fields in place of its own.
    Odd(serde_json::Map<String, serde_json::Value>),
    /// Written to the connection byte by byte.
    Wire(Wire),
    /// 200 with a body that is no JSON.
    Garbage,
    /// A redirect to a path that must never be called.
    Redirect,
    /// No answer until the caller leaves, for 120 s at most; then the connection is reset.
    Hang,
    /// The connection is reset.
    Reset,
    /// The connection is closed without a byte, as when a kept-alive one had gone stale.
    Close,
    /// 200 and a body that comes one byte a second, for 120 s.
    Drip,
    /// 200 and a body of 64 KiB pieces, up to 1 GiB.
    Endless,
}

/// An answer as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    /// What stands behind `HTTP/1.1 `: the status and its word.
    pub status: String,
    /// Header lines as they are, each with its own end.
    #[serde(default)]
    pub head: Vec<u8>,
    /// The body, in place of the truthful one.
    #[serde(default)]
    pub body: Option<Vec<u8>>,
    /// How the truthful body is written.
    #[serde(default)]
    pub charset: Charset,
    /// The length that is told; none where the head tells it, or the end of the connection.
    #[serde(default)]
    pub length: Length,
    /// How it ends.
    #[serde(default)]
    pub ending: Ending,
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Charset {
    /// As JSON has it.
    #[default]
    Utf8,
    /// Behind a byte order mark.
    Utf8Marked,
    /// Behind a byte order mark, the low byte first.
    Utf16,
    /// One byte a character.
    Latin1,
}

/// Which `Content-Length` is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// The body's.
    #[default]
    True,
    /// This one.
    Said(u64),
    /// None.
    Untold,
}

/// What becomes of the connection after the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It is closed.
    #[default]
    Close,
    /// It is reset.
    Reset,
    /// It stays open, for 120 s at most.
    Open,
}

impl Wire {
    /// The truthful answer with this status.
    #[must_use]
    pub fn status(status: &str) -> Self {
        Self {
            status: status.to_owned(),
            head: Vec::new(),
            body: None,
            charset: Charset::default(),
            length: Length::default(),
            ending: Ending::default(),
        }
    }

    /// Whether it is the whole truth.
    pub(crate) fn is_truth(&self) -> bool {
        self.status.starts_with('2')
            && self.body.is_none()
            && !matches!(self.length, Length::Said(_))
    }

    /// With these header lines.
    #[must_use]
    pub fn with_head(mut self, head: &[u8]) -> Self {
        self.head = head.to_vec();
        self
    }

    /// With this body.
    #[must_use]
    pub fn with_body(mut self, body: &[u8]) -> Self {
        self.body = Some(body.to_vec());
        self
    }

    /// Written like this.
    #[must_use]
    pub const fn written(mut self, charset: Charset) -> Self {
        self.charset = charset;
        self
    }

    /// Telling this length.
    #[must_use]
    pub const fn saying(mut self, length: Length) -> Self {
        self.length = length;
        self
    }

    /// Ending like this.
    #[must_use]
    pub const fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }
}

impl Behaviour {
    /// Does it and says so.
    #[must_use]
    pub fn ok() -> Self {
        Self::effect_then(AnswerKind::Code("0000".to_owned()))
    }

    /// Does it, then answers in some way.
    #[must_use]
    pub const fn effect_then(answer: AnswerKind) -> Self {
        Self {
            effect: true,
            effect_after_ms: 0,
            answer_after_ms: 0,
            pending: None,
            confirm: Vec::new(),
            answer,
        }
    }

    /// Does nothing and answers in some way.
    #[must_use]
    pub fn no_effect(answer: AnswerKind) -> Self {
        Self { effect: false, ..Self::effect_then(answer) }
    }

    /// Does nothing and answers with a code.
    #[must_use]
    pub fn refuses(code: &str) -> Self {
        Self::no_effect(AnswerKind::Code(code.to_owned()))
    }

    /// Does nothing and answers with an HTTP status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::no_effect(AnswerKind::Status { status, retry_after_seconds: None })
    }

    /// Does it at once and says so late.
    #[must_use]
    pub fn slow(milliseconds: u64) -> Self {
        Self { answer_after_ms: milliseconds, ..Self::ok() }
    }

    /// Accepts a vend (`2236`); after this many look-ups it has the code.
    #[must_use]
    pub fn pending(look_ups: u32, code: &str) -> Self {
        let pending = Pending { look_ups, code: code.to_owned() };
        Self { pending: Some(pending), ..Self::refuses("2236") }
    }

    /// Accepts a vend (`2236`) and confirms it by callbacks; the goods go out at once if one of
    /// them says `0000`.
    #[must_use]
    pub fn confirms(confirm: Vec<Confirmation>) -> Self {
        let effect = confirm.iter().any(|confirmation| confirmation.code == "0000");
        Self { effect, confirm, ..Self::refuses("2236") }
    }

    /// Asks the buyer, who does all this, each some milliseconds after being asked.
    #[must_use]
    pub fn asks(deeds: &[(u64, &str)]) -> Self {
        let confirm = deeds.iter().map(|(after_ms, code)| Confirmation::after(*after_ms, code));
        Self { confirm: confirm.collect(), ..Self::ok() }
    }

    pub(crate) const fn effect_wait(&self) -> Duration {
        Duration::from_millis(self.effect_after_ms)
    }

    pub(crate) const fn answer_wait(&self) -> Duration {
        Duration::from_millis(self.answer_after_ms)
    }
}

impl AnswerKind {
    /// The response code of a readable answer.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Code(code) => Some(code),
            Self::DirtyReferences | Self::Odd(_) => Some("0000"),
            Self::Wire(wire) => wire.status.starts_with('2').then_some("0000"),
            Self::Status { .. }
            | Self::Bytes(_)
            | Self::Garbage
            | Self::Redirect
            | Self::Hang
            | Self::Reset
            | Self::Close
            | Self::Drip
            | Self::Endless => None,
        }
    }
}

impl Confirmation {
    /// A callback some time after the vend.
    #[must_use]
    pub fn after(after_ms: u64, code: &str) -> Self {
        Self { code: code.to_owned(), after_ms, before_answer: false }
    }

    /// A callback that the gateway has taken before the vend is answered.
    #[must_use]
    pub fn before_answer(code: &str) -> Self {
        Self { code: code.to_owned(), after_ms: 0, before_answer: true }
    }
}

impl Action {
    pub(crate) const fn is_look_up(self) -> bool {
        matches!(self, Self::ReservationLookUp | Self::VendLookUp)
    }

    /// Scripts of these calls are chosen by what the call itself is about: the payer's number or
    /// the amount, never the purchase's target.
    pub(crate) const fn is_of_payer(self) -> bool {
        let is_sms = matches!(self, Self::MoCharge | Self::MoCheck);
        let is_page = matches!(self, Self::CardPayment | Self::CardQuery);
        is_sms || is_page || matches!(self, Self::Sale | Self::SaleStatus)
    }
}
