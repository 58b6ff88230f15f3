//! The built-in scripts, chosen by a purchase's own numbers.

use serde::Serialize;

use crate::behaviour::{Action, AnswerKind, Behaviour, Confirmation, Pending, Plan};
use crate::faults::Fault;

/// One built-in script.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Script {
    /// The last four digits of a purchase's `targetIdentifier`. For a listener that has seen
    /// neither reserve nor vend, a `clientTxnRef` that begins with `s<code>-`; for the desk, a
    /// token that ends in `-s<code>`; for an operator, the payer's number; for a card processor
    /// and a card gateway, the amount in minor units.
    pub code: &'static str,
    /// In short.
    pub name: &'static str,
    /// What happens.
    pub meaning: &'static str,
    /// Whose behaviour it is: bank, supplier, listener, desk, provider, operator, card
    /// processor or card gateway.
    pub party: &'static str,
    #[serde(skip)]
    make: fn() -> Plan,
}

impl Script {
    const fn new(
        code: &'static str,
        name: &'static str,
        meaning: &'static str,
        make: fn() -> Plan,
    ) -> Self {
        let party = match code.as_bytes() {
            [_, b'1', ..] => "bank",
            [_, b'2' | b'3', ..] => "supplier",
            [_, b'4', ..] => "listener",
            [_, b'6', ..] => "provider",
            [_, b'7', ..] => "operator",
            [_, b'8', ..] => "card",
            [_, b'9', ..] => "card gateway",
            _ => "desk",
        };
        Self { code, name, meaning, party, make }
    }

    /// Its behaviours.
    #[must_use]
    pub fn plan(&self) -> Plan {
        (self.make)()
    }

    pub(crate) fn of_code(code: &str) -> Option<&'static Self> {
        SCRIPTS.iter().find(|script| script.code == code)
    }
}

impl std::fmt::Display for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, name, meaning, party, .. } = self;
        write!(f, "{code}  {party:12}  {name:28}  {meaning}")
    }
}

