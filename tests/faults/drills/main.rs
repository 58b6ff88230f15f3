//! Drills: a fleet of real processes under load, on servers of its own, while programs and servers
//! are killed with SIGKILL. Afterwards every promise is checked. Run by `make drill`.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    reason = "a drill talks to a terminal and fails by panicking; its numbers are small counters"
)]

mod broker_disk;
mod histories;
mod kills;
mod mutants;
mod neighbours;
mod no_broker;
mod reconnect;
mod servers;
mod steady;
mod traffic;
#[path = "../../load/src/bench/usage.rs"]
mod usage;
mod verdict;

use std::process::ExitCode;

use clap::Parser;

use servers::Servers;

/// Name, and what it does.
const DRILLS: [(&str, &str); 7] = [
    ("kills", "each program, Postgres and the broker killed in turn, 20 kills in all"),
    ("reconnect", "Postgres killed ten times under ten programs: how soon they accept again"),
    ("broker-disk", "the broker killed and its data deleted while purchases run"),
    ("neighbours", "a healthy party beside slow, dead and flooding ones"),
    ("no-broker", "the broker stopped for a minute under load, with one and with three processes"),
    ("simulation", "a million histories in one thread each, of all faults, from seed SEED on"),
    ("mutations", "each defence taken away in turn: the tests that it names must fail"),
];

/// Kills programs and servers of a fleet under load, and checks that nothing is lost, nothing takes
/// effect twice and money is conserved.
#[derive(Debug, Parser)]
#[command(name = "drill")]
struct Arguments {
    /// Names of drills; all when none is given
    names: Vec<String>,
    /// Name the drills, and run none
    #[arg(long)]
    list: bool,
    /// What is killed in which order, and what is bought, follow from this number
    #[arg(long, env = "SEED")]
    seed: Option<u64>,
    /// Histories of the simulation
    #[arg(long, default_value_t = 1_000_000)]
    histories: u64,
    /// Tell what happens in each of them
    #[arg(long)]
    trace: bool,
    /// Only this mutation; may be given again
    #[arg(long, value_name = "NAME")]
    mutation: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for (name, what) in DRILLS {
            println!("{name:<12} {what}");
        }
        return ExitCode::SUCCESS;
    }
    let unknown = |name: &&String| !DRILLS.iter().any(|(known, _)| known == name);
    if let Some(name) = arguments.names.iter().find(unknown) {
        println!("there is no drill {name} (--list)");
        return ExitCode::from(2);
    }
    let seed = arguments.seed.unwrap_or_else(|| rand::random_range(0..1_000_000));
    if run(&arguments, seed) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(arguments: &Arguments, seed: u64) -> bool {
    let names = &arguments.names;
    let (histories, trace) = (arguments.histories, arguments.trace);
    println!("SEED={seed}");
    let mut results = Vec::new();
    for (name, what) in DRILLS {
        if !names.is_empty() && !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        println!("\n{name}: {what}");
        // On a thread of its own: what a drill finds is a panic there, and the next one runs.
        let only = arguments.mutation.clone();
        let drill = std::thread::spawn(move || match name {
            "simulation" => histories::run(seed, histories, trace),
            "mutations" => mutants::run(&only),
            _ => Ok(drill(name, seed)),
        });
        let drill = drill.join().map(|ended| ended.inspect_err(|error| println!("{error:#}")));
        results.push((name, drill.ok().and_then(anyhow::Result::ok)));
    }
    println!("\nSEED={seed}");
    for (name, result) in &results {
        match result {
            Some(summary) => println!("{name:<12} held: {summary}"),
            None => println!("{name:<12} FAILED: see above"),
        }
    }
    results.iter().all(|(_, result)| result.is_some())
}

fn drill(name: &str, seed: u64) -> String {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    let servers = Servers::of_the_drill().unwrap_or_else(|error| panic!("{error:#}"));
    match name {
        "kills" => runtime.block_on(kills::run(servers, seed)),
        "neighbours" => runtime.block_on(neighbours::run(servers)),
        "no-broker" => runtime.block_on(no_broker::run(servers)),
        "reconnect" => runtime.block_on(reconnect::run(servers, seed)),
        _ => runtime.block_on(broker_disk::run(servers, seed)),
    }
}
