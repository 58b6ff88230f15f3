//! The simulator of the fleet's outside world, on its own.

use std::io::Write;
use std::net::SocketAddr;

use clap::Parser;
use fleet_simulator::{Latency, SCRIPTS, Simulator, SimulatorSettings};

/// Banks, suppliers, clients' listeners and a fraud desk for the fleet, with their own record.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:21080")]
    listen: SocketAddr,
    /// The fleet's gateway, which gets the suppliers' callbacks.
    #[arg(long, default_value = "http://127.0.0.1:21081")]
    gateway: String,
    /// Seeds the latencies.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long every call takes, in milliseconds.
    #[arg(long, default_value = "50..500")]
    latency_ms: Latency,
    /// Print the built-in scripts and exit.
    #[arg(long)]
    scripts: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let Arguments { listen, gateway, seed, latency_ms: latency, scripts } = Arguments::parse();
    let mut out = std::io::stdout();
    if scripts {
        for script in SCRIPTS {
            writeln!(out, "{script}")?;
        }
        return Ok(());
    }
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let gateway = gateway.trim_end_matches('/').to_owned();
    let settings =
        SimulatorSettings { listen, gateway, seed, latency, ..SimulatorSettings::default() };
    let running = Simulator::start(settings).await?;
    writeln!(out, "simulator listens on {}", running.addr)?;
    fleet_simulator::stop_signal().await?;
    running.stop().await;
    Ok(())
}
