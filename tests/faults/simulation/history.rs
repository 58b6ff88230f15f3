//! One history: purchases come in, processes come and go, suppliers confirm, an operator resends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fleet_boot::Exchange;
use fleet_contracts::AcceptedOrder;
use fleet_dispensing::Dispense;
use fleet_domain::{
    Directory, FraudDetails, FundingType, NewFact, Private, PurchaseId, ReserveState,
    SUPPLIER_CALLBACK, Scenario, TaskKey, TaskKind, between, later, told_by,
};
use fleet_engine::{Engine, EngineSettings, Step};
use fleet_fraud_reporting::{ReportOutcome, ValidateToken};
use fleet_outbound::AddressPolicy;
use fleet_reservation::{Refund, Reserve, Settle};
use fleet_result_delivery::{Deliver, Notify};
use fleet_store::{NewPurchase, Stored};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::asked;
use super::carrier::Carrier;
use super::coverage::Coverage;
use super::directory::{CALL, CLIENT, DESK, SOURCES, SUPPLIERS, directory};
use super::judge;
use super::knobs::Knobs;
use super::parties::{self, Account};
use super::process::{Process, short};
use super::script::{Confirms, Script};
use super::world::{World, pass};

/// A history that has not ended after so much time of its own is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(1_200);

/// What came of one history.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Of everything that happened: the same for the same seed and knobs.
    pub hash: u64,
    /// What must never happen, and did.
    pub violations: Vec<String>,
    /// Branches that were reached.
    pub coverage: Coverage,
    /// What happened, a line each, if it was asked for.
    pub lines: Vec<String>,
}

/// Runs the history of a seed.
#[must_use]
pub fn run(seed: u64, knobs: Knobs, traced: bool) -> Ended {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let Ok(runtime) = runtime else {
        let violations = vec!["no runtime".to_owned()];
        return Ended { hash: 0, violations, coverage: Coverage::default(), lines: Vec::new() };
    };
    let world = runtime.block_on(async {
        let world = World::new(seed, knobs, seed.is_multiple_of(3), traced);
        live(&world).await;
        world
    });
    // What still waits for something that never comes goes with its runtime.
    drop(runtime);
    let mut seen = world.seen();
    Ended {
        hash: seen.hash(),
        violations: seen.violations.clone(),
        coverage: seen.coverage.clone(),
        lines: seen.take_lines(),
    }
}

async fn live(world: &Arc<World>) {
    let short_plans = world.below(8) == 0;
    let delays: &[u32] =
        if short_plans { &[1, 1] } else { &[1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5] };
    let directory = Arc::new(directory(&world.knobs, world.validates, delays));
    let ids = order(world, &directory);
    world.memory.set_lanes(&directory);
    let (tell, watch) = watch::channel(Arc::clone(&directory));
    for slot in 0..world.knobs.processes {
        tokio::spawn(keep_running(
            Arc::clone(world),
            watch.clone(),
            usize::try_from(slot).unwrap_or(0),
        ));
    }
    tokio::spawn(trouble(Arc::clone(world), ids.clone()));
    let began = Instant::now();
    let buyers = || world.buyers.load(Ordering::Relaxed) > 0;
    while world.memory.open() > 0 || world.is_troubled() || buyers() {
        let wait =
            if world.is_troubled() { Duration::from_millis(500) } else { Duration::from_secs(1) };
        pass(wait).await;
        world.now();
        let over = began.elapsed() >= Duration::from_secs(world.knobs.trouble_seconds);
        if over || world.memory.open() == 0 && began.elapsed() > Duration::from_secs(4) {
            world.calm_down();
        }
        if !world.is_troubled() && !buyers() {
            skip_waits(world);
        }
        if began.elapsed() > STUCK_AFTER {
            world.violate(format!("stuck: {:?}", world.memory.unfinished()));
            break;
        }
    }
    drop(tell);
    judge::end(world, &ids);
}

/// When everything waits for a far time, that time comes.
fn skip_waits(world: &World) {
    let now = world.now();
    if let Some(due) = world.memory.idle_until()
        && let wait = between(now, due)
        && wait > Duration::from_secs(30)
    {
        world.memory.advance(wait);
    }
}

