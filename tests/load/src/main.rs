//! Drives the fleet from outside, as its clients do, and judges what came of it by the simulator's
//! record. It knows nothing of the fleet's code; only the bench looks into its database, to see when
//! the last task has ended.

mod bench;
mod latency;
mod lookup;
mod mix;
mod order;
mod progress;
mod report;
mod run;
mod send_amqp;
mod send_http;
mod send_sale;
#[cfg(test)]
mod tiny_fleet;
mod verdict;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sends purchases and waits for their ends.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sends a mix of purchases and waits until each has ended as its script says.
    Run(run::Settings),
    /// Measures how fast the workers are, one at a time and grouped; see deploy/local/bench.sh.
    Bench(Box<bench::Settings>),
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let is_good = match Arguments::parse().command {
        Command::Run(settings) => {
            let report = run::run(&settings).await?;
            report.print(settings.json)?;
            report.is_good()
        }
        Command::Bench(settings) => {
            bench::bench(&settings).await?;
            true
        }
    };
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