/// Every built-in script.
///
/// Any other number means `ok`: all parties do what they are asked; a
/// supplier that confirms by callback answers `2236` and confirms within 300 ms, and a buyer who is
/// asked by SMS or with a card pays within 300 ms; a sale is approved at once and told within 300 ms.
#[rustfmt::skip]
pub const SCRIPTS: &[Script] = &[
    // 91xx: the bank.
    Script::new("9101", "bank_declines", "reserve is refused with 2010, insufficient funds", || reserve([Behaviour::refuses("2010")])),
    Script::new("9102", "bank_slow_2s", "reserve takes effect and answers after 2 s", || reserve([Behaviour::slow(2_000)])),
    Script::new("9103", "bank_slow_8s", "reserve takes effect and answers after 8 s", || reserve([Behaviour::slow(8_000)])),
    Script::new("9104", "bank_slow_30s", "reserve takes effect and answers after 30 s", || reserve([Behaviour::slow(30_000)])),
    Script::new("9105", "bank_account_not_mapped", "reserve is refused with 2030", || reserve([Behaviour::refuses("2030")])),
    Script::new("9106", "bank_busy_twice", "reserve answers 2060 twice and nothing is held, then it is", || reserve([Behaviour::refuses("2060"), Behaviour::refuses("2060"), Behaviour::ok()])),
    Script::new("9107", "reserve_effect_then_hang", "funds are held and the answer never comes", || reserve([Behaviour::effect_then(AnswerKind::Hang), Behaviour::ok()])),
    Script::new("9108", "reserve_effect_then_reset", "funds are held and the connection is reset", || reserve([Behaviour::effect_then(AnswerKind::Reset), Behaviour::ok()])),
    Script::new("9109", "reserve_effect_then_500", "funds are held and the answer is 500", || reserve([effect_then_status(500), Behaviour::ok()])),
    Script::new("9110", "reserve_hang_before_effect", "nothing is held and the answer never comes; then all is well", || reserve([Behaviour::no_effect(AnswerKind::Hang), Behaviour::ok()])),
    Script::new("9111", "reserve_garbage", "funds are held and the answer is a 200 that is no JSON", || reserve([Behaviour::effect_then(AnswerKind::Garbage), Behaviour::ok()])),
    Script::new("9112", "bank_429", "reserve answers 429 with Retry-After 1 and nothing is held, then it is", || reserve([busy(), Behaviour::ok()])),
    Script::new("9113", "reserve_reset_before_effect", "nothing is held and the connection is reset; then all is well", || reserve([Behaviour::no_effect(AnswerKind::Reset), Behaviour::ok()])),
    Script::new("9114", "reserve_dirty_reference", "funds are held and the reference holds NUL", || reserve([Behaviour::effect_then(AnswerKind::DirtyReferences)])),
    Script::new("9121", "settle_effect_then_500", "capture or cancel takes effect and the answer is 500", || settle([effect_then_status(500), Behaviour::ok()])),
    Script::new("9122", "settle_effect_then_reset", "capture or cancel takes effect and the connection is reset", || settle([Behaviour::effect_then(AnswerKind::Reset), Behaviour::ok()])),
    Script::new("9123", "settle_hang_before_effect", "capture or cancel does nothing and never answers; then all is well", || settle([Behaviour::no_effect(AnswerKind::Hang), Behaviour::ok()])),
    Script::new("9124", "settle_refused", "capture and cancel are refused with 2080: the hold stays", || settle([Behaviour::refuses("2080")])),
    Script::new("9131", "refund_effect_then_500", "the vend is refused with 2213; the charge is refunded and the answer is 500", || unwanted([effect_then_status(500), Behaviour::ok()])),
    Script::new("9132", "refund_429", "the vend is refused with 2213; the refund is answered 429 with Retry-After 1, then made", || unwanted([busy(), Behaviour::ok()])),
    Script::new("9133", "refund_refused", "the vend is refused with 2213, and so is the refund, with 2080", || unwanted([Behaviour::refuses("2080")])),
    // 914x: the first reserve by Fault::ALL, all later ones go well.
    Script::new("9140", "lost_reserve_hang_before", "first reserve: nothing is done and no answer comes", || reserve([Fault::HangBefore.behaviour(), Behaviour::ok()])),
    Script::new("9141", "lost_reserve_effect_hang", "first reserve: it is done and no answer comes", || reserve([Fault::EffectThenHang.behaviour(), Behaviour::ok()])),
    Script::new("9142", "lost_reserve_effect_reset", "first reserve: it is done and the connection is reset", || reserve([Fault::EffectThenReset.behaviour(), Behaviour::ok()])),
    Script::new("9143", "lost_reserve_effect_500", "first reserve: it is done and the answer is 500", || reserve([Fault::EffectThen500.behaviour(), Behaviour::ok()])),
    Script::new("9144", "lost_reserve_garbage", "first reserve: it is done and the answer is no JSON", || reserve([Fault::Garbage.behaviour(), Behaviour::ok()])),
    Script::new("9145", "lost_reserve_drip", "first reserve: it is done and the answer drips", || reserve([Fault::Drip.behaviour(), Behaviour::ok()])),
    Script::new("9146", "lost_reserve_endless", "first reserve: it is done and the answer never ends", || reserve([Fault::Endless.behaviour(), Behaviour::ok()])),
    Script::new("9147", "lost_reserve_redirect", "first reserve: nothing is done and the answer is a redirect", || reserve([Fault::Redirect.behaviour(), Behaviour::ok()])),
    Script::new("9148", "lost_reserve_stale", "first reserve: it is done and the connection is closed without a byte", || reserve([Fault::StaleKeepAlive.behaviour(), Behaviour::ok()])),
    Script::new("9149", "lost_reserve_late_effect", "first reserve: no answer comes, and it is done after 2.5 s", || reserve([Fault::LateEffect.behaviour(), Behaviour::ok()])),
    // 915x: the first capture or cancel by Fault::ALL, all later ones go well.
    Script::new("9150", "lost_settle_hang_before", "first capture or cancel: nothing is done and no answer comes", || settle([Fault::HangBefore.behaviour(), Behaviour::ok()])),
    Script::new("9151", "lost_settle_effect_hang", "first capture or cancel: it is done and no answer comes", || settle([Fault::EffectThenHang.behaviour(), Behaviour::ok()])),
    Script::new("9152", "lost_settle_effect_reset", "first capture or cancel: it is done and the connection is reset", || settle([Fault::EffectThenReset.behaviour(), Behaviour::ok()])),
    Script::new("9153", "lost_settle_effect_500", "first capture or cancel: it is done and the answer is 500", || settle([Fault::EffectThen500.behaviour(), Behaviour::ok()])),
    Script::new("9154", "lost_settle_garbage", "first capture or cancel: it is done and the answer is no JSON", || settle([Fault::Garbage.behaviour(), Behaviour::ok()])),
    Script::new("9155", "lost_settle_drip", "first capture or cancel: it is done and the answer drips", || settle([Fault::Drip.behaviour(), Behaviour::ok()])),
    Script::new("9156", "lost_settle_endless", "first capture or cancel: it is done and the answer never ends", || settle([Fault::Endless.behaviour(), Behaviour::ok()])),
    Script::new("9157", "lost_settle_redirect", "first capture or cancel: nothing is done and the answer is a redirect", || settle([Fault::Redirect.behaviour(), Behaviour::ok()])),
    Script::new("9158", "lost_settle_stale", "first capture or cancel: it is done and the connection is closed without a byte", || settle([Fault::StaleKeepAlive.behaviour(), Behaviour::ok()])),
    Script::new("9159", "lost_settle_late_effect", "first capture or cancel: no answer comes, and it is done after 2.5 s", || settle([Fault::LateEffect.behaviour(), Behaviour::ok()])),
    // 92xx: suppliers.
    Script::new("9201", "vend_refused", "the vend is refused for good with 2213", || vend([Behaviour::refuses("2213")])),
    Script::new("9202", "vend_2201_twice", "two vends are refused with 2201, the third is done", || vend([Behaviour::refuses("2201"), Behaviour::refuses("2201"), Behaviour::ok()])),
    Script::new("9203", "pending_then_done", "the vend is pending (2236) for two look-ups, then done; a callback supplier confirms after 2 s", || vend([pending("0000")])),
    Script::new("9204", "pending_then_refused", "the vend is pending (2236) for two look-ups, then refused with 2213; a callback supplier tells so after 2 s", || vend([pending("2213")])),
    Script::new("9205", "vend_2225_once", "the vend is refused with 2225, volumes exceeded, the second is done", || vend([Behaviour::refuses("2225"), Behaviour::ok()])),
    Script::new("9206", "vend_429", "the vend is refused with 429 and Retry-After 1, then done", || vend([busy(), Behaviour::ok()])),
    Script::new("9207", "vend_slow_5s", "the vend is done and answered after 5 s", || vend([Behaviour::slow(5_000)])),
    Script::new("9208", "vend_unknown_code", "the vend is done and answered with 7777, a code of no table", || vend([Behaviour::effect_then(AnswerKind::Code("7777".to_owned())), Behaviour::ok()])),
    Script::new("9209", "vend_effect_then_hang", "the vend is done and the answer never comes", || vend([Behaviour::effect_then(AnswerKind::Hang), Behaviour::ok()])),
    Script::new("9210", "vend_effect_then_reset", "the vend is done and the connection is reset", || vend([Behaviour::effect_then(AnswerKind::Reset), Behaviour::ok()])),
    Script::new("9211", "vend_effect_then_500", "the vend is done and the answer is 500", || vend([effect_then_status(500), Behaviour::ok()])),
    Script::new("9212", "vend_hang_before_effect", "nothing is vended and the answer never comes; then all is well", || vend([Behaviour::no_effect(AnswerKind::Hang), Behaviour::ok()])),
    Script::new("9213", "vend_garbage", "the vend is done and the answer is a 200 that is no JSON", || vend([Behaviour::effect_then(AnswerKind::Garbage), Behaviour::ok()])),
    Script::new("9214", "vend_500_before_effect", "nothing is vended and the answer is 500; then all is well", || vend([Behaviour::status(500), Behaviour::ok()])),
    Script::new("9215", "vas_barred", "the vend is refused with VAS_BARRED", || vend([Behaviour::refuses("VAS_BARRED")])),
    Script::new("9216", "adult_barred", "the vend is refused with ADULT_BARRED", || vend([Behaviour::refuses("ADULT_BARRED")])),
    Script::new("9217", "vend_drip", "the vend is done and its answer drips, a byte a second", || vend([Behaviour::effect_then(AnswerKind::Drip), Behaviour::ok()])),
    Script::new("9218", "vend_endless", "the vend is done and its answer does not end before 1 GiB", || vend([Behaviour::effect_then(AnswerKind::Endless), Behaviour::ok()])),
    Script::new("9219", "vend_redirect", "nothing is vended and the answer is a redirect; then all is well", || vend([Behaviour::no_effect(AnswerKind::Redirect), Behaviour::ok()])),
    Script::new("9220", "vend_2201_always", "every vend is refused with 2201", || vend([Behaviour::refuses("2201")])),
    Script::new("9221", "look_up_down_twice", "the vend is done, its answer is lost, and two look-ups answer 503", || {
        let mut plan = vend([Behaviour::effect_then(AnswerKind::Reset), Behaviour::ok()]);
        plan.insert(Action::VendLookUp, vec![Behaviour::status(503), Behaviour::status(503), Behaviour::ok()]);
        plan
    }),
    Script::new("9222", "vend_dirty_reference", "the vend is done and its reference holds NUL and 500 letters", || vend([Behaviour::effect_then(AnswerKind::DirtyReferences)])),
    // 925x: the first vend by Fault::ALL, all later ones go well.
    Script::new("9250", "lost_vend_hang_before", "first vend: nothing is done and no answer comes", || vend([Fault::HangBefore.behaviour(), Behaviour::ok()])),
    Script::new("9251", "lost_vend_effect_hang", "first vend: it is done and no answer comes", || vend([Fault::EffectThenHang.behaviour(), Behaviour::ok()])),
    Script::new("9252", "lost_vend_effect_reset", "first vend: it is done and the connection is reset", || vend([Fault::EffectThenReset.behaviour(), Behaviour::ok()])),
    Script::new("9253", "lost_vend_effect_500", "first vend: it is done and the answer is 500", || vend([Fault::EffectThen500.behaviour(), Behaviour::ok()])),
    Script::new("9254", "lost_vend_garbage", "first vend: it is done and the answer is no JSON", || vend([Fault::Garbage.behaviour(), Behaviour::ok()])),
    Script::new("9255", "lost_vend_drip", "first vend: it is done and the answer drips", || vend([Fault::Drip.behaviour(), Behaviour::ok()])),
    Script::new("9256", "lost_vend_endless", "first vend: it is done and the answer never ends", || vend([Fault::Endless.behaviour(), Behaviour::ok()])),
    Script::new("9257", "lost_vend_redirect", "first vend: nothing is done and the answer is a redirect", || vend([Fault::Redirect.behaviour(), Behaviour::ok()])),
    Script::new("9258", "lost_vend_stale", "first vend: it is done and the connection is closed without a byte", || vend([Fault::StaleKeepAlive.behaviour(), Behaviour::ok()])),
    Script::new("9259", "lost_vend_late_effect", "first vend: no answer comes, and it is done after 2.5 s", || vend([Fault::LateEffect.behaviour(), Behaviour::ok()])),
    // 93xx: suppliers that confirm by callback.
    // 926x: validation of an account.
    Script::new("9261", "account_not_found", "the account is not found: 2210", || account(Behaviour::refuses("2210"))),
    Script::new("9262", "account_no_service", "the supplier has no such service: 404", || account(Behaviour::status(404))),
    Script::new("9263", "account_slow_8s", "the answer comes after 8 s", || account(Behaviour::slow(8_000))),
    Script::new("9264", "account_garbage", "the answer is a 200 that is no JSON", || account(Behaviour::effect_then(AnswerKind::Garbage))),
    Script::new("9265", "account_dirty", "the answer holds control characters and a card number", || account(Behaviour::effect_then(AnswerKind::DirtyReferences))),
    Script::new("9266", "account_endless", "the answer never ends", || account(Behaviour::effect_then(AnswerKind::Endless))),
    Script::new("9301", "confirm_after_1s", "accepted with 2236, confirmed after 1 s", || vend([Behaviour::confirms(vec![Confirmation::after(1_000, "0000")])])),
    Script::new("9302", "confirm_twice", "accepted with 2236, confirmed twice", || vend([Behaviour::confirms(vec![Confirmation::after(200, "0000"), Confirmation::after(400, "0000")])])),
    Script::new("9303", "confirm_before_answer", "confirmed before the vend itself is answered with 2236", || vend([Behaviour::confirms(vec![Confirmation::before_answer("0000")])])),
    Script::new("9304", "confirm_refused", "accepted with 2236, then refused by callback with 2213", || vend([Behaviour::confirms(vec![Confirmation::after(300, "2213")])])),
    Script::new("9305", "confirm_never", "accepted with 2236 and done, and never confirmed", || vend([Behaviour { effect: true, ..Behaviour::refuses("2236") }])),
    Script::new("9306", "confirm_contradicts", "confirmed with 0000, later with 2213", || vend([Behaviour::confirms(vec![Confirmation::after(200, "0000"), Confirmation::after(1_500, "2213")])])),
    // 94xx: clients' listeners.
    Script::new("9401", "listener_500_twice", "a result is answered 500 twice, then taken", || result([Behaviour::status(500), Behaviour::status(500), Behaviour::ok()])),
    Script::new("9402", "listener_410", "every result is answered 410", || result([Behaviour::status(410)])),
    Script::new("9403", "listener_slow_3s", "a result is taken and acknowledged after 3 s", || result([Behaviour::slow(3_000)])),
    Script::new("9404", "listener_effect_then_reset", "a result is taken and the connection is reset", || result([Behaviour::effect_then(AnswerKind::Reset), Behaviour::ok()])),
    Script::new("9411", "ipn_fail_twice", "an IPN is answered Fail twice, then Success", || ipn([Behaviour::refuses("Fail"), Behaviour::refuses("Fail"), Behaviour::ok()])),
    Script::new("9412", "ipn_410", "every IPN is answered 410", || ipn([Behaviour::status(410)])),
    Script::new("9413", "ipn_429", "an IPN is answered 429 with Retry-After 1, then Success", || ipn([busy(), Behaviour::ok()])),
    Script::new("9414", "ipn_slow_3s", "an IPN is taken and answered after 3 s", || ipn([Behaviour::slow(3_000)])),
    Script::new("9415", "ipn_fail", "every IPN is answered Fail", || ipn([Behaviour::refuses("Fail")])),
    Script::new("9416", "ipn_effect_then_reset", "an IPN is taken and the connection is reset, then Success", || ipn([Behaviour::effect_then(AnswerKind::Reset), Behaviour::ok()])),
    Script::new("9405", "listener_redirect_once", "a result is answered with a redirect, then taken", || result([Behaviour::no_effect(AnswerKind::Redirect), Behaviour::ok()])),
    Script::new("9421", "completion_500_twice", "a card completion is answered 500 twice, then taken", || completion([Behaviour::status(500), Behaviour::status(500), Behaviour::ok()])),
    Script::new("9422", "completion_410", "every card completion is answered 410", || completion([Behaviour::status(410)])),
    Script::new("9423", "completion_429", "a card completion is answered 429 with Retry-After 1, then taken", || completion([busy(), Behaviour::ok()])),
    Script::new("9424", "completion_slow_3s", "a card completion is taken and answered after 3 s", || completion([Behaviour::slow(3_000)])),
    Script::new("9425", "completion_effect_then_reset", "a card completion is taken and the connection is reset, then taken", || completion([Behaviour::effect_then(AnswerKind::Reset), Behaviour::ok()])),
    Script::new("9426", "completion_redirect_once", "a card completion is answered with a redirect, then taken", || completion([Behaviour::no_effect(AnswerKind::Redirect), Behaviour::ok()])),
    // 945x: the first result by Fault::ALL, all later ones go well.
    Script::new("9450", "lost_result_hang_before", "first result: nothing is done and no answer comes", || result([Fault::HangBefore.behaviour(), Behaviour::ok()])),
    Script::new("9451", "lost_result_effect_hang", "first result: it is done and no answer comes", || result([Fault::EffectThenHang.behaviour(), Behaviour::ok()])),
    Script::new("9452", "lost_result_effect_reset", "first result: it is done and the connection is reset", || result([Fault::EffectThenReset.behaviour(), Behaviour::ok()])),
    Script::new("9453", "lost_result_effect_500", "first result: it is done and the answer is 500", || result([Fault::EffectThen500.behaviour(), Behaviour::ok()])),
    Script::new("9454", "lost_result_garbage", "first result: it is done and the answer is no JSON", || result([Fault::Garbage.behaviour(), Behaviour::ok()])),
    Script::new("9455", "lost_result_drip", "first result: it is done and the answer drips", || result([Fault::Drip.behaviour(), Behaviour::ok()])),
    Script::new("9456", "lost_result_endless", "first result: it is done and the answer never ends", || result([Fault::Endless.behaviour(), Behaviour::ok()])),
    Script::new("9457", "lost_result_redirect", "first result: nothing is done and the answer is a redirect", || result([Fault::Redirect.behaviour(), Behaviour::ok()])),
    Script::new("9458", "lost_result_stale", "first result: it is done and the connection is closed without a byte", || result([Fault::StaleKeepAlive.behaviour(), Behaviour::ok()])),
    Script::new("9459", "lost_result_late_effect", "first result: no answer comes, and it is done after 2.5 s", || result([Fault::LateEffect.behaviour(), Behaviour::ok()])),
    // 95xx: the fraud desk.
    Script::new("9501", "desk_500_once", "a report is answered 500, then taken", || report([Behaviour::status(500), Behaviour::ok()])),
    Script::new("9502", "desk_success_0", "every report is answered 200 with success 0", || report([Behaviour::refuses("0")])),
    Script::new("9503", "desk_429", "a report is answered 429 with Retry-After 1, then taken", || report([busy(), Behaviour::ok()])),
    Script::new("9504", "token_invalid", "a token's validation answers is_valid false with threat code 8", || plan(Action::Validate, [Behaviour::refuses("8")])),
    Script::new("9505", "desk_slow_2s", "a report is taken and answered after 2 s", || report([Behaviour::slow(2_000)])),
    Script::new("9506", "token_blacklisted", "a token's validation answers is_valid false with threat code 520", || plan(Action::Validate, [Behaviour::refuses("520")])),
    Script::new("9507", "validate_500_twice", "a token's validation answers 500 twice, then that it is valid", || plan(Action::Validate, [Behaviour::status(500), Behaviour::status(500), Behaviour::ok()])),
    Script::new("9508", "validate_503_always", "a token's validation always answers 503", || plan(Action::Validate, [Behaviour::status(503)])),
    // 955x: the first report by Fault::ALL, all later ones go well.
    Script::new("9550", "lost_report_hang_before", "first report: nothing is done and no answer comes", || report([Fault::HangBefore.behaviour(), Behaviour::ok()])),
    Script::new("9551", "lost_report_effect_hang", "first report: it is done and no answer comes", || report([Fault::EffectThenHang.behaviour(), Behaviour::ok()])),
    Script::new("9552", "lost_report_effect_reset", "first report: it is done and the connection is reset", || report([Fault::EffectThenReset.behaviour(), Behaviour::ok()])),
    Script::new("9553", "lost_report_effect_500", "first report: it is done and the answer is 500", || report([Fault::EffectThen500.behaviour(), Behaviour::ok()])),
    Script::new("9554", "lost_report_garbage", "first report: it is done and the answer is no JSON", || report([Fault::Garbage.behaviour(), Behaviour::ok()])),
    Script::new("9555", "lost_report_drip", "first report: it is done and the answer drips", || report([Fault::Drip.behaviour(), Behaviour::ok()])),
    Script::new("9556", "lost_report_endless", "first report: it is done and the answer never ends", || report([Fault::Endless.behaviour(), Behaviour::ok()])),
    Script::new("9557", "lost_report_redirect", "first report: nothing is done and the answer is a redirect", || report([Fault::Redirect.behaviour(), Behaviour::ok()])),
    Script::new("9558", "lost_report_stale", "first report: it is done and the connection is closed without a byte", || report([Fault::StaleKeepAlive.behaviour(), Behaviour::ok()])),
    Script::new("9559", "lost_report_late_effect", "first report: no answer comes, and it is done after 2.5 s", || report([Fault::LateEffect.behaviour(), Behaviour::ok()])),
    // 96xx: providers of messages.
    Script::new("9601", "message_refused", "every message is answered 400", || message([Behaviour::status(400)])),
    Script::new("9602", "message_429", "a message is answered 429 with Retry-After 1, then sent", || message([busy(), Behaviour::ok()])),
    Script::new("9603", "message_503_twice", "a message is answered 503 twice, then sent", || message([Behaviour::status(503), Behaviour::status(503), Behaviour::ok()])),
    Script::new("9604", "message_slow_2s", "a message is sent and answered after 2 s", || message([Behaviour::slow(2_000)])),
    Script::new("9605", "message_503_always", "every message is answered 503", || message([Behaviour::status(503)])),
    // 965x: the first message by Fault::ALL, all later ones go well.
    Script::new("9650", "lost_message_hang_before", "first message: nothing is done and no answer comes", || message([Fault::HangBefore.behaviour(), Behaviour::ok()])),
    Script::new("9651", "lost_message_effect_hang", "first message: it is done and no answer comes", || message([Fault::EffectThenHang.behaviour(), Behaviour::ok()])),
    Script::new("9652", "lost_message_effect_reset", "first message: it is done and the connection is reset", || message([Fault::EffectThenReset.behaviour(), Behaviour::ok()])),
    Script::new("9653", "lost_message_effect_500", "first message: it is done and the answer is 500", || message([Fault::EffectThen500.behaviour(), Behaviour::ok()])),
    Script::new("9654", "lost_message_garbage", "first message: it is done and the answer is no JSON", || message([Fault::Garbage.behaviour(), Behaviour::ok()])),
    Script::new("9655", "lost_message_drip", "first message: it is done and the answer drips", || message([Fault::Drip.behaviour(), Behaviour::ok()])),
    Script::new("9656", "lost_message_endless", "first message: it is done and the answer never ends", || message([Fault::Endless.behaviour(), Behaviour::ok()])),
    Script::new("9657", "lost_message_redirect", "first message: nothing is done and the answer is a redirect", || message([Fault::Redirect.behaviour(), Behaviour::ok()])),
    Script::new("9658", "lost_message_stale", "first message: it is done and the connection is closed without a byte", || message([Fault::StaleKeepAlive.behaviour(), Behaviour::ok()])),
    Script::new("9659", "lost_message_late_effect", "first message: no answer comes, and it is done after 2.5 s", || message([Fault::LateEffect.behaviour(), Behaviour::ok()])),
    // 97xx: operators that charge by SMS, by the last four digits of the payer's number.
    Script::new("9701", "pin_expired", "the buyer's reply is too late: PIN_EXPIRED, nothing is charged", || sms(&[(100, "PIN_EXPIRED")])),
    Script::new("9702", "pin_used_then_charged", "PIN_USED is told first, then CHARGED", || sms(&[(100, "PIN_USED"), (200, "CHARGED")])),
    Script::new("9703", "pin_used", "PIN_USED is told and nothing else; nothing is charged", || sms(&[(100, "PIN_USED")])),
    Script::new("9704", "pin_not_found_then_charged", "PIN_NOT_FOUND is told without a correlator, then CHARGED", || sms(&[(100, "PIN_NOT_FOUND"), (200, "CHARGED")])),
    Script::new("9705", "mo_insufficient_funds", "INSUFFICIENT_FUNDS is told, a status of no table; nothing is charged", || sms(&[(100, "INSUFFICIENT_FUNDS")])),
    Script::new("9706", "mo_silent_buyer", "the buyer never replies and nothing is told", || sms(&[(0, "SILENT")])),
    Script::new("9707", "charged_twice_told", "CHARGED is told twice with the same transaction_id", || sms(&[(100, "CHARGED"), (200, "CHARGED")])),
    Script::new("9708", "charged_twice", "CHARGED is told with two transaction_ids, and the check knows both", || sms(&[(100, "CHARGED"), (200, "CHARGED/second")])),
    Script::new("9709", "charged_other_amount", "CHARGED is told and checked with another amount; the record takes it for no charge of this purchase", || sms(&[(100, "CHARGED/amount")])),
    Script::new("9710", "charged_test", "CHARGED is told and checked with the environment test; no money moves", || sms(&[(100, "CHARGED/test")])),
    Script::new("9711", "charged_forged", "CHARGED is told with a transaction_id that the check does not know, and nothing else", || sms(&[(100, "CHARGED/forged")])),
    Script::new("9712", "charged_forged_then_real", "CHARGED is told with a transaction_id that the check does not know, then with the real one", || sms(&[(100, "CHARGED/forged"), (200, "CHARGED")])),
    Script::new("9713", "charged_other_msisdn", "CHARGED is told and checked for another msisdn; this buyer pays nothing", || sms(&[(100, "CHARGED/msisdn")])),
    Script::new("9714", "charged_then_pin_used", "CHARGED is told, then PIN_USED", || sms(&[(100, "CHARGED"), (200, "PIN_USED")])),
    Script::new("9715", "pin_expired_then_charged", "PIN_EXPIRED is told, and CHARGED 1 s later", || sms(&[(100, "PIN_EXPIRED"), (1_100, "CHARGED")])),
    Script::new("9716", "mo_effect_then_hang", "the SMS is sent and the answer never comes", || charge([Behaviour::effect_then(AnswerKind::Hang), Behaviour::ok()])),
    Script::new("9717", "mo_effect_then_500", "the SMS is sent and the answer is 500", || charge([effect_then_status(500), Behaviour::ok()])),
    Script::new("9718", "mo_hang_before_effect", "no SMS is sent and the answer never comes; then all is well", || charge([Behaviour::no_effect(AnswerKind::Hang), Behaviour::ok()])),
    Script::new("9719", "mo_429", "the charge is answered 429 with Retry-After 1, then the SMS is sent", || charge([busy(), Behaviour::ok()])),
    Script::new("9720", "charged_amount_number", "CHARGED is told with the amount as a JSON number", || sms(&[(100, "CHARGED/number")])),
    Script::new("9721", "check_500_twice", "the check answers 500 twice, then well", || plan(Action::MoCheck, [Behaviour::status(500), Behaviour::status(500), Behaviour::ok()])),
    Script::new("9722", "check_hang_once", "the check never answers once, then well", || plan(Action::MoCheck, [Behaviour::no_effect(AnswerKind::Hang), Behaviour::ok()])),
    Script::new("9723", "mo_success_false_once", "the charge is answered with success false and no SMS is sent, then it is", || charge([Behaviour::refuses("false"), Behaviour::ok()])),
    // 98xx: processors of card payments, by the last four digits of the amount in minor units.
    Script::new("9801", "card_declined", "the payment fails: status failed", || pays(&[(100, "FAILED")])),
    Script::new("9802", "card_success_bare", "status success without a transaction_id, as the document writes a failure; nothing is paid", || pays(&[(100, "SUCCESS/bare")])),
    Script::new("9803", "card_success_quoted", "the completion's values stand in quotation marks", || pays(&[(100, "SUCCESS/quoted")])),
    Script::new("9804", "card_forged", "success is told with a transaction_id that the query does not know, and nothing else", || pays(&[(100, "SUCCESS/forged")])),
    Script::new("9805", "card_forged_then_real", "success is told with a transaction_id that the query does not know, then with the real one", || pays(&[(100, "SUCCESS/forged"), (200, "SUCCESS")])),
    Script::new("9806", "card_other_amount", "success is told and the query shows another amount; the record takes it for no payment of this purchase", || pays(&[(100, "SUCCESS/amount")])),
    Script::new("9807", "card_query_pending_twice", "the query says PENDING twice, then SUCCESS", || plan(Action::CardQuery, [Behaviour::refuses("PENDING"), Behaviour::refuses("PENDING"), Behaviour::ok()])),
    Script::new("9808", "card_silent_buyer", "the buyer never pays and nothing is told", || pays(&[(0, "SILENT")])),
    Script::new("9809", "card_told_twice", "the completion is told twice", || pays(&[(100, "SUCCESS"), (200, "SUCCESS")])),
    Script::new("9810", "card_effect_then_500", "the page is made and the answer is 500", || card([effect_then_status(500), Behaviour::ok()])),
    Script::new("9811", "card_hang_before_effect", "no page is made and the answer never comes; then all is well", || card([Behaviour::no_effect(AnswerKind::Hang), Behaviour::ok()])),
    Script::new("9812", "card_failed_then_success", "status failed is told, and success 1 s later", || pays(&[(100, "FAILED"), (1_100, "SUCCESS")])),
    Script::new("9813", "card_paid_twice", "success is told with two transaction_ids, and the query knows both", || pays(&[(100, "SUCCESS"), (200, "SUCCESS/second")])),
    Script::new("9814", "card_other_order", "success is told and the query shows another order_info; this purchase is not paid", || pays(&[(100, "SUCCESS/order")])),
    Script::new("9815", "card_query_503_twice", "the query answers 503 twice, then well", || plan(Action::CardQuery, [Behaviour::status(503), Behaviour::status(503), Behaviour::ok()])),
    // 99xx: the card gateway, by the last four digits of the amount in minor units.
    Script::new("9901", "sale_declined", "the sale is declined", || sells(&[(100, "declined")])),
    Script::new("9902", "sale_filtered", "the sale is declined, and told as filtered", || sells(&[(100, "filtered")])),
    Script::new("9903", "sale_error", "the sale is declined, and told as an error", || sells(&[(100, "error")])),
    Script::new("9904", "sale_after_3_polls", "three polls of the status find PROCESSING, then the sale is approved and told", || polled(3, "approved", &[])),
    Script::new("9905", "sale_told_processing", "processing is told, then approved", || sells(&[(100, "processing"), (200, "approved")])),
    Script::new("9906", "sale_told_unknown", "unknown is told, then approved", || sells(&[(100, "unknown"), (200, "approved")])),
    Script::new("9907", "sale_untold", "the sale is approved, and only its status tells", || sells(&[(100, "approved/untold")])),
    Script::new("9908", "sale_status_500", "every status is answered 500; the callback tells", || plan(Action::SaleStatus, [Behaviour::status(500)])),
    Script::new("9909", "sale_forged", "approved is told with a wrong control and nothing else; five polls find PROCESSING, then APPROVED", || polled(5, "approved/untold", &[(100, "approved/control")])),
    Script::new("9910", "sale_told_twice", "approved is told twice", || sells(&[(100, "approved"), (200, "approved")])),
    Script::new("9911", "sale_reversed", "the sale is approved, and reversed 1 s later", || sells(&[(100, "approved"), (1_100, "reversal")])),
    Script::new("9912", "sale_charged_back", "the sale is approved, and charged back 1 s later", || sells(&[(100, "approved"), (1_100, "chargeback")])),
    Script::new("9913", "sale_silent_app", "the app initiates the sale and never performs it", || sells(&[(0, "SILENT")])),
    Script::new("9914", "sale_other_amount", "approved is told and shown with another amount; the record takes it for no payment of this purchase", || sells(&[(100, "approved/amount")])),
    Script::new("9915", "sale_status_hang_once", "the status never answers once, then well", || plan(Action::SaleStatus, [Behaviour::no_effect(AnswerKind::Hang), Behaviour::ok()])),
    Script::new("9916", "sale_redirect", "two polls of the status find REDIRECT_REQUEST, then the sale is approved", redirected),
    Script::new("9917", "sale_declined_told_approved", "the sale is declined and approved is told; nothing is paid", || sells(&[(100, "declined/contrary")])),
    Script::new("9918", "sale_unverified", "the gateway takes any session.signature and leaves it to the check", || sells(&[(100, "approved/unverified")])),
];

