//! Funding sources. A new one is one file here, one row in [`SourceAdapter`] and its arm below.

mod bank;
mod card_payment;
mod card_sale;
mod charge;
mod charge_only;
mod mo_charge;

use std::time::Duration;

use fleet_boot::Exchange;
use fleet_contracts::BankReply;
use fleet_domain::{Connector, Directory, Fact, Job, LaneId, Party, SourceAdapter};
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Refusal, connectors};

use crate::asked::Told;

fn adapter(connector: &Connector) -> Result<SourceAdapter, CallError> {
    connectors::adapter(connector.source(), connector)
}

/// The funding source of a job.
///
/// # Errors
/// `NotSent` when it is not in the directory.
pub fn connector<'d>(directory: &'d Directory, job: &Job) -> Result<&'d Connector, CallError> {
    connectors::connector(directory, &job.purchase.order.funding_source)
}

/// How long a call of this job may take; no time at all while its connector is missing.
#[must_use]
pub fn call_deadline(directory: &Directory, job: &Job) -> Duration {
    connectors::call_deadline(connector(directory, job))
}

/// The longest call of any funding source.
#[must_use]
pub fn longest_call(directory: &Directory) -> Duration {
    directory.longest_call(Party::Bank)
}

/// The longest call of the funding source that owns a lane.
#[must_use]
pub fn longest_call_of(directory: &Directory, lane: LaneId) -> Duration {
    directory.longest_call_of(lane, Party::Bank)
}

/// Reserves.
///
/// # Errors
/// As [`fleet_engine::Step::call`].
pub async fn reserve(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<BankReply, CallError> {
    match adapter(connector)? {
        SourceAdapter::Bank => bank::reserve(exchange, connector, job, attempt, bank::PATHS).await,
        SourceAdapter::Charge | SourceAdapter::ChargeOnly => {
            bank::reserve(exchange, connector, job, attempt, charge::PATHS).await
        }
        SourceAdapter::MoCharge => mo_charge::charge(exchange, connector, job, attempt).await,
        SourceAdapter::CardPayment => card_payment::page(exchange, connector, job, attempt).await,
        SourceAdapter::CardSale => Err(card_sale::ASKED),
    }
}

/// Asks what became of a reservation.
///
/// # Errors
/// As [`fleet_engine::Step::look_up`].
pub async fn look_up_reservation(
    exchange: &Exchange,
    directory: &Directory,
    job: &Job,
    attempt: Attempt,
) -> Result<LookUp<BankReply>, CallError> {
    let connector = connector(directory, job)?;
    match adapter(connector)? {
        SourceAdapter::Bank => {
            bank::look_up_reservation(exchange, connector, job, attempt, bank::PATHS).await
        }
        SourceAdapter::Charge | SourceAdapter::ChargeOnly => {
            bank::look_up_reservation(exchange, connector, job, attempt, charge::PATHS).await
        }
        SourceAdapter::MoCharge => {
            mo_charge::look_up(exchange, directory, connector, job, attempt).await
        }
        SourceAdapter::CardPayment => {
            card_payment::look_up(exchange, directory, connector, job, attempt).await
        }
        SourceAdapter::CardSale => card_sale::look_up(exchange, connector, job, attempt).await,
    }
}

/// What a notification about a reservation tells by itself.
#[must_use]
pub fn read_notification(
    connector: &Connector,
    job: &Job,
    fact: &Fact,
) -> Option<Learnt<BankReply>> {
    match adapter(connector).ok()? {
        SourceAdapter::MoCharge => mo_charge::read_fact(connector, job, fact),
        SourceAdapter::CardPayment => card_payment::read_fact(connector, job, fact),
        // Only what a card gateway answers when it is asked counts.
        SourceAdapter::Bank
        | SourceAdapter::Charge
        | SourceAdapter::ChargeOnly
        | SourceAdapter::CardSale => None,
    }
}

/// What was told of a source that confirms each transaction when it is asked; nothing of any other.
pub(crate) fn told<'j>(directory: &Directory, job: &'j Job) -> Vec<Told<'j>> {
    match connector(directory, job).and_then(adapter) {
        Ok(SourceAdapter::MoCharge) => mo_charge::transactions(job),
        Ok(SourceAdapter::CardPayment) => card_payment::transactions(job),
        Ok(
            SourceAdapter::Bank
            | SourceAdapter::Charge
            | SourceAdapter::ChargeOnly
            | SourceAdapter::CardSale,
        )
        | Err(_) => Vec::new(),
    }
}

/// Whether the source asks the buyer, so that it decides nothing by itself.
#[must_use]
pub fn asks_the_buyer(connector: &Connector) -> bool {
    connector.source().is_some_and(SourceAdapter::asks_the_buyer)
}

/// Whether the source tells, when it is asked, how the buyer's payment goes on.
#[must_use]
pub fn can_be_polled(directory: &Directory, job: &Job) -> bool {
    connector(directory, job).is_ok_and(|connector| match adapter(connector) {
        Ok(SourceAdapter::CardSale) => card_sale::is_checked(job),
        Ok(
            SourceAdapter::Bank
            | SourceAdapter::Charge
            | SourceAdapter::ChargeOnly
            | SourceAdapter::MoCharge
            | SourceAdapter::CardPayment,
        )
        | Err(_) => false,
    })
}

/// Whether the source told that it gave back what it had not told to be paid: no callback that is still
/// to come can explain that.
#[must_use]
pub fn is_given_back(connector: &Connector, job: &Job) -> bool {
    adapter(connector) == Ok(SourceAdapter::CardSale) && card_sale::is_given_back(job)
}

/// Captures or cancels, as the purchase says. The same once more is safe.
///
/// # Errors
/// As [`fleet_engine::Step::call`].
pub async fn settle(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<BankReply, CallError> {
    match adapter(connector)? {
        SourceAdapter::Bank => bank::settle(exchange, connector, job, attempt).await,
        SourceAdapter::Charge
        | SourceAdapter::ChargeOnly
        | SourceAdapter::MoCharge
        | SourceAdapter::CardPayment
        | SourceAdapter::CardSale => Err(nothing_to_settle(connector)),
    }
}

/// Gives back money that was taken at once. The same once more is safe.
///
/// # Errors
/// As [`fleet_engine::Step::call`]; refused for good where the source has no call for it.
pub async fn refund(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<BankReply, CallError> {
    match adapter(connector)? {
        SourceAdapter::Charge => charge::refund(exchange, connector, job, attempt).await,
        SourceAdapter::ChargeOnly
        | SourceAdapter::MoCharge
        | SourceAdapter::CardPayment
        | SourceAdapter::CardSale => Err(charge_only::gives_nothing_back()),
        SourceAdapter::Bank => Err(nothing_to_settle(connector)),
    }
}

/// Whether the source takes the money at once, so that there is no hold to settle.
#[must_use]
pub fn charges_at_once(connector: &Connector) -> bool {
    adapter(connector).is_ok_and(|adapter| adapter != SourceAdapter::Bank)
}

/// The source's adapter was exchanged while the purchase was under way.
fn nothing_to_settle(connector: &Connector) -> CallError {
    let cause = format!("connector {} has no such call: look at its adapter", connector.name);
    CallError::NotSent { cause, retry_after: None }
}

/// A final refusal with a code of the contract.
#[must_use]
pub fn refusal(reply: &BankReply) -> Refusal {
    Refusal {
        own_code: None,
        code: reply.response_code.clone(),
        retryable: false,
        reference_used: true,
        retry_after: None,
    }
}
