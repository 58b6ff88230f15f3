//! The gateway's paths (contracts, section 6): one file a resource.

mod callbacks;
mod lookup;
mod results;
mod transact;
mod transactions;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use fleet_contracts::BODY_BYTES_MAX;

use crate::Gateway;

/// All paths that clients and suppliers call.
pub fn router(gateway: Gateway) -> Router {
    Router::new()
        .route("/transact/4.0", post(transact::transact))
        .route("/reserveAndTransact/4.0", post(transact::reserve_and_transact))
        .route("/lookup-api/2.0", get(lookup::transaction))
        .route(
            "/api/transactions/{id}",
            get(transactions::query).fallback(transactions::wrong_method),
        )
        .route("/results", get(results::since))
        .route("/statements/{date}", get(results::statement))
        .route("/callbacks/suppliers/{connector}", post(callbacks::supplier))
        // One byte more than allowed, so that the handler itself can name what is too long.
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX.saturating_add(1)))
        .with_state(gateway)
}