/// The purchases of the history, with what the parties will do, and when they come in.
fn order(world: &Arc<World>, directory: &Arc<Directory>) -> Vec<PurchaseId> {
    let mut ids = Vec::new();
    for number in 0..world.knobs.purchases {
        let new = purchase(world, directory, number);
        let order = &new.order.order;
        let token = order.fraud_token().map(|(_, token)| token.to_owned());
        let account =
            Account::new(Script::draw(world), order.scenario == Scenario::WeReserve, token);
        world.parties().accounts.insert(order.id, account);
        ids.push(order.id);
        let after = world.millis(0, 3_000);
        tokio::spawn(take_in(Arc::clone(world), new.clone(), after));
        if world.chance(200) {
            // Its client asks again.
            let again = world.millis(0, 5_000);
            tokio::spawn(take_in(Arc::clone(world), new, after.saturating_add(again)));
        }
    }
    ids
}

/// Times that grow, so that purchases lie in one order whatever the machine's clock says.
pub(super) fn id_of(number: u32) -> PurchaseId {
    PurchaseId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + u128::from(number)))
}

fn purchase(world: &World, directory: &Directory, number: u32) -> NewPurchase {
    let pick =
        |end: usize| usize::try_from(world.below(u64::try_from(end).unwrap_or(1))).unwrap_or(0);
    let ours = world.below(4) > 0;
    let start_by = later(
        world.now(),
        if world.chance(120) { world.millis(4_000, 20_000) } else { Duration::from_secs(900) },
    );
    let scenario = if ours { Scenario::WeReserve } else { Scenario::ClientReserved };
    let new = fleet_testkit::samples::new_purchase(&format!("ref-{number}"), scenario, start_by);
    let Ok(mut new) = new else { return purchase(world, directory, number) };
    let AcceptedOrder { order, reserve, first_task, .. } = &mut new.order;
    order.id = id_of(number);
    order.supplier =
        SUPPLIERS.get(pick(SUPPLIERS.len())).map_or("lookup", |(name, ..)| name).to_owned();
    if ours {
        let source = SOURCES.get(pick(SOURCES.len()));
        let (name, funding) =
            source.map_or(("bank", FundingType::Bank), |(name, .., funding)| (*name, *funding));
        order.funding_source = name.to_owned();
        order.funding = funding;
    }
    order.client = CLIENT;
    if world.below(2) == 0 {
        order.details.notify = vec!["sms".to_owned()];
    }
    if world.below(2) == 0 {
        order.details.fraud = Some(FraudDetails {
            desk: Some(DESK.to_owned()),
            token: Some(format!("token-{}", world.below(2))),
            user_ip: Some("192.0.2.1".to_owned()),
            user_agent: Some("Browser".to_owned()),
            ..FraudDetails::default()
        });
    }
    if let Some(task) = fleet_contracts::first_task(directory, order) {
        *first_task = task;
    }
    if world.validates && order.fraud_token().is_some() {
        *reserve = ReserveState::Validating;
        let lane = directory.lane_of(TaskKind::Validate, DESK).unwrap_or(first_task.lane);
        let until = Some(later(world.now(), Duration::from_secs(120)).min(start_by));
        first_task.kind = TaskKind::Validate;
        first_task.lane = lane;
        (first_task.start_by, first_task.deadline_at) = (until, until);
    }
    new
}

/// The gateway stores a purchase, and may die before its hint is out.
async fn take_in(world: Arc<World>, new: NewPurchase, after: Duration) {
    pass(after).await;
    let now = world.now();
    let accepted = world.memory.accept(std::slice::from_ref(&new));
    let first = &new.order.first_task;
    if let [Stored::New(purchase, _)] = accepted.stored.as_slice() {
        let key = TaskKey { purchase: *purchase, kind: first.kind, slot: first.slot };
        world.note(|| format!("stored {}", short(&key)));
        world.publish_one(key, first.lane, now);
        if new.order.order.funding == FundingType::CardSale {
            asked::app_begins(&world, *purchase);
        }
    }
}

/// A supplier has accepted a vend, and will confirm it.
pub(super) fn confirm_later(
    world: &Arc<World>,
    id: PurchaseId,
    confirms: Confirms,
    reference: &str,
) {
    let (world, reference) = (Arc::clone(world), reference.to_owned());
    tokio::spawn(async move {
        pass(confirms.after).await;
        parties::decide(&world, id, &reference, confirms.done);
        if confirms.never {
            return;
        }
        if confirms.misnames {
            let nobody = format!("{}-0000", Uuid::from_u128(7));
            confirm(&world, &nobody, confirms.done).await;
        }
        for _ in 0..confirms.times {
            confirm(&world, &reference, confirms.done).await;
            pass(world.millis(0, 3_000)).await;
        }
        if confirms.contradicts {
            if let Some(account) = world.parties().accounts.get_mut(&id) {
                account.supplier_contradicts = true;
            }
            confirm(&world, &reference, !confirms.done).await;
        }
    });
}

