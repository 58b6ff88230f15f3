//! Taking purchases in: one way for both HTTP and messages. It stores first; hints follow.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_contracts::{CheckedBody, PurchaseBody, Rejection, accept, active_client, codes};
use fleet_domain::{ClientId, Directory, FollowUp, Progress, PurchaseId, Scenario, WayIn};
use fleet_store::{Earlier, NewPurchase, Store, StoreError, Stored};

use crate::HintPublisher;

/// What became of one body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntakeOutcome {
    /// Stored, now or before with the same content.
    Stored {
        /// Our reference.
        id: PurchaseId,
        /// How far it is.
        progress: Box<Progress>,
        /// It was stored now.
        is_new: bool,
    },
    /// The client's reference is taken by another content.
    Conflict,
    /// A similar purchase of the client is in flight, and it wants no second one.
    Similar,
    /// Refused, with the code and the field.
    Rejected(Rejection),
    /// The store did not do it, or did not say so: the same again is safe.
    Unavailable,
}

impl IntakeOutcome {
    /// The word in metrics.
    const fn name(&self) -> &'static str {
        match self {
            Self::Stored { is_new: true, .. } => "created",
            Self::Stored { is_new: false, .. } => "repeated",
            Self::Conflict => "conflict",
            Self::Similar => "similar",
            Self::Rejected(_) => "rejected",
            Self::Unavailable => "unavailable",
        }
    }
}

impl From<Stored> for IntakeOutcome {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::New(id, progress) => Self::Stored { id, progress, is_new: true },
            Stored::Same(id, progress) => Self::Stored { id, progress, is_new: false },
            Stored::Conflict => Self::Conflict,
            Stored::Similar(_) => Self::Similar,
        }
    }
}

/// What is told about a purchase that a similar one in flight keeps away.
#[must_use]
pub fn similar_in_flight() -> Rejection {
    let problem = "is new, but a purchase of the same source, target, product and amount is in \
                   flight";
    Rejection::code(codes::TOO_MANY_TRANSACTIONS, "clientTxnRef", problem)
}

/// Takes purchases in.
#[derive(Debug, Clone)]
pub struct Intake {
    store: Store,
    hints: Option<HintPublisher>,
    connected_within: Duration,
}

impl Intake {
    /// An intake into this store.
    #[must_use]
    pub const fn new(store: Store, hints: HintPublisher) -> Self {
        Self { store, hints: Some(hints), connected_within: Duration::MAX }
    }

    /// An intake that publishes nothing: the clock finds the first tasks at its own pace, as it finds
    /// those whose hints were lost, so whoever takes many in does not crowd out live traffic.
    #[must_use]
    pub const fn without_hints(store: Store) -> Self {
        Self { store, hints: None, connected_within: Duration::MAX }
    }

    /// Who finds no connection by then is told so, while nothing has been written.
    #[must_use]
    pub fn connected_within(self, connected_within: Duration) -> Self {
        Self { connected_within, ..self }
    }

    /// Takes a batch in, in one round trip, and publishes the first hints of what is new. A purchase
    /// that was accepted before is answered with what it is now, whatever a rule of today says.
    pub async fn take_in(
        &self,
        directory: &Directory,
        bodies: Vec<(PurchaseBody, Scenario)>,
        way_in: WayIn,
    ) -> Vec<IntakeOutcome> {
        let (outcomes, hints) = self.take_in_only(directory, bodies, way_in).await;
        hints.publish().await;
        outcomes
    }

    /// The same, but the hints are left to whoever calls: nobody need wait for the broker to be told
    /// what is stored.
    pub async fn take_in_only(
        &self,
        directory: &Directory,
        bodies: Vec<(PurchaseBody, Scenario)>,
        way_in: WayIn,
    ) -> (Vec<IntakeOutcome>, FirstHints) {
        let mut hints = FirstHints { publisher: self.hints.clone(), groups: Vec::new() };
        let outcomes = self.outcomes(directory, bodies, way_in, &mut hints).await;
        for outcome in &outcomes {
            fleet_telemetry::metrics().intake(way_in.name(), outcome.name());
        }
        (outcomes, hints)
    }

