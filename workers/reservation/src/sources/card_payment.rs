//! A card payment on the source's own page (contracts, section 2): it makes a page, the buyer pays
//! there, and a GET tells us so, which counts only once its Transaction Query agrees. It deduplicates
//! on `order_info`, our `raasTxnRef`, and gives nothing back.

use fleet_boot::{Exchange, Request};
use fleet_contracts::{
    BankReply, CARD_FACT, CARD_NOT_PAID, CARD_PAID, CardPayment, CardPaymentUrl, CardTransaction,
    codes, payment_page,
};
use fleet_domain::{Connector, Directory, Fact, Job, PurchaseStatus};
use fleet_engine::{Attempt, CallError, Learnt, LookUp};

use crate::asked::{self, Ask, Told, is_notification, next, refusal, told};

fn account(connector: &Connector) -> Result<&str, CallError> {
    connector.account.as_deref().ok_or_else(|| CallError::NotSent {
        cause: format!("connector {} has no account", connector.name),
        retry_after: None,
    })
}

/// Has the page made. No money moves by that.
pub(super) async fn page(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<BankReply, CallError> {
    let payment = CardPayment::of(&job.purchase.order, account(connector)?);
    let request = Request::post(connector, "api/card-payments").json(&payment);
    let request = request.raw_key(connector.secret.as_ref());
    let reply: CardPaymentUrl = exchange.send_decision(request, attempt).await?;
    match payment_page(&reply.payment_url) {
        Some(page) => Err(CallError::Asked { page: Some(page) }),
        None => Err(CallError::Unknown { cause: "the payment URL is none".to_owned() }),
    }
}

/// The payments that were told.
pub(super) fn transactions(job: &Job) -> Vec<Told<'_>> {
    asked::transactions(job, CARD_FACT, CARD_PAID)
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
            // Another one that was told may still have been paid.
            let is_open = matches!(answer, LookUp::Refused(_)) && told.len() > 1;
            Ok(if is_open { LookUp::Unclear } else { answer })
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
    if answer.status == 404 {
        return Ok(LookUp::Unclear);
    }
    let transaction: CardTransaction = answer.decision()?;
    let is_ours = transaction.is_of(&job.purchase.order, account, transaction_id).is_ok();
    Ok(match transaction.status {
        PurchaseStatus::Success if is_ours => LookUp::Done(BankReply::charged(transaction_id)),
        PurchaseStatus::Failed if is_ours => {
            LookUp::Refused(refusal(connector, CARD_NOT_PAID, codes::UNKNOWN))
        }
        PurchaseStatus::Success | PurchaseStatus::Failed | PurchaseStatus::Pending => {
            LookUp::Unclear
        }
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
    if !not_paid || !told(job, CARD_FACT, CARD_PAID).is_empty() {
        return None;
    }
    Some(Learnt::Refused(refusal(connector, CARD_NOT_PAID, codes::UNKNOWN)))
}