/// What a supplier tells.
async fn confirm(world: &World, reference: &str, done: bool) {
    let code = if done { "0000" } else { "2213" };
    let purchase = reference.get(..36).and_then(|text| text.parse().ok());
    let task = purchase.map(|purchase| TaskKey { purchase, kind: TaskKind::Dispense, slot: 0 });
    let body =
        serde_json::json!({ "vendRef": reference, "responseCode": code, "supplierRef": "S-cb" });
    let fact = NewFact {
        source: told_by(SUPPLIER_CALLBACK, "callback"),
        kind: "vend".to_owned(),
        task,
        reference: reference.to_owned(),
        status: code.to_owned(),
        external_id: "S-cb".to_owned(),
        meaning: Private::new(""),
        body: Private::new(body.to_string()),
    };
    world.tell(&fact).await;
}

/// Every second: the broker, the clock, the operator.
async fn trouble(world: Arc<World>, ids: Vec<PurchaseId>) {
    while world.is_troubled() {
        pass(Duration::from_secs(1)).await;
        if world.chance(world.knobs.blocked) {
            world.block_broker(world.millis(500, 15_000));
        }
        if world.chance(world.knobs.jump) && world.may_jump() {
            world.reach("fault time jumps");
            world.memory.advance(Duration::from_secs(60_u64.saturating_add(world.below(7_200))));
        }
        if world.chance(60)
            && let Some(id) = ids.get(usize::try_from(world.below(8)).unwrap_or(0))
            && world.memory.resend(*id, 1)
        {
            world.reach("operator resends");
        }
    }
}

/// A place where one process after the other runs.
async fn keep_running(world: Arc<World>, directory: watch::Receiver<Arc<Directory>>, slot: usize) {
    let mut generation = 0_usize;
    loop {
        let process =
            Process::new(slot.saturating_add(generation.saturating_mul(10)), Arc::clone(&world));
        generation = generation.saturating_add(1);
        let stop = CancellationToken::new();
        let mut engines = start(&process, &directory, &stop);
        loop {
            pass(Duration::from_secs(1)).await;
            if process.is_dead() {
                break;
            }
            if world.chance(world.knobs.stop) {
                world.reach("fault stop");
                stop.cancel();
                // Within its grace time it ends by itself; or it is killed.
                let ended = async { while engines.join_next().await.is_some() {} };
                drop(tokio::time::timeout(Duration::from_secs(4), ended).await);
                process.die("told to stop");
                break;
            }
        }
        engines.abort_all();
        pass(world.millis(100, 5_000)).await;
    }
}

fn start(
    process: &Arc<Process>,
    directory: &watch::Receiver<Arc<Directory>>,
    stop: &CancellationToken,
) -> tokio::task::JoinSet<()> {
    let carrier = Arc::new(Carrier { process: Arc::clone(process) });
    let exchange = Exchange::new(carrier, AddressPolicy::trusted());
    let mut engines = tokio::task::JoinSet::new();
    run_engine(&mut engines, process, directory, stop, Reserve::new(exchange.clone()));
    run_engine(&mut engines, process, directory, stop, Settle::new(exchange.clone()));
    run_engine(&mut engines, process, directory, stop, Refund::new(exchange.clone()));
    run_engine(&mut engines, process, directory, stop, Dispense::new(exchange.clone()));
    run_engine(&mut engines, process, directory, stop, Deliver::new(exchange.clone(), CALL, 0));
    run_engine(&mut engines, process, directory, stop, Notify::new(exchange.clone()));
    run_engine(&mut engines, process, directory, stop, ReportOutcome::new(exchange.clone()));
    if process.world.validates {
        run_engine(&mut engines, process, directory, stop, ValidateToken::new(exchange));
    }
    engines
}

fn run_engine<S: Step>(
    engines: &mut tokio::task::JoinSet<()>,
    process: &Arc<Process>,
    directory: &watch::Receiver<Arc<Directory>>,
    stop: &CancellationToken,
    step: S,
) {
    let knobs = process.world.knobs;
    let settings = EngineSettings {
        window_tasks: knobs.window,
        prefetch: knobs.window,
        group_max: knobs.group,
        clock_every: Duration::from_secs(2),
        circuit_failures: 4,
        circuit_open: Duration::from_secs(1),
        grace: Duration::from_secs(3),
        seed: u64::try_from(process.id).unwrap_or(0),
        ..EngineSettings::default()
    };
    let engine = Engine {
        step,
        store: Arc::clone(process),
        sink: Arc::clone(process),
        hints: process.world.broker.attach(S::KIND, process.id),
        directory: directory.clone(),
        settings,
    };
    engines.spawn(engine.run(stop.clone()));
}
