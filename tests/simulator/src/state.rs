//! Everything that the simulator knows, behind the world's lock.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::Utc;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::behaviour::{Action, Behaviour, Confirmation, Plan};
use crate::buyer::Transaction;
use crate::card::Cards;
use crate::completion::CompletionCall;
use crate::credentials::Credentials;
use crate::desk::Token;
use crate::ipn::Ipns;
use crate::judge;
use crate::message::Messages;
use crate::operator::ChargeRequest;
use crate::purchase::Purchase;
use crate::record::{Call, Effect, EffectKind, PartyCount, ResultSeen, Summary, Violation};
use crate::sale::Sales;
use crate::scripts::{Script, marked_code, target_code};
use crate::settings::{Latency, SimulatorSettings};
use crate::supplier::SupplierKind;

/// Violations kept; later ones are only counted.
const VIOLATIONS_MAX: usize = 10_000;
/// Violations shown in a summary.
const VIOLATIONS_SHOWN: usize = 100;
/// Scripts by key.
const SCRIPTS_MAX: usize = 100_000;

/// Who calls whom for what.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) party: Arc<str>,
    pub(crate) action: Action,
    /// The purchase's reference, or the token at the desk.
    pub(crate) purchase: Arc<str>,
    pub(crate) reference: Arc<str>,
    /// A `clientTxnRef` or a token: scripts may be chosen by it.
    pub(crate) mark: Option<Arc<str>>,
}

/// What a reserve or a vend tells of its purchase.
pub(crate) struct Facts<'a> {
    pub(crate) client_ref: Option<&'a str>,
    pub(crate) target: &'a str,
    pub(crate) amount: i64,
    pub(crate) currency: &'a str,
}

/// The state.
pub(crate) struct State {
    latency: Latency,
    effects_max: usize,
    calls_max: usize,
    rng: StdRng,
    newest: u64,
    effects: Vec<Effect>,
    calls: Vec<Call>,
    violations: Vec<Violation>,
    violations_by_rule: BTreeMap<&'static str, u64>,
    parties: BTreeMap<Arc<str>, PartyCount>,
    purchases: HashMap<Arc<str>, Purchase>,
    pub(crate) tokens: HashMap<Arc<str>, Token>,
    pub(crate) ipns: Ipns,
    pub(crate) messages: Messages,
    pub(crate) results: Vec<ResultSeen>,
    /// Charges by SMS, by purchase.
    pub(crate) charges: HashMap<Arc<str>, ChargeRequest>,
    pub(crate) cards: Cards,
    /// What parties want of their callers.
    pub(crate) credentials: Credentials,
    pub(crate) sales: Sales,
    pub(crate) completions: Vec<CompletionCall>,
    /// By party and number.
    pub(crate) transactions: HashMap<(Arc<str>, Arc<str>), Transaction>,
    /// As the settings have them.
    pub(crate) mo_environment: String,
    pub(crate) sale_control_key: String,
    pub(crate) gateway: String,
    scripts: HashMap<String, Plan>,
    used: HashMap<(Arc<str>, Action), usize>,
    duplicates: BTreeMap<EffectKind, u64>,
    repeats: BTreeMap<EffectKind, u64>,
    pub(crate) holds_open: u64,
    pub(crate) confirmations_taken: u64,
    pub(crate) confirmations_given_up: u64,
}

impl State {
    pub(crate) fn new(settings: &SimulatorSettings) -> Self {
        Self {
            latency: settings.latency,
            effects_max: settings.effects_max,
            calls_max: settings.calls_max,
            rng: StdRng::seed_from_u64(settings.seed),
            newest: 0,
            effects: Vec::new(),
            calls: Vec::new(),
            violations: Vec::new(),
            violations_by_rule: BTreeMap::new(),
            parties: BTreeMap::new(),
            purchases: HashMap::new(),
            tokens: HashMap::new(),
            ipns: Ipns { listeners: settings.ipn_listeners.clone(), ..Ipns::default() },
            messages: Messages::default(),
            results: Vec::new(),
            charges: HashMap::new(),
            cards: Cards::default(),
            credentials: Credentials::sample(),
            sales: Sales::default(),
            completions: Vec::new(),
            transactions: HashMap::new(),
            mo_environment: settings.mo_environment.clone(),
            sale_control_key: settings.sale_control_key.clone(),
            gateway: settings.gateway.clone(),
            scripts: HashMap::new(),
            used: HashMap::new(),
            duplicates: BTreeMap::new(),
            repeats: BTreeMap::new(),
            holds_open: 0,
            confirmations_taken: 0,
            confirmations_given_up: 0,
        }
    }

    /// No room for another call with its effects.
    pub(crate) fn is_full(&self) -> bool {
        self.effects.len() >= self.effects_max || self.calls.len() >= self.calls_max
    }

    pub(crate) fn effects(&self) -> &[Effect] {
        &self.effects
    }

