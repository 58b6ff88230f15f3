//! An operator's SMS charge (contracts, section 3): it sends the buyer an SMS, and charges when the
//! buyer replies. It deduplicates on the correlator, our `raasTxnRef`, and gives nothing back.

use fleet_boot::{Exchange, Request};
use fleet_contracts::{
    BankReply, ChargeCheck, ChargeReply, Checked, MO_CHARGED, MO_FACT, MoNotification, MoStatus,
    charge_query, check_query, codes,
};
use fleet_domain::{Connector, Directory, Fact, Job, MoAccount};
use fleet_engine::waiting::may_be_out;
use fleet_engine::{Attempt, CallError, Learnt, LookUp};

use crate::asked::{self, Ask, Told, is_notification, next, refusal};

/// The word of `codes` for a charge that is answered with `success` false.
const NOT_SENT: &str = "success:false";

/// What is said at this operator of what the job buys.
fn account(connector: &Connector, job: &Job) -> Result<MoAccount, CallError> {
    connector.mo_account(&job.purchase.order).ok_or_else(|| CallError::NotSent {
        cause: format!("connector {} has no [connector.mo]", connector.name),
        retry_after: None,
    })
}

fn request(connector: &Connector, mo: &MoAccount, path: &str) -> Request {
    Request::post(connector, path).basic(&mo.user, connector.secret.as_ref()).accepts_json()
}

/// Has the SMS sent; that is all that its answer says. A plain no says that none was.
pub(super) async fn charge(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<BankReply, CallError> {
    let mo = account(connector, job)?;
    let request = request(connector, &mo, "v2.2/mo/charge");
    let request = request.query(&charge_query(&job.purchase.order, &mo));
    let answer = exchange.send(request, attempt).await?;
    let no = if let Some(no) = answer.plain_no() {
        asked::refused_at_once(connector, &no)
    } else if answer.decision::<ChargeReply>()?.success {
        return Err(CallError::Asked { page: None });
    } else {
        let text = "success false".to_owned();
        asked::refused_in_a_word(connector, NOT_SENT, text)
    };
    // It may be a no to the same correlator once more: the first may have sent the SMS all the same.
    // And where somebody tells of a charge, it is asked about. Either way the buyer has the next word.
    if may_be_out(job) || !transactions(job).is_empty() {
        return Err(CallError::Asked { page: None });
    }
    Err(CallError::Refused { refusal: no })
}

/// The charges that were told: as such, or in a word of no document together with a transaction.
pub(super) fn transactions(job: &Job) -> Vec<Told<'_>> {
    asked::transactions(job, |fact| {
        let other = ["success:", "error:"].iter().any(|start| fact.status.starts_with(start));
        let told = fact.status == MO_CHARGED || other && !fact.external_id.is_empty();
        told && is_notification(job, fact, MO_FACT)
    })
}

/// Confirms a charge that was told; without one, has the SMS sent again while nobody knows whether
/// it was.
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
            let mo = account(connector, job)?;
            let answer = check(exchange, (connector, &mo), job, attempt, id).await?;
            Ok(asked::unless_another(&told, answer))
        }
        Ask::Nothing => Ok(LookUp::Asked { page: None }),
        Ask::NotAnyMore => Ok(LookUp::Unsupported),
        Ask::Again => LookUp::from_repeated(charge(exchange, connector, job, attempt).await),
    }
}

async fn check(
    exchange: &Exchange,
    (connector, mo): (&Connector, &MoAccount),
    job: &Job,
    attempt: Attempt,
    transaction_id: &str,
) -> Result<LookUp<BankReply>, CallError> {
    let request = request(connector, mo, "external/v1/merchant/check_transaction");
    let answer = exchange.send(request.query(&check_query(mo, transaction_id)), attempt).await?;
    if answer.status == 404 {
        let cause = "check_transaction does not know the transaction".to_owned();
        return Ok(LookUp::Unvouched { cause });
    }
    let check: ChargeCheck = answer.decision()?;
    // Another charge than the one that was asked for funds nothing, whoever told of it.
    Ok(match check.of(&job.purchase.order, mo) {
        Checked::Charged => LookUp::Done(BankReply::charged(transaction_id)),
        Checked::NotCharged(word) => LookUp::Refused(refusal(connector, &word, codes::UNKNOWN)),
        Checked::Open(why) => {
            LookUp::Unvouched { cause: format!("check_transaction does not vouch for it: {why}") }
        }
    })
}

/// What a notification tells by itself: only that nothing was charged, and that only while nobody
/// speaks of a charge.
pub(super) fn read_fact(
    connector: &Connector,
    job: &Job,
    fact: &Fact,
) -> Option<Learnt<BankReply>> {
    if !is_notification(job, fact, MO_FACT) || !transactions(job).is_empty() {
        return None;
    }
    let body = fact.body.expose().as_bytes();
    let told = MoNotification::from_bytes(body, connector.mo.as_ref()).ok()?;
    match told.status {
        MoStatus::PinExpired => {
            let code = codes::INTERNAL_TIMEOUT;
            Some(Learnt::Refused(refusal(connector, &told.word, code)))
        }
        MoStatus::Failed => Some(Learnt::Refused(refusal(connector, &told.word, codes::UNKNOWN))),
        MoStatus::Charged | MoStatus::PinUsed | MoStatus::PinNotFound | MoStatus::Unclear => None,
    }
}