fn plan<const N: usize>(action: Action, behaviours: [Behaviour; N]) -> Plan {
    Plan::from([(action, Vec::from(behaviours))])
}

fn reserve<const N: usize>(behaviours: [Behaviour; N]) -> Plan {
    plan(Action::Reserve, behaviours)
}

fn settle<const N: usize>(behaviours: [Behaviour; N]) -> Plan {
    plan(Action::Settle, behaviours)
}

fn vend<const N: usize>(behaviours: [Behaviour; N]) -> Plan {
    plan(Action::Vend, behaviours)
}

fn account(behaviour: Behaviour) -> Plan {
    plan(Action::ValidateAccount, [behaviour])
}

/// Nothing is vended, so what was charged has to go back.
fn unwanted<const N: usize>(refunds: [Behaviour; N]) -> Plan {
    let mut plan = vend([Behaviour::refuses("2213")]);
    plan.insert(Action::Refund, Vec::from(refunds));
    plan
}

fn result<const N: usize>(behaviours: [Behaviour; N]) -> Plan {
    plan(Action::Result, behaviours)
}

fn ipn<const N: usize>(behaviours: [Behaviour; N]) -> Plan {
    plan(Action::Ipn, behaviours)
}

fn report<const N: usize>(behaviours: [Behaviour; N]) -> Plan {
    plan(Action::Report, behaviours)
}

