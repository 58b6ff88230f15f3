//! Drives the fleet from outside, as its clients do, and judges what came of it by the simulator's
//! record: it knows neither the fleet's database nor its code.

mod latency;
mod lookup;
mod mix;
mod order;
mod progress;
mod report;
mod run;
mod send_amqp;
mod send_http;
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
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let Command::Run(settings) = Arguments::parse().command;
    let report = run::run(&settings).await?;
    report.print(settings.json)?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
