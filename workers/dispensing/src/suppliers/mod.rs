//! Suppliers. A new one is one file here, one row in [`SupplierAdapter`] and its arm below.

mod own_goods;
mod vend;

use fleet_boot::Exchange;
use fleet_contracts::VendReply;
use fleet_contracts::codes::{VendMeaning, vend_meaning};
use fleet_domain::{Connector, Directory, Job, SupplierAdapter};
use fleet_engine::{Attempt, CallError, Learnt, LookUp, Refusal, connectors};

fn adapter(connector: &Connector) -> Result<SupplierAdapter, CallError> {
    connectors::adapter(connector.supplier(), connector)
}

/// The supplier of a job.
///
/// # Errors
/// `NotSent` when it is not in the directory.
pub fn connector<'d>(directory: &'d Directory, job: &Job) -> Result<&'d Connector, CallError> {
    connectors::connector(directory, &job.purchase.order.supplier)
}

/// Vends, once per reference.
///
/// # Errors
/// As [`fleet_engine::Step::call`]; a pending vend is [`CallError::Pending`].
pub async fn vend(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<VendReply, CallError> {
    match adapter(connector)? {
        SupplierAdapter::Vend => vend::vend(exchange, connector, job, attempt).await,
        SupplierAdapter::OwnGoods => Ok(own_goods::handed_over(job)),
    }
}

/// Asks what became of a vend.
///
/// # Errors
/// As [`fleet_engine::Step::look_up`].
pub async fn look_up(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<LookUp<VendReply>, CallError> {
    match adapter(connector)? {
        SupplierAdapter::Vend => vend::look_up(exchange, connector, job, attempt).await,
        SupplierAdapter::OwnGoods => Ok(LookUp::Done(own_goods::handed_over(job))),
    }
}

/// What a supplier's reply tells, after the connector's own code map.
#[must_use]
pub fn learnt(connector: &Connector, reply: VendReply) -> Learnt<VendReply> {
    let code = connector.code(&reply.response_code).to_owned();
    let own_code = Some(reply.response_code.clone()).filter(|own| *own != code);
    let refusal = |retryable| Refusal {
        code: code.clone(),
        own_code: own_code.clone(),
        retryable,
        reference_used: true,
        retry_after: None,
    };
    match vend_meaning(&code) {
        VendMeaning::Done => Learnt::Done(reply),
        VendMeaning::Refused => Learnt::Refused(refusal(false)),
        VendMeaning::NewVend => Learnt::Refused(refusal(true)),
        VendMeaning::Pending => Learnt::Pending,
        VendMeaning::Unknown => {
            Learnt::Unknown { cause: format!("{} answered an undecided code", connector.name) }
        }
    }
}
