//! `fleet maintenance`

use fleet_store::Store;
use serde_json::json;

use super::why::{Who, Why};
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
        who: Who,
    },
    /// Whether gateways are closed, why, by whom and since when
    Show,
}

pub(crate) async fn run(command: &Command, store: &Store, output: Output) -> Result<(), Failure> {
    match command {
        Command::On { why } => {
            store.set_maintenance(Some(why.reason()?), &why.actor()?).await?;
        }
        Command::Off { who } => {
            store.set_maintenance(None, &who.name()?).await?;
        }
        Command::Show => {}
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
