//! Goods that the client hands over itself, such as a booking that was paid by card: nobody is asked,
//! and what is paid is done.

use fleet_contracts::{VendReply, codes};
use fleet_domain::Job;

pub(super) fn handed_over(job: &Job) -> VendReply {
    let order = &job.purchase.order;
    VendReply {
        vend_ref: Some(order.vend_ref(job.task.ref_no)),
        response_code: codes::OK.to_owned(),
        response_message: String::new(),
        supplier_ref: None,
        token: None,
        vend_amount: Some(order.purchase_amount),
        odd_amount: false,
    }
}
