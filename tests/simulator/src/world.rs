//! The handle of the world: one lock around its state, and what tests and routes ask of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::behaviour::{Action, Behaviour, Plan};
use crate::buyer::Transaction;
use crate::completion::CompletionCall;
use crate::credentials::Wanted;
use crate::desk::TokenRecord;
use crate::ipn::{IpnCall, Mode};
use crate::message::Message;
use crate::record::{Call, Effect, ResultSeen, Summary, Violation};
use crate::sale::SaleRecord;
use crate::settings::SimulatorSettings;
use crate::state::{State, Visit};

/// Callbacks under way at the same time.
const CONFIRMATIONS_AT_ONCE: usize = 64;

/// All parties with their record. Clones share it.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    settings: SimulatorSettings,
    state: Mutex<State>,
    http: reqwest::Client,
    confirmations: Semaphore,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl World {
    pub(crate) fn new(settings: SimulatorSettings, http: reqwest::Client) -> Self {
        let state = Mutex::new(State::new(&settings));
        let confirmations = Semaphore::new(CONFIRMATIONS_AT_ONCE);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        Self(Arc::new(Inner { settings, state, http, confirmations, tasks, stop }))
    }

    /// Every effect so far, in order.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        self.lock(|state| state.effects().to_vec())
    }

    /// Every call so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.lock(|state| state.calls().to_vec())
    }

    /// The violations so far, the first ten thousand of them.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.lock(|state| state.violations().to_vec())
    }

    /// The effects of one purchase, in order.
    #[must_use]
    pub fn effects_of(&self, purchase: &str) -> Vec<Effect> {
        self.lock(|state| state.effects_of(purchase))
    }

    /// What the fraud desk was told and asked about a token.
    #[must_use]
    pub fn token(&self, token: &str) -> TokenRecord {
        self.lock(|state| state.token_record(token).cloned().unwrap_or_default())
    }

    /// The figures.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.lock(|state| state.summary())
    }

    /// Scripts one action of a purchase: `key` is its `raasTxnRef`, its target, its `clientTxnRef`
    /// or, for the desk, its token. The behaviours are used in order and the last one repeats.
    pub fn script(&self, key: &str, action: Action, behaviours: Vec<Behaviour>) {
        self.lock(|state| state.script(key, Plan::from([(action, behaviours)])));
    }

    /// Campaign and description of the SMS charge that was asked for, if one was.
    #[must_use]
    pub fn sms_of(&self, purchase: &str) -> Option<(String, String)> {
        self.lock(|state| {
            let asked = state.charges.get(purchase)?;
            Some((asked.campaign.clone(), asked.description.clone()))
        })
    }

    /// Every IPN so far, in order, whatever was answered; those that met a dead listener excepted.
    #[must_use]
    pub fn ipns(&self) -> Vec<IpnCall> {
        self.lock(|state| state.ipns.calls.clone())
    }

    /// Every message that reached a person so far, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.lock(|state| state.messages.sent.clone())
    }

    /// Every completion of a card payment for a client so far, in order, whatever was answered.
    #[must_use]
    pub fn completions(&self) -> Vec<CompletionCall> {
        self.lock(|state| state.completions.clone())
    }

    /// The transactions that were told of a purchase, in order, forged ones too.
    #[must_use]
    pub fn transactions_of(&self, purchase: &str) -> Vec<Transaction> {
        self.lock(|state| state.transactions_of(purchase))
    }

    /// What a card gateway knows of the sale of a purchase.
    #[must_use]
    pub fn sale(&self, purchase: &str) -> Option<SaleRecord> {
        self.lock(|state| state.sales.record(purchase))
    }

    /// What a party (or each whose name begins so) wants of its callers from now on.
    pub fn want(&self, party: &str, wanted: Wanted) {
        self.lock(|state| state.credentials.set(party, wanted));
    }

    /// What a party wants of its callers.
    #[must_use]
    pub fn wanted(&self, party: &str) -> Wanted {
        self.lock(|state| state.credentials.of(party))
    }

    /// How a provider of messages is from now on (`sms`, `mail`).
    pub fn set_provider(&self, party: &str, mode: Mode) {
        self.lock(|state| state.messages.modes.insert(Arc::from(party), mode));
    }

    /// The amounts of every result that took effect at a bank or a client, in order.
    #[must_use]
    pub fn results_of(&self, purchase: &str) -> Vec<ResultSeen> {
        let is_its = |seen: &&ResultSeen| seen.purchase == purchase;
        self.lock(|state| state.results.iter().filter(is_its).cloned().collect())
    }

    /// How a client's IPN listener is from now on.
    pub fn set_listener(&self, client: i64, mode: Mode) {
        self.lock(|state| state.ipns.modes.insert(client, mode));
    }

    /// A client's IPN listener gets a new key and still believes the old ones.
    pub fn rotate_ipn_key(&self, client: i64, key: &str) {
        self.lock(|state| state.rotate_ipn_key(client, key));
    }

    /// A purchase that a call speaks of is one of ours from now on.
    pub(crate) fn know(&self, visit: &Visit) {
        self.lock(|state| {
            state.purchase_mut(&visit.purchase);
        });
    }

    /// Forgets everything: records, scripts and all parties' states.
    pub fn reset(&self) {
        self.lock(|state| *state = State::new(&self.0.settings));
    }

    pub(crate) fn lock<T>(&self, use_it: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(&mut state)
    }

    pub(crate) fn settings(&self) -> &SimulatorSettings {
        &self.0.settings
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.0.http
    }

    pub(crate) fn confirmations(&self) -> &Semaphore {
        &self.0.confirmations
    }

    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    pub(crate) fn stop_token(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Counts a call as being served until the guard is dropped.
    pub(crate) fn enter(&self, party: &Arc<str>) -> Serving {
        self.lock(|state| state.entered(party));
        Serving { world: self.clone(), party: Arc::clone(party) }
    }

    pub(crate) fn custom_scripts(&self) -> BTreeMap<String, Plan> {
        self.lock(|state| state.custom_scripts())
    }
}

/// A call being served.
pub(crate) struct Serving {
    world: World,
    party: Arc<str>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.world.lock(|state| state.left(&self.party));
    }
}