fn message<const N: usize>(behaviours: [Behaviour; N]) -> Plan {
    plan(Action::Message, behaviours)
}

fn completion<const N: usize>(behaviours: [Behaviour; N]) -> Plan {
    plan(Action::Completion, behaviours)
}

fn charge<const N: usize>(behaviours: [Behaviour; N]) -> Plan {
    plan(Action::MoCharge, behaviours)
}

fn card<const N: usize>(behaviours: [Behaviour; N]) -> Plan {
    plan(Action::CardPayment, behaviours)
}

/// What a buyer does who is asked by SMS.
fn sms(deeds: &[(u64, &str)]) -> Plan {
    charge([Behaviour::asks(deeds)])
}

/// What a buyer does who is asked for a card.
fn pays(deeds: &[(u64, &str)]) -> Plan {
    card([Behaviour::asks(deeds)])
}

/// What becomes of a sale.
fn sells(deeds: &[(u64, &str)]) -> Plan {
    plan(Action::Sale, [Behaviour::asks(deeds)])
}

/// A sale that so many polls find as it is.
fn polled(look_ups: u32, code: &str, deeds: &[(u64, &str)]) -> Plan {
    let pending = Some(Pending { look_ups, code: code.to_owned() });
    plan(Action::Sale, [Behaviour { pending, ..Behaviour::asks(deeds) }])
}