    pub(crate) fn calls(&self) -> &[Call] {
        &self.calls
    }

    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    pub(crate) fn effects_of(&self, purchase: &str) -> Vec<Effect> {
        let places = self.purchases.get(purchase).map(|known| known.effects.as_slice());
        let places = places.unwrap_or_default();
        places.iter().filter_map(|place| self.effects.get(*place)).cloned().collect()
    }

    pub(crate) fn calls_of(&self, purchase: &str) -> Vec<Call> {
        let places = self.purchases.get(purchase).map(|known| known.calls.as_slice());
        let places = places.unwrap_or_default();
        places.iter().filter_map(|place| self.calls.get(*place)).cloned().collect()
    }

    pub(crate) fn purchase(&self, reference: &str) -> Option<&Purchase> {
        self.purchases.get(reference)
    }

    pub(crate) fn purchase_mut(&mut self, reference: &Arc<str>) -> &mut Purchase {
        self.purchases.entry(Arc::clone(reference)).or_default()
    }

    /// Takes in what a call tells of a purchase, and compares it with what others told.
    pub(crate) fn meet(&mut self, visit: &Visit, told: &Facts<'_>) {
        let purchase = self.purchase_mut(&visit.purchase);
        if let Some(reference) = told.client_ref {
            purchase.client_ref.get_or_insert_with(|| Arc::from(reference));
        }
        let target = purchase.target.get_or_insert_with(|| Arc::from(told.target));
        let same_target = &**target == told.target;
        let known = purchase.amount.get_or_insert_with(|| (told.amount, Arc::from(told.currency)));
        let same_amount = known.0 == told.amount && &*known.1 == told.currency;
        let findings = [(same_target, judge::TARGET_DIFFERS), (same_amount, judge::AMOUNT_DIFFERS)];
        for (_, rule) in findings.into_iter().filter(|(same, _)| !same) {
            self.violate(visit, rule, format!("at {:?}", visit.action));
        }
    }

    /// Records a call and says how the party behaves and how long it takes at least.
    pub(crate) fn arrive(&mut self, visit: &Visit, reused: bool) -> (Behaviour, u64) {
        let place = self.calls.len();
        let call = Call {
            n: self.number(),
            party: Arc::clone(&visit.party),
            action: visit.action,
            reference: Arc::clone(&visit.reference),
            purchase: Arc::clone(&visit.purchase),
            reused,
            at: Utc::now(),
        };
        self.calls.push(call);
        let count = self.party(&visit.party).calls.entry(visit.action).or_default();
        *count = count.saturating_add(1);
        if let Some(purchase) = self.purchases.get_mut(&visit.purchase) {
            purchase.calls.push(place);
        }
        let latency = self.rng.random_range(self.latency.min_ms..=self.latency.max_ms);
        (self.choose(visit), latency)
    }

    /// A call that cannot be read: recorded without a purchase.
    pub(crate) fn arrive_unreadable(&mut self, party: &Arc<str>, action: Action, detail: String) {
        let nobody: Arc<str> = Arc::from("");
        let visit = Visit {
            party: Arc::clone(party),
            action,
            purchase: Arc::clone(&nobody),
            reference: nobody,
            mark: None,
        };
        let (_, _) = self.arrive(&visit, false);
        self.violate(&visit, judge::BAD_BODY, detail);
    }

    fn choose(&mut self, visit: &Visit) -> Behaviour {
        let used = self.used.entry((Arc::clone(&visit.purchase), visit.action)).or_default();
        let at = *used;
        *used = used.saturating_add(1);
        let nth = |plan: &Plan| {
            let behaviours = plan.get(&visit.action)?;
            behaviours.get(at).or_else(|| behaviours.last()).cloned()
        };
        let known = self.purchases.get(&visit.purchase).and_then(|known| known.target.clone());
        // There is no purchase yet when an account is asked about.
        let asked = visit.mark.clone().filter(|_| visit.action == Action::ValidateAccount);
        let target = known.or(asked);
        let keys = [Some(&visit.purchase), target.as_ref(), visit.mark.as_ref()];
        let mut custom = keys.into_iter().flatten().filter_map(|key| self.scripts.get(&**key));
        let built_in = || {
            let own = if visit.action.is_of_payer() { &visit.mark } else { &target };
            let by_target = own.as_deref().and_then(target_code).and_then(Script::of_code);
            let by_mark = visit.mark.as_deref().and_then(marked_code).and_then(Script::of_code);
            [by_target, by_mark].into_iter().flatten().find_map(|script| nth(&script.plan()))
        };
        custom.find_map(nth).or_else(built_in).unwrap_or_else(|| usual(visit))
    }

