//! A source that takes the money at once, such as a prepaid wallet: `POST {base}/charge` and
//! `GET {base}/charges/{raasTxnRef}` with the bodies of the bank interface, and `POST {base}/refund`
//! gives it back. It deduplicates on `raasTxnRef`.

use fleet_boot::{Exchange, Request};
use fleet_contracts::{BankReply, RefundFunds};
use fleet_domain::{Connector, Job};
use fleet_engine::{Attempt, CallError};

use super::bank::{Paths, decided};

pub(super) const PATHS: Paths = Paths { reserve: "charge", look_up: "charges" };

pub(super) async fn refund(
    exchange: &Exchange,
    connector: &Connector,
    job: &Job,
    attempt: Attempt,
) -> Result<BankReply, CallError> {
    let request = Request::post(connector, "refund").json(&RefundFunds::of(&job.purchase));
    decided(connector, exchange.send_decision(request, attempt).await?)
}