    async fn outcomes(
        &self,
        directory: &Directory,
        bodies: Vec<(PurchaseBody, Scenario)>,
        way_in: WayIn,
        hints: &mut FirstHints,
    ) -> Vec<IntakeOutcome> {
        let count = bodies.len();
        let now = tokio::time::timeout(self.connected_within, self.store.now()).await;
        let Ok(Ok(now)) = now else {
            return vec![IntakeOutcome::Unavailable; count];
        };
        let keyring = self.store.keyring();
        let is_blacklisted =
            |source: &str| directory.blacklist.contains(&keyring.lookup_hash("source", source));
        let mut outcomes = HashMap::new();
        let (mut orders, mut refused) = (Vec::new(), Vec::new());
        for (index, (body, scenario)) in bodies.into_iter().enumerate() {
            match read(directory, body, scenario) {
                Err(rejection) => drop(outcomes.insert(index, IntakeOutcome::Rejected(rejection))),
                Ok((checked, earlier)) => match accept(directory, &checked, now, &is_blacklisted) {
                    Ok(order) => orders.push((index, NewPurchase { order, way_in })),
                    Err(rejection) => refused.push(Refused { index, earlier, rejection }),
                },
            }
        }
        self.tell_refused(refused, &mut outcomes).await;
        self.store_orders(orders, &mut outcomes, hints).await;
        let missing = IntakeOutcome::Unavailable;
        (0..count).map(|i| outcomes.remove(&i).unwrap_or_else(|| missing.clone())).collect()
    }

    /// What a rule of today refuses may be a retry of what was accepted: then the rule is not asked.
    async fn tell_refused(
        &self,
        refused: Vec<Refused>,
        outcomes: &mut HashMap<usize, IntakeOutcome>,
    ) {
        let earlier: Vec<&Earlier> = refused.iter().map(|one| &one.earlier).collect();
        let Ok(found) = self.store.accepted_before(&earlier).await else { return };
        for (one, found) in refused.into_iter().zip(found) {
            let outcome = match found {
                None => IntakeOutcome::Rejected(one.rejection),
                Some(stored) => IntakeOutcome::from(stored),
            };
            outcomes.insert(one.index, outcome);
        }
    }

    async fn store_orders(
        &self,
        orders: Vec<(usize, NewPurchase)>,
        outcomes: &mut HashMap<usize, IntakeOutcome>,
        hints: &mut FirstHints,
    ) {
        match self.store_batch(&orders, outcomes, hints).await {
            Ok(()) => {}
            // Nothing of the batch is stored: its neighbours must not suffer for the one.
            Err(StoreError::Refused { .. }) => {
                for (index, order) in orders {
                    let alone = [(index, order)];
                    if let Err(StoreError::Refused { sqlstate, .. }) =
                        self.store_batch(&alone, outcomes, hints).await
                    {
                        tracing::error!(sqlstate, "a purchase cannot be stored");
                        let problem = "cannot be stored";
                        let rejection = Rejection::code(codes::UNEXPECTED, "body", problem);
                        outcomes.insert(index, IntakeOutcome::Rejected(rejection));
                    }
                }
            }
            Err(error) => tracing::error!(error = %error, "purchases could not be stored"),
        }
    }

    async fn store_batch(
        &self,
        orders: &[(usize, NewPurchase)],
        outcomes: &mut HashMap<usize, IntakeOutcome>,
        hints: &mut FirstHints,
    ) -> Result<(), StoreError> {
        let Some((_, order)) = orders.first() else { return Ok(()) };
        let new: Vec<NewPurchase> = orders.iter().map(|(_, order)| order.clone()).collect();
        let scope = match order.way_in {
            WayIn::Http => "gateway",
            WayIn::Amqp => "requested",
        };
        fleet_telemetry::crash_point(scope, "insert.before");
        let accepted = self.store.accept(&new).await?;
        fleet_telemetry::crash_point(scope, "insert.after");
        let mut tasks = Vec::new();
        for ((index, order), stored) in orders.iter().zip(accepted.stored) {
            if let Stored::New(id, _) = &stored {
                tasks.push((*id, order.order.first_task.clone()));
            }
            outcomes.insert(*index, stored.into());
        }
        hints.groups.push((tasks, accepted.now));
        Ok(())
    }
}

/// The first hints of what was just stored. Dropped, they are left to the clock.
#[derive(Debug)]
#[must_use]
pub struct FirstHints {
    publisher: Option<HintPublisher>,
    groups: Vec<Group>,
}

/// First tasks, and when they were stored.
type Group = (Vec<(PurchaseId, FollowUp)>, DateTime<Utc>);

impl FirstHints {
    /// Publishes them.
    pub async fn publish(self) {
        let Some(publisher) = self.publisher else { return };
        for (tasks, now) in self.groups {
            publisher.publish_first(tasks, now).await;
        }
    }
}

/// A body that a rule of today refuses, unless it was accepted before.
struct Refused {
    index: usize,
    earlier: Earlier,
    rejection: Rejection,
}

/// What a body is by its form, and as which purchase it may have been accepted before. A client that
/// is not served gets no answer about its purchases either.
fn read(
    directory: &Directory,
    body: PurchaseBody,
    scenario: Scenario,
) -> Result<(CheckedBody, Earlier), Rejection> {
    let checked = CheckedBody::of(body, scenario)?;
    let client = active_client(directory, ClientId(checked.body.client_id))?;
    let earlier = Earlier {
        client: client.id,
        client_txn_ref: checked.body.client_txn_ref.clone(),
        content: checked.content(client, None),
    };
    Ok((checked, earlier))
}
