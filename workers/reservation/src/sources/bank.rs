//! A bank behind the contract's bank interface. It deduplicates on `raasTxnRef`.

use fleet_boot::{Exchange, Request};
use fleet_contracts::codes::{BankMeaning, bank_meaning};
use fleet_contracts::{BankReply, ReserveFunds, TransactResult};
use fleet_domain::{Connector, Inquiry, Job};
use fleet_engine::waiting::{settled, start_is_over};
use fleet_engine::{Attempt, CallError, LookUp, Refusal};

/// Where a source of this interface takes reservations, and where it tells of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paths {
    pub(super) reserve: &'static str,
    pub(super) look_up: &'static str,
}

/// The contract's.
pub(super) const PATHS: Paths = Paths { reserve: "reserve", look_up: "reservations" };

pub(super) async fn reserve(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
    paths: Paths,
) -> Result<BankReply, CallError> {
    let request = Request::post(connector, paths.reserve).json(&ReserveFunds::of(&job.purchase));
    decided(connector, exchange.send_decision(request, attempt).await?)
}

pub(super) async fn look_up_reservation(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
    paths: Paths,
) -> Result<LookUp<BankReply>, CallError> {
    match connector.inquiry {
        Inquiry::LookUp => {}
        // A repetition might be the first to arrive, so it may leave only while a start may.
        Inquiry::Repeat if !start_is_over(job) => {
            let reply = reserve(exchange, connector, job, attempt, paths).await;
            return LookUp::from_repeated(reply);
        }
        Inquiry::Repeat | Inquiry::Callback | Inquiry::None => return Ok(LookUp::Unsupported),
    }
    let path = format!("{}/{}", paths.look_up, job.purchase.order.id);
    let answer = exchange.send(Request::get(connector, &path), attempt).await?;
    if answer.status == 404 {
        if settled(connector, job) {
            return Ok(LookUp::NotDone);
        }
        if start_is_over(job) {
            return Ok(LookUp::Unclear);
        }
        // The bank deduplicates on our reference: while a start may leave, the same once more is
        // safe whatever became of the first, and need not wait for the settle time.
        return LookUp::from_repeated(reserve(exchange, connector, job, attempt, paths).await);
    }
    Ok(match decided(connector, answer.decision()?) {
        Ok(reply) => LookUp::Done(reply),
        Err(CallError::Refused { refusal }) => LookUp::Refused(refusal),
        Err(_undecided) => LookUp::Unclear,
    })
}

pub(super) async fn settle(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<BankReply, CallError> {
    let result = TransactResult::for_bank(&job.purchase, job.task.now);
    let request = Request::post(connector, "result").json(&result);
    decided(connector, exchange.send_decision(request, attempt).await?)
}

/// A decision is what the code says, in the contract's words from here on; a code outside the tables
/// decides nothing.
pub(super) fn decided(connector: &Connector, reply: BankReply) -> Result<BankReply, CallError> {
    let own_code = reply.response_code.clone();
    let reply = BankReply { response_code: connector.code(&own_code).to_owned(), ..reply };
    match bank_meaning(&reply.response_code) {
        BankMeaning::Done => Ok(reply),
        BankMeaning::Refused => {
            let own_code = Some(own_code).filter(|own| *own != reply.response_code);
            let refusal = Refusal { own_code, ..super::refusal(&reply) };
            Err(CallError::Refused { refusal })
        }
        BankMeaning::Again => {
            let cause = format!("{} answered an undecided code", connector.name);
            Err(CallError::Unknown { cause })
        }
    }
}
