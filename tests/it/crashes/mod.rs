//! Each program dies at each of its steps: the fault matrix's section 2.2, row by row. A process that
//! was started with a crash point kills itself there; another takes over, and the purchase ends as if
//! nothing had happened.
//!
//! | row | where |
//! |---|---|
//! | A1 - A5 | [`gateway`] |
//! | A6 - A9, A31 | [`relay`]: commits and the clock publish hints |
//! | A10 - A15 | [`reservation`], the intake of messages too |
//! | A16 - A21 | [`dispensing`] |
//! | A22 - A25 | [`settlement`] |
//! | A26 - A29 | [`delivery`]; messages to people too |
//! | A30 | [`reports`] |
//! | A32 | [`replay`] |
//! | A33 | [`migration`] |
//! | A34 | [`stops`]; with Postgres and the broker in turn: `make drill ARGS=kills` |
//! | A35 | `make drill ARGS=kills`, seeded; one kill of each worker under load: `kills` |
//! | A36 - A38 | [`stops`] |
//!
//! Sources that ask the buyer first, and tell us afterwards: [`asked`]. Sales on devices: [`sale`].
//!
//! A hint is acknowledged once its task is claimed: what the matrix calls "before ack" is the point
//! before that, and after it the row and its lease stand for the message.

mod asked;
mod delivery;
mod dispensing;
mod gateway;
mod migration;
mod relay;
mod replay;
mod reports;
mod reservation;
mod sale;
mod settlement;
mod stops;

use std::collections::BTreeSet;
use std::time::Duration;

use fleet_domain::{PurchaseId, PurchaseStatus};
use fleet_simulator::{Action, AnswerKind, Behaviour, EffectKind};
use fleet_store::PurchaseView;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::{
    Builder, HttpAnswer, PROGRAMS, RESERVE_AND_TRANSACT, client, key_of, purchase,
};
use serde_json::Value;

use crate::unknown::{calls, impatient, target};

/// Longer than any lease of these fleets, and than the time after which a look-up is believed.
const LEASE: Duration = Duration::from_secs(20);
/// A fleet that lacks one program: the test starts it, with its crash point.
fn without(program: &str) -> Builder {
    let programs: Vec<&str> = PROGRAMS.into_iter().filter(|name| *name != program).collect();
    impatient().workers(&programs).directory(|import| client(import, 1001).answer_within_ms = 1_000)
}

/// Buys, and does something while the client waits for its answer.
async fn buy(
    fleet: &TestFleet,
    body: &Value,
    meanwhile: impl AsyncFnOnce(PurchaseId),
) -> PurchaseId {
    let (client, reference) = (body["clientId"].as_i64(), body["clientTxnRef"].as_str());
    let meanwhile = async {
        let id = fleet.wait_stored(client.unwrap(), reference.unwrap()).await;
        meanwhile(id).await;
        id
    };
    let (answer, id) = tokio::join!(fleet.reserve_and_transact(body), meanwhile);
    assert_eq!(answer.reference(), id);
    id
}

/// A purchase during which a program kills itself when it first comes to a point.
async fn killed_at(fleet: &TestFleet, program: &str, point: &str, body: &Value) -> PurchaseId {
    killed_at_hit(fleet, program, &format!("{point}:1"), body).await
}

/// The same for the n-th time, `point:n`; then a fresh process of it is there.
async fn killed_at_hit(fleet: &TestFleet, program: &str, point: &str, body: &Value) -> PurchaseId {
    let armed = fleet.start_armed(program, point).await;
    buy(fleet, body, async |_| {
        fleet.until_crashed(armed).await;
        take_over(fleet, program).await;
    })
    .await
}

/// A purchase during which a program is killed while its call is out and not answered; with the effect
/// or without it.
async fn killed_while_asking(
    fleet: &TestFleet,
    program: &str,
    (action, effect): (Action, Option<EffectKind>),
    body: &Value,
) -> PurchaseId {
    let hang = match effect {
        Some(_) => Behaviour::effect_then(AnswerKind::Hang),
        None => Behaviour::no_effect(AnswerKind::Hang),
    };
    fleet.simulator().script(target(body), action, vec![hang, Behaviour::ok()]);
    let process = fleet.start_worker(program).await;
    buy(fleet, body, async |id| {
        let out = async || {
            calls(fleet, id, action).len() == 1
                && effect.is_none_or(|effect| fleet.count(id, effect) == 1)
        };
        fleet.until(&format!("{action:?} to be out"), out).await;
        fleet.kill(process);
        take_over(fleet, program).await;
    })
    .await
}

/// A step whose outcome can be looked up, and the program that dies in it.
struct Stage {
    program: &'static str,
    /// The kind of its task, which begins the names of its points.
    kind: &'static str,
    /// The call, and the look-up of what came of it.
    ask: [Action; 2],
    effect: EffectKind,
}

