//! `fleet maintenance`

use fleet_store::Store;
use serde_json::json;

use super::directory::history;
use super::why::Why;
use crate::Failure;
use crate::output::Output;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Close every gateway to clients, within about a second: 503 with Retry-After
    On {
        #[command(flatten)]
        why: Why,
    },
    /// Open the gateways again
    Off {
        #[command(flatten)]
        why: Why,
    },
    /// Whether gateways are closed, why, by whom and since when
    Show,
    /// Who closed and opened them, and why, newest first
    History(history::Page),
}

pub(crate) async fn run(command: &Command, store: &Store, output: Output) -> Result<(), Failure> {
    match command {
        Command::On { why } => {
            store.set_maintenance(true, why.reason()?, &why.actor()?).await?;
        }
        Command::Off { why } => {
            store.set_maintenance(false, why.reason()?, &why.actor()?).await?;
        }
        Command::Show => {}
        Command::History(page) => {
            return history::told(&["maintenance"], None, page, store, output).await;
        }
    }
    let present = store.maintenance().await?;
    let value = present.as_ref().map_or_else(
        || json!({ "on": false }),
        |m| json!({ "on": true, "reason": m.reason, "actor": m.actor, "since": m.since }),
    );
    output.print(&value, || match &present {
        Some(m) => {
            let since = m.since.format("%F %T");
            format!("closed to clients since {since} by {}: {}", m.actor, m.reason)
        }
        None => "open to clients".to_owned(),
    });
    Ok(())
}
