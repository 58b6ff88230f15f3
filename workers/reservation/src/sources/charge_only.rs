//! A source that takes the money at once and has no call for giving it back: what is not dispensed
//! is owed to the buyer, and a person pays it back.

use fleet_engine::{CallError, Refusal};

/// The journal's word for it.
const NO_REFUND_CALL: &str = "no_refund_call";

pub(super) fn gives_nothing_back() -> CallError {
    let refusal = Refusal {
        code: NO_REFUND_CALL.to_owned(),
        own_code: None,
        retryable: false,
        reference_used: false,
        retry_after: None,
    };
    CallError::Refused { refusal }
}
