//! A sale on the buyer's device (contracts, section 5): the app pays at the card gateway, which asks us
//! whether the sale is ours, and tells its end by a callback. Its `control` covers neither type nor
//! amount, so that a callback is a reason to ask for the status and decides nothing by itself. Nothing
//! is sent to begin a sale, its status can be asked for once it was checked, and nothing gives the money
//! back.

use fleet_boot::{Exchange, Request};
use fleet_contracts::{
    BankReply, REFERENCE_CHARS_MAX, SALE_CHECKED, SALE_FACT, SaleStatus, StatusRequest,
    TextOrNumber, codes, plain,
};
use fleet_domain::{Connector, Fact, Job, Order};
use fleet_engine::{Attempt, CallError, LookUp};

use crate::asked::{is_notification, refusal, told};

/// What beginning comes to: the app has the next word.
pub(super) const ASKED: CallError = CallError::Asked { page: None };
/// Characters of its order's number.
const ORDER_CHARS_MAX: usize = 128;
/// What a callback calls money that went back.
const GIVEN_BACK: [&str; 2] = ["reversal:approved", "chargeback:approved"];

/// Whether we have vouched for the sale: only then can anything have been paid.
pub(super) fn is_checked(job: &Job) -> bool {
    checked(job).is_some()
}

fn checked(job: &Job) -> Option<&Fact> {
    let is_it = |fact: &&Fact| is_notification(job, fact, SALE_FACT) && fact.status == SALE_CHECKED;
    job.facts.iter().find(is_it)
}

/// Whether a callback says that the money went back before any goods went out.
pub(super) fn is_given_back(job: &Job) -> bool {
    GIVEN_BACK.iter().any(|word| !told(job, SALE_FACT, word).is_empty())
}

/// Asks for the sale's status; nobody can before it was checked.
pub(super) async fn look_up(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<LookUp<BankReply>, CallError> {
    let Some(fact) = checked(job) else { return Err(ASKED) };
    let session: Option<StatusRequest> = serde_json::from_str(fact.body.expose()).ok();
    let (Some(session), Some(endpoint)) = (session, &connector.account) else {
        let cause = format!("connector {} has no account, or the sale no session", connector.name);
        return Err(CallError::NotSent { cause, retry_after: None });
    };
    let order = &job.purchase.order;
    let path = format!("paynet/dapi/v1/sale/{endpoint}/{}/status", order.id);
    let request = Request::post(connector, &path).json(&session).accepts_json();
    let answer = exchange.send(request, attempt).await?;
    if (400..500).contains(&answer.status) && answer.status != 429 {
        return Ok(unclear(job));
    }
    Ok(read_status(connector, job, &answer.decision()?))
}

/// No status to go by. Where money is said to have gone back, asking again explains nothing: a person
/// does.
fn unclear(job: &Job) -> LookUp<BankReply> {
    if is_given_back(job) { LookUp::Unsupported } else { LookUp::Unclear }
}

fn read_status(connector: &Connector, job: &Job, status: &SaleStatus) -> LookUp<BankReply> {
    let text = |one: &Option<TextOrNumber>| one.as_ref().map(TextOrNumber::text);
    // As the callback has it.
    let order_id = plain(&text(&status.order_id).unwrap_or_default(), ORDER_CHARS_MAX);
    match status.state.as_str() {
        "PROCESSING" | "REDIRECT_REQUEST" => LookUp::Pending,
        "APPROVED" if !order_id.is_empty() && is_of(status, &job.purchase.order) => {
            LookUp::Done(BankReply::charged(&order_id))
        }
        "DECLINED" => {
            let word = text(&status.error_code).unwrap_or_else(|| "DECLINED".to_owned());
            let word = plain(&word, REFERENCE_CHARS_MAX);
            LookUp::Refused(refusal(connector, &word, codes::UNKNOWN))
        }
        // Another amount, a state of no document, or no state at all.
        _ => unclear(job),
    }
}

/// Another sale than the one that was asked for funds nothing.
fn is_of(status: &SaleStatus, order: &Order) -> bool {
    let money = order.reserved();
    status.transaction.as_ref().is_some_and(|transaction| {
        transaction.amount_centis == money.minor && transaction.currency == money.currency.code()
    })
}
