//! Postgres killed again and again under load: how long until purchases are accepted again, once it lets
//! anybody in.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::servers::{Server, Servers};
use crate::traffic::Traffic;
use crate::verdict;

const KILLS: usize = 10;
const PROGRAMS: [&str; 10] = [
    "gateway",
    "reservation",
    "reservation",
    "reservation",
    "dispensing",
    "dispensing",
    "result-delivery",
    "result-delivery",
    "fraud-reporting",
    "fraud-reporting",
];
const IN_FLIGHT_MIN: u64 = 40;
const IN_FLIGHT_MAX: u64 = 80;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(240);

pub(crate) async fn run(servers: Servers, seed: u64) -> String {
    let fleet = Arc::new(verdict::builder().workers(&PROGRAMS).start().await);
    // Whatever a program says while its server dies; privacy is checked all the same.
    fleet.allow_log("");
    let traffic = Traffic::start(&fleet, seed, IN_FLIGHT_MAX);
    let mut times = Vec::new();
    for number in 1..=KILLS {
        let flying = async || traffic.in_flight() >= IN_FLIGHT_MIN;
        fleet.until_within(PATIENCE, &format!("{IN_FLIGHT_MIN} calls in flight"), flying).await;
        let done = async {
            servers.kill(Server::Postgres).await?;
            servers.start(Server::Postgres).await
        };
        done.await.unwrap_or_else(|error| panic!("{error:#}"));
        let (serves, accepted) = (Instant::now(), traffic.accepted());
        let again = async || traffic.accepted() > accepted;
        fleet.until_within(PATIENCE, "a purchase to be accepted again", again).await;
        let took = serves.elapsed();
        println!(
            "[{number:>2}/{KILLS}] accepted again {:.2} s after a psql got in",
            took.as_secs_f32()
        );
        times.push(took);
    }
    let accepted = traffic.stop().await;
    let verdict = verdict::of(&fleet, &accepted).await;
    times.sort_unstable();
    let of = |at: usize| times.get(at).copied().unwrap_or_default().as_secs_f32();
    format!(
        "{} programs, accepted again after {:.2} s (p50), {:.2} s at most; {verdict}",
        PROGRAMS.len(),
        of(KILLS / 2),
        of(KILLS - 1),
    )
}
