//! The broker dies and its disk with it: users, policies and queues come back by themselves, and
//! every stored purchase ends without anybody's help.

use std::sync::Arc;
use std::time::Duration;

use fleet_contracts::Queue;
use fleet_testkit::TestFleet;
use fleet_testkit::fleet::Letter;

use crate::servers::{Server, Servers};
use crate::traffic::Traffic;
use crate::verdict;

const IN_FLIGHT_MIN: u64 = 100;
const PATIENCE: Duration = Duration::from_secs(120);
const USERS: [&str; 6] =
    ["gateway", "reservation", "dispensing", "result-delivery", "fraud-reporting", "svc-shop"];

pub(crate) async fn run(servers: Servers, seed: u64) -> String {
    let fleet = Arc::new(verdict::builder().on_the_fleets_own_vhost().start().await);
    fleet.allow_log("");
    let traffic = Traffic::start(&fleet, seed, 160);
    let enough = async || traffic.in_flight() >= IN_FLIGHT_MIN && traffic.results() > 100;
    fleet.until_within(PATIENCE, "calls in flight and results", enough).await;
    let (in_flight, results) = (traffic.in_flight(), traffic.results());
    let queues = names(&fleet, "queues").await;
    let policies = names(&fleet, "policies").await;
    for (what, count) in [("queues", queues.len()), ("policies", policies.len())] {
        assert!(count > 0, "the broker has no {what} to begin with");
    }
    let gone = servers.kill(Server::Rabbitmq).await;
    gone.and_then(|()| servers.delete_the_brokers_data())
        .unwrap_or_else(|error| panic!("{error:#}"));
    println!("broker killed with {in_flight} calls in flight, and its data deleted");
    servers.start(Server::Rabbitmq).await.unwrap_or_else(|error| panic!("{error:#}"));
    let moves = async || traffic.results() > results + 200;
    fleet.until_within(PATIENCE, "progress with the new broker", moves).await;
    println!("progress with an empty broker; {} purchases accepted", traffic.accepted());
    assert_eq!(names(&fleet, "queues").await, queues, "the queues that there were");
    assert_eq!(names(&fleet, "policies").await, policies, "the policies that there were");
    let users = fleet.vhost().users().await.unwrap_or_else(|error| panic!("{error:#}"));
    for user in USERS {
        assert!(users.iter().any(|name| name == user), "{user} is not among {users:?}");
    }
    let accepted = traffic.stop().await;
    let verdict = verdict::of(&fleet, &accepted).await;
    let before = fleet.letters().await.len();
    let administrator = fleet.administrator().await;
    administrator.publish(Queue::Requested, &Letter::new("{ no purchase")).await;
    fleet.wait_letters(before + 1).await;
    format!("{in_flight} calls in flight; a poison message is a dead letter; {verdict}")
}

async fn names(fleet: &TestFleet, what: &str) -> Vec<String> {
    let names = fleet.vhost().names_of(what).await;
    let mut names = names.unwrap_or_else(|error| panic!("{error:#}"));
    // Queues for answers come and go with their services.
    names.retain(|name| !name.starts_with("reply."));
    names.sort();
    names
}
