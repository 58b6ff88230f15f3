//! The ways in which one answer gets lost: the same for every party.

use crate::behaviour::{AnswerKind, Behaviour};

/// A late effect comes this long after the call, in milliseconds: later than the calls of fleets
/// that are set up to wait less.
const LATE_EFFECT_MS: u64 = 2_500;

/// How the answer to one call gets lost. The next call of the same kind goes well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Nothing is done and no answer comes.
    HangBefore,
    /// It is done and no answer comes.
    EffectThenHang,
    /// It is done and the connection is reset.
    EffectThenReset,
    /// It is done and the answer is 500.
    EffectThen500,
    /// It is done and the answer is a 200 that is no JSON.
    Garbage,
    /// It is done and the answer drips, a byte a second.
    Drip,
    /// It is done and the answer does not end before 1 GiB.
    Endless,
    /// Nothing is done and the answer is a redirect.
    Redirect,
    /// It is done and the connection is closed without a byte, as a kept-alive one that had gone
    /// stale: an HTTP client that repeats by itself would do it twice.
    StaleKeepAlive,
    /// No answer comes, and it is done when the caller may have left.
    LateEffect,
}

impl Fault {
    /// Every fault; its place is the last digit of its scripts.
    pub const ALL: [Self; 10] = [
        Self::HangBefore,
        Self::EffectThenHang,
        Self::EffectThenReset,
        Self::EffectThen500,
        Self::Garbage,
        Self::Drip,
        Self::Endless,
        Self::Redirect,
        Self::StaleKeepAlive,
        Self::LateEffect,
    ];

    /// What the party does with the call that it hits.
    #[must_use]
    pub fn behaviour(self) -> Behaviour {
        let status = AnswerKind::Status { status: 500, retry_after_seconds: None };
        match self {
            Self::HangBefore => Behaviour::no_effect(AnswerKind::Hang),
            Self::EffectThenHang => Behaviour::effect_then(AnswerKind::Hang),
            Self::EffectThenReset => Behaviour::effect_then(AnswerKind::Reset),
            Self::EffectThen500 => Behaviour::effect_then(status),
            Self::Garbage => Behaviour::effect_then(AnswerKind::Garbage),
            Self::Drip => Behaviour::effect_then(AnswerKind::Drip),
            Self::Endless => Behaviour::effect_then(AnswerKind::Endless),
            Self::Redirect => Behaviour::no_effect(AnswerKind::Redirect),
            Self::StaleKeepAlive => Behaviour::effect_then(AnswerKind::Close),
            Self::LateEffect => Behaviour {
                effect_after_ms: LATE_EFFECT_MS,
                ..Behaviour::effect_then(AnswerKind::Hang)
            },
        }
    }

    /// True when the party does what it was asked, now or later.
    #[must_use]
    pub const fn has_effect(self) -> bool {
        !matches!(self, Self::HangBefore | Self::Redirect)
    }
}