    pub(crate) fn script(&mut self, key: &str, plan: Plan) -> bool {
        if self.scripts.len() >= SCRIPTS_MAX && !self.scripts.contains_key(key) {
            return false;
        }
        let own = self.scripts.entry(key.to_owned()).or_default();
        own.extend(plan.into_iter().filter(|(_, behaviours)| !behaviours.is_empty()));
        true
    }

    pub(crate) fn forget_script(&mut self, key: &str) -> bool {
        self.scripts.remove(key).is_some()
    }

    pub(crate) fn custom_scripts(&self) -> BTreeMap<String, Plan> {
        self.scripts.iter().map(|(key, plan)| (key.clone(), plan.clone())).collect()
    }

    /// Records an effect and returns its number.
    pub(crate) fn effect(
        &mut self,
        visit: &Visit,
        kind: EffectKind,
        amount: i64,
        told: Option<Arc<str>>,
    ) -> u64 {
        let place = self.effects.len();
        let n = self.number();
        let known = self.purchases.get(&visit.purchase);
        let client_ref = known.and_then(|known| known.client_ref.clone());
        self.effects.push(Effect {
            n,
            party: Arc::clone(&visit.party),
            kind,
            reference: Arc::clone(&visit.reference),
            purchase: Arc::clone(&visit.purchase),
            amount,
            client_ref,
            told,
            at: Utc::now(),
        });
        let party = self.party(&visit.party);
        let count = party.effects.entry(kind).or_default();
        *count = count.saturating_add(1);
        let moved = party.amounts.entry(kind).or_default();
        *moved = moved.saturating_add(amount);
        let before = match self.purchases.get_mut(&visit.purchase) {
            Some(purchase) => {
                purchase.effects.push(place);
                let count = purchase.counts.entry(kind).or_default();
                *count = count.saturating_add(1);
                count.saturating_sub(1)
            }
            None => 0,
        };
        if before > 0 {
            let again = if kind.happens_once() { &mut self.duplicates } else { &mut self.repeats };
            let count = again.entry(kind).or_default();
            *count = count.saturating_add(1);
        }
        n
    }

    pub(crate) fn violate(&mut self, visit: &Visit, rule: &'static str, detail: String) {
        let n = self.number();
        tracing::warn!(rule, party = %visit.party, purchase = %visit.purchase, detail, "violation");
        let count = self.violations_by_rule.entry(rule).or_default();
        *count = count.saturating_add(1);
        if self.violations.len() < VIOLATIONS_MAX {
            let (party, purchase) = (Arc::clone(&visit.party), Arc::clone(&visit.purchase));
            self.violations.push(Violation { n, party, rule, purchase, detail });
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary {
            parties: self.parties.iter().map(|(name, c)| (name.to_string(), c.clone())).collect(),
            purchases: u64::try_from(self.purchases.len()).unwrap_or(u64::MAX),
            holds_open: self.holds_open,
            duplicates: self.duplicates.clone(),
            repeats: self.repeats.clone(),
            confirmations_taken: self.confirmations_taken,
            confirmations_given_up: self.confirmations_given_up,
            violations_by_rule: self.violations_by_rule.clone(),
            violations: self.violations.iter().take(VIOLATIONS_SHOWN).cloned().collect(),
            newest: self.newest,
        }
    }

    pub(crate) fn entered(&mut self, party: &Arc<str>) {
        let count = self.party(party);
        count.concurrency = count.concurrency.saturating_add(1);
        count.concurrency_max = count.concurrency_max.max(count.concurrency);
    }

    pub(crate) fn left(&mut self, party: &Arc<str>) {
        let count = self.party(party);
        count.concurrency = count.concurrency.saturating_sub(1);
    }

    /// Twenty digits in groups, as meters take them.
    pub(crate) fn new_voucher(&mut self) -> Arc<str> {
        let group = |rng: &mut StdRng| format!("{:04}", rng.random_range(0..10_000));
        let groups: Vec<String> = (0..5).map(|_| group(&mut self.rng)).collect();
        Arc::from(groups.join("-"))
    }

    /// Eight digits that a buyer might send by SMS.
    pub(crate) fn new_pin(&mut self) -> String {
        format!("{:08}", self.rng.random_range(0..100_000_000))
    }

    fn party(&mut self, name: &Arc<str>) -> &mut PartyCount {
        self.parties.entry(Arc::clone(name)).or_default()
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.newest = self.newest.saturating_add(1);
        self.newest
    }
}

/// What a party does when no script speaks of it.
fn usual(visit: &Visit) -> Behaviour {
    let by_callback = SupplierKind::of(&visit.party) == Some(SupplierKind::Callback);
    if visit.action == Action::Vend && by_callback {
        return Behaviour::confirms(vec![Confirmation::after(300, "0000")]);
    }
    if visit.action == Action::ValidateAccount
        && SupplierKind::of(&visit.party) == Some(SupplierKind::Plain)
    {
        return Behaviour::status(404);
    }
    Behaviour::ok()
}
