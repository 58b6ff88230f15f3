//! A card payment on the source's own page (contracts, section 2): it makes a page, the buyer pays
//! there, and a GET tells us so, which counts only once its Transaction Query agrees. It deduplicates
//! on `order_info`, our `raasTxnRef`, and gives nothing back.

use fleet_boot::{Exchange, Request};
use fleet_contracts::{
    BankReply, CARD_FACT, CARD_NOT_PAID, CardPage, CardPayment, CardTransaction, codes,
    payment_page,
};
use fleet_domain::{Connector, Directory, Fact, Job, PurchaseStatus};
use fleet_engine::waiting::may_be_out;
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Refusal};

use crate::asked::{self, Ask, Told, is_notification, next, refusal};

/// The word of `codes` for a page that is answered with `success` false.
const NOT_MADE: &str = "success:false";

fn account(connector: &Connector) -> Result<&str, CallError> {
    connector.account.as_deref().ok_or_else(|| CallError::NotSent {
        cause: format!("connector {} has no account", connector.name),
        retry_after: None,
    })
}

/// Has the page made. No money moves by that; a plain no says that there is none.
pub(super) async fn page(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<BankReply, CallError> {
    let payment = CardPayment::of(&job.purchase.order, account(connector)?);
    let request = Request::post(connector, "api/card-payments").json(&payment);
    let request = request.raw_key(connector.secret.as_ref());
    let answer = exchange.send(request, attempt).await?;
    if let Some(no) = answer.plain_no() {
        return Err(not_made(job, asked::refused_at_once(connector, &no)));
    }
    match answer.decision()? {
        CardPage::Made(made) => match payment_page(&made.payment_url) {
            Some(page) => Err(CallError::Asked { page: Some(page) }),
            None => Err(CallError::Unknown { cause: "the payment URL is none".to_owned() }),
        },
        CardPage::NotMade => {
            let text = "success false".to_owned();
            Err(not_made(job, asked::refused_in_a_word(connector, NOT_MADE, text)))
        }
    }
}

/// A no is one, unless it was said to the same payment once more, of which the first may have its page,
/// or somebody tells of a payment on it.
fn not_made(job: &Job, refusal: Refusal) -> CallError {
    if !transactions(job).is_empty() {
        return CallError::Asked { page: None };
    }
    if may_be_out(job) {
        let cause = refusal.own_code.unwrap_or(refusal.code);
        return CallError::Unknown { cause: format!("asked once more it answered {cause}") };
    }
    CallError::Refused { refusal }
}

/// The payments that were told: as such, or in a word of no document together with a transaction.
pub(super) fn transactions(job: &Job) -> Vec<Told<'_>> {
    asked::transactions(job, |fact| {
        let told = fact.status != CARD_NOT_PAID && !fact.external_id.is_empty();
        told && is_notification(job, fact, CARD_FACT)
    })
}

/// Confirms a payment that was told; without one, has the page made again while we have none.
pub(super) async fn look_up(
    exchange: &Exchange,
    directory: &Directory,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<LookUp<BankReply>, CallError> {
    let told = transactions(job);
    match next(directory, job, &told) {
        Ask::About(id) => {
            let answer = query(exchange, connector, job, attempt, id).await?;
            Ok(asked::unless_another(&told, answer))
        }
        Ask::Nothing => Ok(LookUp::Asked { page: None }),
        Ask::NotAnyMore => Ok(LookUp::Unsupported),
        Ask::Again => LookUp::from_repeated(page(exchange, connector, job, attempt).await),
    }
}

async fn query(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
    transaction_id: &str,
) -> Result<LookUp<BankReply>, CallError> {
    let account = account(connector)?;
    let request = Request::get(connector, &format!("api/transactions/{transaction_id}"));
    let request = request.raw_key(connector.secret.as_ref()).accepts_json();
    let answer = exchange.send(request, attempt).await?;
    let unvouched = |why: &str| LookUp::Unvouched {
        cause: format!("Transaction Query does not vouch for it: {why}"),
    };
    if answer.status == 404 {
        return Ok(unvouched("it does not know the transaction"));
    }
    let transaction: CardTransaction = answer.decision()?;
    if let Err(differs) = transaction.is_of(&job.purchase.order, account, transaction_id) {
        return Ok(unvouched(&format!("its {differs}")));
    }
    Ok(match transaction.status {
        PurchaseStatus::Success => LookUp::Done(BankReply::charged(transaction_id)),
        PurchaseStatus::Failed => {
            LookUp::Refused(refusal(connector, CARD_NOT_PAID, codes::UNKNOWN))
        }
        PurchaseStatus::Pending => unvouched("its status is PENDING"),
    })
}

/// What a completion tells by itself: only that the buyer did not pay, and that only while nobody
/// speaks of a payment.
pub(super) fn read_fact(
    connector: &Connector,
    job: &Job,
    fact: &Fact,
) -> Option<Learnt<BankReply>> {
    let not_paid = is_notification(job, fact, CARD_FACT) && fact.status == CARD_NOT_PAID;
    if !not_paid || !transactions(job).is_empty() {
        return None;
    }
    Some(Learnt::Refused(refusal(connector, CARD_NOT_PAID, codes::UNKNOWN)))
}
