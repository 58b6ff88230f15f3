//! Asking a product's supplier about an account: the only call that the gateway makes. It changes
//! nothing outside, is bounded in time and number, and is never repeated.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fleet_boot::{Answer, Exchange, Request};
use fleet_contracts::{AccountQuery, AccountReply, codes};
use fleet_domain::{Connector, SupplierAdapter};
use fleet_engine::Attempt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Asks suppliers.
#[derive(Debug)]
pub struct Accounts {
    exchange: Exchange,
    within: Duration,
    at_once: usize,
    /// Places by supplier: a slow one takes nobody else's.
    places: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Accounts {
    /// Through this exchange: each answer within a time, so many at once for each supplier.
    #[must_use]
    pub fn new(exchange: Exchange, within: Duration, at_once: usize) -> Self {
        Self { exchange, within, at_once, places: Mutex::default() }
    }

    /// The supplier's answer in the contract's terms; `None` when too many wait for it.
    pub(crate) async fn ask(
        &self,
        supplier: &Connector,
        query: &AccountQuery<'_>,
    ) -> Option<AccountReply> {
        match supplier.supplier() {
            Some(SupplierAdapter::Vend) => {}
            Some(SupplierAdapter::OwnGoods) | None => return Some(no_service()),
        }
        let _place = self.place(&supplier.name)?;
        let within = self.within.min(supplier.call_deadline);
        let now = Instant::now();
        let deadline = now.checked_add(within).unwrap_or(now);
        let attempt = Attempt { send_before: deadline, deadline };
        let request = Request::post(supplier, "validate").json(query);
        Some(match self.exchange.send(request, attempt).await {
            Ok(answer) => told(supplier, &answer),
            Err(error) => {
                tracing::info!(connector = supplier.name, error = %error, "account not validated");
                if Instant::now() >= deadline {
                    AccountReply::code(
                        codes::INTERNAL_TIMEOUT,
                        "the supplier did not answer in time",
                    )
                } else {
                    AccountReply::code(codes::UNKNOWN, "the supplier could not be asked")
                }
            }
        })
    }

    fn place(&self, supplier: &str) -> Option<OwnedSemaphorePermit> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let places = places.entry(supplier.to_owned());
        let places = places.or_insert_with(|| Arc::new(Semaphore::new(self.at_once)));
        Arc::clone(places).try_acquire_owned().ok()
    }
}

fn no_service() -> AccountReply {
    AccountReply::code(codes::SERVICE_NOT_FOUND, "Service not found")
}

fn told(supplier: &Connector, answer: &Answer) -> AccountReply {
    match answer.status {
        404 | 405 | 501 => return no_service(),
        429 => {
            return AccountReply::code(codes::VOLUMES_EXCEEDED, "the supplier is asked too often");
        }
        _ => {}
    }
    match answer.decision::<AccountReply>() {
        Ok(reply) => {
            let code = supplier.code(&reply.response_code).to_owned();
            reply.told(&code)
        }
        Err(error) => {
            tracing::info!(connector = supplier.name, error = %error, "account not validated");
            AccountReply::code(codes::UNKNOWN, "the supplier's answer is not readable")
        }
    }
}
