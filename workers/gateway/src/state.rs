//! What every handler shares.

use std::sync::Arc;
use std::time::Duration;

use fleet_boot::HintPublisher;
use fleet_store::Store;

use crate::{Accepts, Accounts, Answers, Doors, PresentDirectory, Queries};

/// The gateway's parts; cheap to clone.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Postgres.
    pub store: Store,
    /// The present directory.
    pub directory: PresentDirectory,
    /// Where first hints go.
    pub hints: HintPublisher,
    /// Who waits for a bank.
    pub answers: Arc<Answers>,
    /// Purchases on their way into the store; whoever finds no place is told to come again.
    pub accepts: Arc<Accepts>,
    /// The way to Postgres for all else.
    pub doors: Doors,
    /// Who asks suppliers about accounts.
    pub accounts: Arc<Accounts>,
    /// How many transactions each client has queried lately.
    pub queries: Arc<Queries>,
    /// How long Transaction Query shows a purchase.
    pub transactions_kept: Duration,
    /// Where buyers reach us, without a slash at its end; empty = where their request came to.
    pub public_url: Arc<str>,
}
