//! What operators do: migrate, import, look at purchases and dead letters. It decides nothing about
//! a purchase's outcome by itself, and it never prints personal data or a voucher.

mod choices;
mod commands;
mod files;
mod money;
mod output;
mod waits;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use fleet_boot::{Needs, Settings};
use fleet_domain::AddressPolicy;
use fleet_store::Store;

use crate::commands::directory::Noun;
use crate::output::Output;

/// Something was asked for that is not there, or a check failed.
const EXIT_NO: u8 = 1;
/// Arguments or settings are refused.
const EXIT_SETTINGS: u8 = 2;

/// Purchase Fleet's command for operators
#[derive(Debug, Parser)]
#[command(
    name = "fleet",
    version,
    after_help = "Settings: every key stands in \
    deploy/settings/default.toml; FLEET__DATABASE__URL sets database.url, and so on.\n\
    Exit codes: 0 done, 1 not found or not as it should be, 2 arguments, settings or input refused."
)]
struct Cli {
    /// A TOML file with settings that go over the defaults
    #[arg(long, global = true, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring the database's schema up to this build
    Migrate,
    /// Load any rows of the directory from TOML or CSV files
    Import(commands::import::Arguments),
    /// Clients: import, export, list, show, history, new API keys
    Client {
        #[command(subcommand)]
        command: commands::directory::ClientCommand,
    },
    /// Products
    Product {
        #[command(subcommand)]
        command: commands::directory::Command,
    },
    /// Financial terms of clients for products
    Terms {
        #[command(subcommand)]
        command: commands::directory::Command,
    },
    /// Countries, operators, their prefixes and ported numbers
    Numbering {
        #[command(subcommand)]
        command: commands::directory::Command,
    },
    /// Connectors: banks, suppliers, fraud desks
    Connector {
        #[command(subcommand)]
        command: commands::directory::Command,
    },
    /// Look at purchases
    Purchase {
        #[command(subcommand)]
        command: commands::purchase::Command,
    },
    /// What waits for a person: parked tasks and dead letters; replay or discard letters
    Dead {
        #[command(subcommand)]
        command: commands::dead::Command,
    },
    /// Decide about callbacks that speak of no purchase: list, show, match, discard
    Callback {
        #[command(subcommand)]
        command: commands::callback::Command,
    },
    /// Look at results on their way to clients, and send them again
    Delivery {
        #[command(subcommand)]
        command: commands::delivery::Command,
    },
    /// Close the gateways to clients for a while: on, off, show
    Maintenance {
        #[command(subcommand)]
        command: commands::maintenance::Command,
    },
    /// What the fleet has done, in figures
    Summary(commands::summary::Arguments),
    /// Prove that what must hold of purchases, books and tasks does hold; changes nothing
    Verify(commands::verify::Arguments),
    /// Print the completion script of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Why a command ends without success.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Not found, or a check failed.
    #[error("{0}")]
    No(String),
    /// Input is refused.
    #[error("{0}")]
    Refused(String),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl From<fleet_store::StoreError> for Failure {
    fn from(error: fleet_store::StoreError) -> Self {
        Self::Other(error.into())
    }
}

/// Runs the command line.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Completions { shell } = cli.command {
        let mut command = Cli::command();
        clap_complete::generate(shell, &mut command, "fleet", &mut std::io::stdout());
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(execute(cli)),
        Err(error) => Err(Failure::Other(error.into())),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Other(error)) => output::error(EXIT_NO, &format!("{error:#}")),
        Err(Failure::No(text)) => output::error(EXIT_NO, &text),
        Err(Failure::Refused(text)) => output::error(EXIT_SETTINGS, &text),
    }
}

async fn execute(cli: Cli) -> Result<(), Failure> {
    // An import asks the sender whether it can load what the rows bring.
    fleet_boot::install_tls_provider();
    let settings = Settings::load(cli.settings.as_deref(), Needs::Database)
        .map_err(|error| Failure::Refused(error.to_string()))?;
    let store = settings.open_store("fleet")?;
    let output = Output::new(cli.json);
    fleet_telemetry::arm().map_err(|error| Failure::Refused(error.to_string()))?;
    if !matches!(cli.command, Command::Migrate) {
        store.check_schema().await?;
    }
    // An import refuses the URLs that the senders with these settings would.
    let to_clients = settings.to_clients().map_err(Failure::Refused)?;
    let done = dispatch(cli.command, &store, &to_clients, output).await;
    store.close().await;
    done
}

async fn dispatch(
    command: Command,
    store: &Store,
    to_clients: &AddressPolicy,
    output: Output,
) -> Result<(), Failure> {
    match command {
        Command::Migrate => commands::migrate(store, output).await,
        Command::Import(arguments) => {
            let all = commands::import::ALL;
            commands::import::run(&arguments, all, store, to_clients, output).await
        }
        Command::Client { command } => {
            commands::directory::run_client(&command, store, to_clients, output).await
        }
        Command::Product { command } => {
            commands::directory::run(Noun::Product, &command, store, to_clients, output).await
        }
        Command::Terms { command } => {
            commands::directory::run(Noun::Terms, &command, store, to_clients, output).await
        }
        Command::Numbering { command } => {
            commands::directory::run(Noun::Numbering, &command, store, to_clients, output).await
        }
        Command::Connector { command } => {
            commands::directory::run(Noun::Connector, &command, store, to_clients, output).await
        }
        Command::Purchase { command } => commands::purchase::run(&command, store, output).await,
        Command::Dead { command } => commands::dead::run(&command, store, output).await,
        Command::Callback { command } => commands::callback::run(&command, store, output).await,
        Command::Delivery { command } => commands::delivery::run(&command, store, output).await,
        Command::Maintenance { command } => {
            commands::maintenance::run(&command, store, output).await
        }
        Command::Summary(arguments) => commands::summary::run(&arguments, store, output).await,
        Command::Verify(arguments) => commands::verify::run(&arguments, store, output).await,
        Command::Completions { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
