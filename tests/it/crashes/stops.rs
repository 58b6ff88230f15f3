//! All programs at once, orders to stop at each step, and panics.

use fleet_domain::{PurchaseStatus::Success, TaskState};
use fleet_simulator::{Action, AnswerKind, Behaviour};
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{HttpAnswer, PROGRAMS, client, purchase};
use futures_util::future::join_all;

use super::{LEASE, asked, assert_once, buy, ended, gateway, take_over, target, try_post, without};
use crate::unknown::impatient;

const VEND: [Action; 2] = [Action::Vend, Action::VendLookUp];
/// Purchases under way when the power goes.
const WAVE: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a34_when_all_programs_die_at_once_every_purchase_ends_and_no_effect_is_doubled() {
    let fleet = impatient()
        .latency(200, 600)
        .directory(|import| client(import, 1001).answer_within_ms = 1_000)
        .start()
        .await;
    // A publisher's queue may be gone for a moment.
    fleet.allow_log("\"level\":\"WARN\"");
    let bodies: Vec<_> = (0..WAVE).map(|_| purchase("0000")).collect();
    for (body, action) in bodies.iter().zip([Action::Reserve, Action::Vend].into_iter().cycle()) {
        fleet.simulator().script(target(body), action, vec![Behaviour::slow(4_000)]);
    }
    let power_cut = async {
        let busy = async || {
            let parties = fleet.simulator().summary().parties;
            let at = |name: &str| parties.get(name).is_some_and(|party| party.concurrency > 0);
            at("bank") && at("supplier-lookup")
        };
        fleet.until("calls at bank and supplier", busy).await;
        for program in PROGRAMS {
            fleet.kill(fleet.running(program));
        }
    };
    // Some are answered, some are not: their clients ask again.
    let posts = join_all(bodies.iter().map(|body| try_post(&fleet, body)));
    tokio::join!(posts, power_cut);
    fleet.advance_clock_during_calls(LEASE).await;
    join_all(PROGRAMS.map(|program| fleet.start_worker(program))).await;
    for body in &bodies {
        let id = fleet.reserve_and_transact(body).await.accepted();
        assert_eq!(fleet.wait_final(id).await.purchase.status(), Success, "{id}");
        assert_once(&fleet, id, Success, "power cut");
    }
    let stored: i64 = fleet.summary().await.purchases.iter().map(|row| row.purchases).sum();
    assert_eq!(usize::try_from(stored).unwrap(), WAVE);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a36_a_worker_that_is_told_to_stop_at_any_step_leaves_no_attempt_in_doubt() {
    let fleet = without("dispensing").start().await;
    let mut bought = Vec::new();
    for (point, code, vends) in [
        ("dispense/claim.before", "0000", 1),
        ("dispense/claim.after", "0000", 1),
        ("dispense/ack.before", "0000", 1),
        ("dispense/call.before", "0000", 1),
        ("dispense/call.answered", "0000", 1),
        ("dispense/commit.before", "0000", 1),
        ("dispense/commit.after", "0000", 1),
        ("broker/publish.sent", "0000", 1),
        ("dispense/clock.after", "9202", 3),
    ] {
        let armed = fleet.start_armed("dispensing", &format!("{point}:1:term")).await;
        let id = buy(&fleet, &purchase(code), async |id| {
            let status = fleet.until_ended(armed).await;
            assert_eq!(status.code(), Some(0), "{point}: {}", fleet.log_of(armed));
            let tasks = fleet.purchase(id).await.tasks;
            let running = tasks.iter().find(|task| {
                task.state == TaskState::Running && task.key.kind.name() == "dispense"
            });
            assert_eq!(running, None, "{point}: finished or given back");
        })
        .await;
        bought.push((id, vends, point));
    }
    fleet.start_worker("dispensing").await;
    for (id, vends, point) in bought {
        assert_eq!(fleet.wait_final(id).await.purchase.status(), Success, "{point}");
        assert_once(&fleet, id, Success, point);
        assert_eq!(asked(&fleet, id, VEND), [vends, 0], "{point}: nothing was in doubt");
    }
    assert_eq!(fleet.letters().await.len(), 0);
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a36_a_gateway_that_is_told_to_stop_answers_whom_it_has_heard() {
    let fleet = without("gateway").start().await;
    for point in ["insert.before", "insert.after", "answer.before", "answer.middle"] {
        let armed = gateway(&fleet, Some(&format!("gateway/{point}:1:term"))).await;
        let answer = try_post(&fleet, &purchase("0000")).await.unwrap();
        let id = answer.accepted();
        let status = fleet.until_ended(armed).await;
        assert_eq!(status.code(), Some(0), "{point}: {}", fleet.log_of(armed));
        assert_eq!(fleet.wait_final(id).await.purchase.status(), Success, "{point}");
        assert_once(&fleet, id, Success, point);
    }
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a37_a_second_signal_while_work_is_finished_ends_at_once_and_is_as_safe_as_a_kill() {
    let fleet = without("reservation").start().await;
    for second in ["-TERM", "-INT"] {
        let body = purchase("0000");
        let hang = Behaviour::effect_then(AnswerKind::Hang);
        fleet.simulator().script(target(&body), Action::Reserve, vec![hang, Behaviour::ok()]);
        let process = fleet.start_worker("reservation").await;
        let id = buy(&fleet, &body, async |id| {
            let out = async || asked(&fleet, id, [Action::Reserve, Action::Vend]) == [1, 0];
            fleet.until("a call to be out", out).await;
            fleet.signal(process, "-TERM");
            let stops = async || fleet.log_of(process).contains("stopping");
            fleet.until("the first signal to be taken", stops).await;
            fleet.signal(process, second);
            let status = fleet.until_ended(process).await;
            assert_eq!(status.code(), Some(130), "{second}: {}", fleet.log_of(process));
            fleet.kill(process);
            take_over(&fleet, "reservation").await;
        })
        .await;
        ended(&fleet, "reservation", id, (Success, second)).await;
        let [sent, looked_up] = asked(&fleet, id, [Action::Reserve, Action::ReservationLookUp]);
        assert_eq!(sent, 1, "{second}");
        assert!(looked_up > 0, "{second}");
    }
    fleet.assert_all_ended().await;
}

fn allow_panics(fleet: &TestFleet) {
    for text in ["a step panicked", "panicked at", "crash point ", "RUST_BACKTRACE"] {
        fleet.allow_log(text);
    }
}

/// A handler of a program panics at a point; its purchase and others, all under way at once.
async fn panicked(fleet: &TestFleet, program: &str, point: &str) {
    let armed = fleet.start_armed(program, &format!("{point}:1:panic")).await;
    let bodies: Vec<_> = (0..5).map(|_| purchase("0000")).collect();
    let posts = join_all(bodies.iter().map(|body| fleet.reserve_and_transact(body))).await;
    let ids: Vec<_> = posts.iter().map(HttpAnswer::accepted).collect();
    let ended = async || {
        let mut ended = 0;
        for id in &ids {
            let tasks = fleet.purchase(*id).await.tasks;
            ended += usize::from(tasks.is_empty());
        }
        ended
    };
    fleet.until("the others to end", async || ended().await == ids.len() - 1).await;
    assert!(fleet.log_of(armed).contains("a step panicked"), "{point}");
    fleet.advance_clock_during_calls(LEASE).await;
    for id in &ids {
        assert_eq!(fleet.wait_final(*id).await.purchase.status(), Success, "{point}");
        assert_once(fleet, *id, Success, point);
    }
    assert_eq!(fleet.exit_of(armed), None, "{point}: the program goes on");
    fleet.kill(armed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a38_a_panic_in_a_step_leaves_its_attempt_open_and_everything_else_goes_on() {
    let fleet = without("dispensing").start().await;
    allow_panics(&fleet);
    for point in ["dispense/call.before", "dispense/call.answered"] {
        panicked(&fleet, "dispensing", point).await;
    }
    assert_eq!(fleet.letters().await.len(), 0, "no innocent message is given up");
    fleet.assert_all_ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a38_a_panic_in_the_gateway_is_one_failed_request() {
    let fleet = without("gateway").start().await;
    allow_panics(&fleet);
    for (point, status) in [("insert.before", 503), ("insert.after", 503), ("answer.before", 500)] {
        let armed = gateway(&fleet, Some(&format!("gateway/{point}:1:panic"))).await;
        let body = purchase("0000");
        let refused = fleet.reserve_and_transact(&body).await;
        assert_eq!(refused.status, status, "{point}: {refused:?}");
        let id = fleet.reserve_and_transact(&body).await.accepted();
        fleet.advance_clock(LEASE).await;
        assert_eq!(fleet.wait_final(id).await.purchase.status(), Success, "{point}");
        assert_once(&fleet, id, Success, point);
        assert_eq!(fleet.exit_of(armed), None, "{point}: the program goes on");
        fleet.kill(armed);
    }
    fleet.assert_all_ended().await;
}
