//! Twenty kills, each with at least a hundred calls in flight and with progress before the next.

use std::sync::Arc;
use std::time::Duration;

use fleet_testkit::TestFleet;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tokio::time::Instant;

use crate::servers::{Server, Servers};
use crate::traffic::Traffic;
use crate::verdict;

const IN_FLIGHT_MIN: u64 = 100;
const IN_FLIGHT_MAX: u64 = 160;
/// Results that clients take before the next kill.
const PROGRESS_MIN: u64 = 50;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Copy)]
enum Target {
    Program(&'static str),
    Server(Server),
}

impl Target {
    const fn name(self) -> &'static str {
        match self {
            Self::Program(name) => name,
            Self::Server(server) => server.name(),
        }
    }
}

/// What is killed, in an order that follows from the seed.
fn plan(seed: u64) -> Vec<Target> {
    let mut targets = Vec::new();
    for program in ["reservation", "dispensing", "result-delivery", "fraud-reporting", "gateway"] {
        targets.extend([Target::Program(program); 3]);
    }
    targets.extend([Target::Server(Server::Postgres); 3]);
    targets.extend([Target::Server(Server::Rabbitmq); 2]);
    targets.shuffle(&mut StdRng::seed_from_u64(seed));
    targets
}

pub(crate) async fn run(servers: Servers, seed: u64) -> String {
    let fleet = Arc::new(verdict::builder().start().await);
    // Whatever a program says while its servers die; privacy is checked all the same.
    fleet.allow_log("");
    let traffic = Traffic::start(&fleet, seed, IN_FLIGHT_MAX);
    let targets = plan(seed);
    let (began, kills) = (Instant::now(), targets.len());
    let mut least = u64::MAX;
    for (number, target) in targets.into_iter().enumerate() {
        let what = format!("{IN_FLIGHT_MIN} calls in flight");
        fleet.until_within(PATIENCE, &what, async || traffic.in_flight() >= IN_FLIGHT_MIN).await;
        let in_flight = traffic.in_flight();
        least = least.min(in_flight);
        let killed = Instant::now();
        kill(&fleet, &servers, target).await;
        let results = traffic.results();
        let ready = killed.elapsed();
        let moves = async || traffic.results() >= results + PROGRESS_MIN;
        let what = format!("progress after the kill of {}", target.name());
        fleet.until_within(PATIENCE, &what, moves).await;
        let done = u32::try_from(number + 1).unwrap_or(u32::MAX);
        let left = u32::try_from(kills).unwrap_or(u32::MAX) - done;
        let (requests, unanswered) = traffic.requests();
        println!(
            "[{done:>2}/{kills}] {:<15} killed with {in_flight} calls in flight, ready after \
             {:.1} s, progress after {:.1} s; {requests} requests, {unanswered} unanswered; ETA {} s",
            target.name(),
            ready.as_secs_f32(),
            killed.elapsed().as_secs_f32(),
            (began.elapsed() / done * left).as_secs(),
        );
    }
    let accepted = traffic.stop().await;
    let verdict = verdict::of(&fleet, &accepted).await;
    format!("{kills} kills with at least {least} calls in flight; {verdict}")
}

async fn kill(fleet: &TestFleet, servers: &Servers, target: Target) {
    match target {
        Target::Program(program) => {
            fleet.kill(fleet.running(program));
            fleet.start_worker(program).await;
        }
        Target::Server(server) => {
            let killed = servers.kill(server).await;
            killed.unwrap_or_else(|error| panic!("{error:#}"));
            let started = servers.start(server).await;
            started.unwrap_or_else(|error| panic!("{error:#}"));
        }
    }
}