/// The buyer is on a page for two polls.
fn redirected() -> Plan {
    let pending = Some(Pending { look_ups: 2, code: "approved".to_owned() });
    let confirm = vec![Confirmation::before_answer("redirect")];
    plan(Action::Sale, [Behaviour { pending, confirm, ..Behaviour::ok() }])
}

fn pending(code: &str) -> Behaviour {
    Behaviour { confirm: vec![Confirmation::after(2_000, code)], ..Behaviour::pending(2, code) }
}

fn busy() -> Behaviour {
    Behaviour::no_effect(AnswerKind::Status { status: 429, retry_after_seconds: Some(1) })
}

fn effect_then_status(status: u16) -> Behaviour {
    Behaviour::effect_then(AnswerKind::Status { status, retry_after_seconds: None })
}

/// The code that a reference or a token carries: `s<code>-…` or `…-s<code>`.
pub(crate) fn marked_code(text: &str) -> Option<&str> {
    let first = text.split_once('-').map(|(first, _)| first);
    let last = text.rsplit_once('-').map(|(_, last)| last);
    [first, last].into_iter().flatten().find_map(|part| {
        let code = part.strip_prefix('s')?;
        (code.len() == 4 && code.bytes().all(|byte| byte.is_ascii_digit())).then_some(code)
    })
}

