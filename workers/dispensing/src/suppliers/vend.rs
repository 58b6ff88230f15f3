//! A supplier behind the contract's supplier interface, of any of its three kinds: with look-up,
//! callback only, neither.

use fleet_boot::{Exchange, Request};
use fleet_contracts::{VendReply, VendRequest};
use fleet_domain::{Connector, Inquiry, Job};
use fleet_engine::waiting::{settled, start_is_over};
use fleet_engine::{Attempt, CallError, Learnt, LookUp};

pub(super) async fn vend(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<VendReply, CallError> {
    let request = Request::post(connector, "vend").json(&VendRequest::of(job));
    let reply: VendReply = exchange.send_decision(request, attempt).await?;
    match super::learnt(connector, reply) {
        Learnt::Done(reply) => Ok(reply),
        Learnt::Refused(refusal) => Err(CallError::Refused { refusal }),
        Learnt::Pending => Err(CallError::Pending),
        Learnt::Unknown { cause } => Err(CallError::Unknown { cause }),
        Learnt::Asked { .. }
        | Learnt::NotSent { .. }
        | Learnt::NotDone
        | Learnt::CannotTell
        | Learnt::Ended(_) => {
            Err(CallError::Unknown { cause: "the reply decides nothing".to_owned() })
        }
    }
}

pub(super) async fn look_up(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<LookUp<VendReply>, CallError> {
    match connector.inquiry {
        Inquiry::LookUp => {}
        // A repetition might be the first to arrive, so it may leave only while a start may.
        Inquiry::Repeat if !start_is_over(job) => {
            return LookUp::from_repeated(vend(exchange, connector, job, attempt).await);
        }
        Inquiry::Repeat | Inquiry::Callback | Inquiry::None => return Ok(LookUp::Unsupported),
    }
    let path = format!("vend/{}", job.purchase.order.vend_ref(job.task.ref_no));
    let answer = exchange.send(Request::get(connector, &path), attempt).await?;
    if answer.status == 404 {
        let trusted = settled(connector, job);
        return Ok(if trusted { LookUp::NotDone } else { LookUp::Unclear });
    }
    Ok(match super::learnt(connector, answer.decision()?) {
        Learnt::Done(reply) => LookUp::Done(reply),
        Learnt::Refused(refusal) => LookUp::Refused(refusal),
        Learnt::Pending => LookUp::Pending,
        Learnt::Unknown { .. }
        | Learnt::Asked { .. }
        | Learnt::NotSent { .. }
        | Learnt::NotDone
        | Learnt::CannotTell
        | Learnt::Ended(_) => LookUp::Unclear,
    })
}
