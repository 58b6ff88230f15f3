//! The rules that nobody may break, by name.

/// A body that is not as the contract says.
pub(crate) const BAD_BODY: &str = "bad_body";
/// A result without its client's `Signature`, or with a wrong one.
pub(crate) const SIGNATURE: &str = "signature";
/// A call that does not carry what its party wants of its callers.
pub(crate) const CREDENTIALS: &str = "credentials";
/// A report or a validation with another `api_key`.
pub(crate) const DESK_KEY: &str = "desk_key";
/// The same reservation asked for again with another body or at another bank.
pub(crate) const RESERVE_CHANGED: &str = "reserve_changed";
/// A hold to be captured after it was cancelled, or cancelled after it was captured.
pub(crate) const CAPTURE_AND_CANCEL: &str = "capture_and_cancel";
/// A capture where nothing is held.
pub(crate) const CAPTURE_WITHOUT_RESERVE: &str = "capture_without_reserve";
/// A capture although no goods went out.
pub(crate) const CAPTURE_WITHOUT_VEND: &str = "capture_without_vend";
/// A cancel although goods went out.
pub(crate) const CANCEL_AFTER_VEND: &str = "cancel_after_vend";
/// A refund where nothing was charged.
pub(crate) const REFUND_WITHOUT_CHARGE: &str = "refund_without_charge";
/// A refund although goods went out.
pub(crate) const REFUND_AFTER_VEND: &str = "refund_after_vend";
/// Another amount or currency than before.
pub(crate) const AMOUNT_DIFFERS: &str = "amount_differs";
/// Another reference than the party gave.
pub(crate) const REFERENCE_DIFFERS: &str = "reference_differs";
/// Another target than before.
pub(crate) const TARGET_DIFFERS: &str = "target_differs";
/// A result whose body is not the one sent before.
pub(crate) const RESULT_CHANGED: &str = "result_changed";
/// A result that tells success and no goods went out.
pub(crate) const SUCCESS_WITHOUT_VEND: &str = "success_without_vend";
/// A result that tells failure and goods went out.
pub(crate) const FAILURE_AFTER_VEND: &str = "failure_after_vend";
/// A vend of a purchase whose reservation was refused.
pub(crate) const VEND_AFTER_REFUSAL: &str = "vend_after_refusal";
/// A vend of a purchase whose funds are not held: undecided, given back or taken already.
pub(crate) const VEND_WITHOUT_HOLD: &str = "vend_without_hold";
/// Goods went out twice for one purchase.
pub(crate) const TWO_VENDS: &str = "two_vends";
/// A vend under a new reference while an older one may still be out.
pub(crate) const VEND_WHILE_UNKNOWN: &str = "vend_while_unknown";
/// The same vend again at a supplier that does not deduplicate, while it may be out.
pub(crate) const REPEAT_WITHOUT_DEDUPE: &str = "repeat_without_dedupe";
/// A look-up at a supplier that has none.
pub(crate) const LOOK_UP_UNSUPPORTED: &str = "look_up_unsupported";
/// A report that turns a token's success back.
pub(crate) const REPORT_TURNED_BACK: &str = "report_turned_back";
/// Two reports on one token at the same time.
pub(crate) const REPORTS_AT_ONCE: &str = "reports_at_once";
/// A token validated again with another timestamp.
pub(crate) const TIMESTAMP_CHANGED: &str = "timestamp_changed";
/// An IPN whose `verifysign` none of the listener's keys made over its fields.
pub(crate) const IPN_SIGN: &str = "ipn_sign";
/// An IPN whose bytes are not those sent before.
pub(crate) const IPN_CHANGED: &str = "ipn_changed";
/// An IPN of a payment for which no goods went out, or of a failure for which they did.
pub(crate) const IPN_WITHOUT_VEND: &str = "ipn_without_vend";
/// An IPN whose transaction the gateway does not show, or shows otherwise.
pub(crate) const IPN_NOT_FOUND: &str = "ipn_not_found";
/// A message whose text or destination is not that sent before under its reference.
pub(crate) const MESSAGE_CHANGED: &str = "message_changed";
/// A call without the operator's user and password.
pub(crate) const BASIC_AUTH: &str = "basic_auth";
/// A call without the card processor's key.
pub(crate) const CARD_KEY: &str = "card_key";
/// A charge whose content is not that sent before under its correlator.
pub(crate) const CORRELATOR_CHANGED: &str = "correlator_changed";
/// A card payment whose content is not that sent before under its `order_info`.
pub(crate) const ORDER_CHANGED: &str = "order_changed";
/// A card payment's completion that is not the one sent before.
pub(crate) const COMPLETION_CHANGED: &str = "completion_changed";
/// A reply to a sale's check that is not as the contract says.
pub(crate) const CHECK_REPLY: &str = "check_reply";
/// A sale whose check went well although its invoice had been used.
pub(crate) const SALE_TWICE: &str = "sale_twice";
/// A reply to a card's mapping that is not signed as the contract says.
pub(crate) const MAPPING_REPLY: &str = "mapping_reply";
/// A redirect was followed.
pub(crate) const REDIRECT_FOLLOWED: &str = "redirect_followed";