impl Stage {
    /// Dies at a point and ends; how often the party was asked, and looked up.
    async fn dies_at(&self, fleet: &TestFleet, point: &str) -> [usize; 2] {
        let id = killed_at(fleet, self.program, point, &purchase("0000")).await;
        ended(fleet, self.program, id, (PurchaseStatus::Success, point)).await;
        asked(fleet, id, self.ask)
    }

    /// Dies at each of these points of its own: it may have been out, so it is looked up, and it is
    /// sent once.
    async fn is_sent_once_and_looked_up(&self, fleet: &TestFleet, points: &[&str]) {
        for point in points {
            let point = format!("{}/{point}", self.kind);
            let [sent, looked_up] = self.dies_at(fleet, &point).await;
            assert_eq!(sent, 1, "{point}");
            assert!(looked_up > 0, "{point}: it may have been out");
        }
    }

    /// Dies at each of these points of its own: the party is asked once, and nothing is looked up.
    async fn is_asked_once(&self, fleet: &TestFleet, points: &[&str]) {
        for point in points {
            let point = format!("{}/{point}", self.kind);
            assert_eq!(self.dies_at(fleet, &point).await, [1, 0], "{point}");
        }
    }

    /// Dies while the call is out, with the effect and without it.
    async fn is_sent_again_only_without_effect(&self, fleet: &TestFleet) {
        for (effect, sent) in [(Some(self.effect), 1), (None, 2)] {
            let ask = (self.ask[0], effect);
            let id = killed_while_asking(fleet, self.program, ask, &purchase("0000")).await;
            let what = format!("with {effect:?}");
            ended(fleet, self.program, id, (PurchaseStatus::Success, &what)).await;
            let [calls, looked_up] = asked(fleet, id, self.ask);
            assert_eq!(calls, sent, "{what}");
            assert!(looked_up > 0, "{what}");
        }
    }
}

/// The leases of the dead end, and a fresh process starts.
async fn take_over(fleet: &TestFleet, program: &str) {
    fleet.advance_clock_during_calls(LEASE).await;
    fleet.start_worker(program).await;
}

/// A gateway, with a crash point or without; it serves before it can publish hints, and what it could
/// not publish waits for the clock.
async fn gateway(fleet: &TestFleet, point: Option<&str>) -> usize {
    let index = match point {
        Some(point) => fleet.start_armed("gateway", point).await,
        None => fleet.start_worker("gateway").await,
    };
    let publishes = async || fleet.log_of(index).contains("the broker can be used");
    fleet.until("the gateway to reach the broker", publishes).await;
    index
}

/// The purchase ended, the parties saw each effect once and every call under one reference, and its
/// client knows. Then the program that died is ended, so that the next one can be alone.
async fn ended(
    fleet: &TestFleet,
    program: &str,
    id: PurchaseId,
    (status, what): (PurchaseStatus, &str),
) -> PurchaseView {
    let view = fleet.wait_final(id).await;
    assert_eq!(view.purchase.status(), status, "{what}");
    assert_once(fleet, id, status, what);
    fleet.kill(fleet.running(program));
    view
}

fn assert_once(fleet: &TestFleet, id: PurchaseId, status: PurchaseStatus, what: &str) {
    let done = usize::from(status == PurchaseStatus::Success);
    for (kind, count) in [
        (EffectKind::Reserve, 1),
        (EffectKind::Vend, done),
        (EffectKind::Capture, done),
        (EffectKind::Cancel, 1 - done),
        (EffectKind::Refund, 0),
    ] {
        assert_eq!(fleet.count(id, kind), count, "{what}: {kind:?} of {id}");
    }
    let effects = fleet.effects(id);
    let told: Vec<_> = effects.iter().filter(|effect| effect.kind == EffectKind::Result).collect();
    let code = if done == 1 { "0000" } else { "2213" };
    assert!(!told.is_empty(), "{what}: nobody was told of {id}");
    assert!(told.iter().all(|effect| effect.told.as_deref() == Some(code)), "{what}: {told:?}");
    for action in [Action::Reserve, Action::Vend, Action::Settle] {
        let asked = calls(fleet, id, action);
        let references: BTreeSet<_> = asked.iter().map(|call| &call.reference).collect();
        // A vend that was refused for now gets a new one.
        let new_each = action == Action::Vend && references.len() == asked.len();
        assert!(references.len() <= 1 || new_each, "{what}: {action:?} {asked:?}");
    }
}

/// How often a party was asked for something and looked up.
fn asked(fleet: &TestFleet, id: PurchaseId, actions: [Action; 2]) -> [usize; 2] {
    actions.map(|action| calls(fleet, id, action).len())
}

/// A request whose answer may never come.
async fn try_post(fleet: &TestFleet, body: &Value) -> Result<HttpAnswer, reqwest::Error> {
    fleet.keep_private(body);
    let client = body["clientId"].as_i64().unwrap();
    let request = fleet.http().post(fleet.url(RESERVE_AND_TRANSACT));
    let request = request.header("x-api-key", key_of(client)).body(body.to_string());
    let answer = request.send().await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Ok(HttpAnswer { status, headers, text: answer.text().await? })
}