/// The last four digits of a target.
pub(crate) fn target_code(target: &str) -> Option<&str> {
    target.get(target.len().checked_sub(4)?..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_unique_and_every_script_says_something() {
        for (at, script) in SCRIPTS.iter().enumerate() {
            let others = SCRIPTS.iter().enumerate().filter(|(other, _)| *other != at);
            for (_, other) in others {
                assert_ne!(script.code, other.code);
                assert_ne!(script.name, other.name);
            }
            assert!(script.plan().values().all(|behaviours| !behaviours.is_empty()));
            assert!(script.code.starts_with('9') && script.code.len() == 4);
        }
    }

    #[test]
    fn every_fault_has_a_script_for_each_kind_of_call() {
        for (code, action) in [
            ("914", Action::Reserve),
            ("915", Action::Settle),
            ("925", Action::Vend),
            ("945", Action::Result),
            ("955", Action::Report),
            ("965", Action::Message),
        ] {
            for (place, fault) in Fault::ALL.into_iter().enumerate() {
                let script = Script::of_code(&format!("{code}{place}")).unwrap();
                let behaviours = vec![fault.behaviour(), Behaviour::ok()];
                assert_eq!(script.plan(), Plan::from([(action, behaviours)]), "{script}");
                assert_eq!(fault.behaviour().effect, fault.has_effect(), "{fault:?}");
            }
        }
    }

    #[test]
    fn a_code_is_read_from_a_target_a_reference_and_a_token() {
        assert_eq!(target_code("27820009101"), Some("9101"));
        assert_eq!(target_code("101"), None);
        assert_eq!(target_code("é012"), None, "no character is cut");
        assert_eq!(marked_code("s9401-77"), Some("9401"));
        assert_eq!(marked_code("token-77-s9501"), Some("9501"));
        assert_eq!(marked_code("order-9501"), None);
        assert_eq!(marked_code("s9501"), None);
    }
}
