//! An operator's SMS charge (contracts, section 3): it sends the buyer an SMS, and charges when the
//! buyer replies. It deduplicates on the correlator, our `raasTxnRef`, and gives nothing back.

use fleet_boot::{Exchange, Request};
use fleet_contracts::{
    BankReply, ChargeCheck, ChargeReply, MO_CHARGED, MO_FACT, MoNotification, MoStatus,
    charge_query, check_query, codes,
};
use fleet_domain::{Connector, Directory, Fact, Job, MoAccount};
use fleet_engine::{Attempt, CallError, Learnt, LookUp};

use crate::asked::{self, Ask, Told, is_notification, next, refusal, told};

fn account(connector: &Connector) -> Result<&MoAccount, CallError> {
    connector.mo.as_ref().ok_or_else(|| CallError::NotSent {
        cause: format!("connector {} has no [connector.mo]", connector.name),
        retry_after: None,
    })
}

fn request(connector: &Connector, mo: &MoAccount, path: &str) -> Request {
    Request::post(connector, path).basic(&mo.user, connector.secret.as_ref()).accepts_json()
}

/// Has the SMS sent; that is all that its answer says.
pub(super) async fn charge(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<BankReply, CallError> {
    let mo = account(connector)?;
    let request = request(connector, mo, "v2.2/mo/charge");
    let request = request.query(&charge_query(&job.purchase.order, mo));
    let reply: ChargeReply = exchange.send_decision(request, attempt).await?;
    if reply.success {
        return Err(CallError::Asked { page: None });
    }
    Err(CallError::Unknown { cause: format!("{} did not say success", connector.name) })
}

/// The charges that were told.
pub(super) fn transactions(job: &Job) -> Vec<Told<'_>> {
    asked::transactions(job, MO_FACT, MO_CHARGED)
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
    match next(directory, job, &transactions(job)) {
        Ask::About(id) => check(exchange, connector, job, attempt, id).await,
        Ask::Nothing => Ok(LookUp::Asked { page: None }),
        Ask::NotAnyMore => Ok(LookUp::Unsupported),
        Ask::Again => LookUp::from_repeated(charge(exchange, connector, job, attempt).await),
    }
}

async fn check(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
    transaction_id: &str,
) -> Result<LookUp<BankReply>, CallError> {
    let mo = account(connector)?;
    let request = request(connector, mo, "external/v1/merchant/check_transaction");
    let answer = exchange.send(request.query(&check_query(mo, transaction_id)), attempt).await?;
    if answer.status == 404 {
        return Ok(LookUp::Unclear);
    }
    let check: ChargeCheck = answer.decision()?;
    // Another charge than the one that was asked for funds nothing, whoever told of it.
    Ok(match check.confirms(&job.purchase.order, mo) {
        Ok(()) => LookUp::Done(BankReply::charged(transaction_id)),
        Err(_differs) => LookUp::Unclear,
    })
}

/// What a notification tells by itself: only that nothing was charged, and that only while nobody
/// speaks of a charge.
pub(super) fn read_fact(
    connector: &Connector,
    job: &Job,
    fact: &Fact,
) -> Option<Learnt<BankReply>> {
    let speaks_of_a_charge = !told(job, MO_FACT, MO_CHARGED).is_empty();
    if !is_notification(job, fact, MO_FACT) || speaks_of_a_charge {
        return None;
    }
    let told = MoNotification::from_bytes(fact.body.expose().as_bytes()).ok()?;
    match told.status {
        MoStatus::PinExpired => {
            let code = codes::INTERNAL_TIMEOUT;
            Some(Learnt::Refused(refusal(connector, &told.word, code)))
        }
        MoStatus::Failed => Some(Learnt::Refused(refusal(connector, &told.word, codes::UNKNOWN))),
        MoStatus::Charged | MoStatus::PinUsed | MoStatus::PinNotFound | MoStatus::Unclear => None,
    }
}
