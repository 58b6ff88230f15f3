//! `--check`: everything that can be known before a program runs.

use anyhow::{Context, bail};

use crate::Settings;
use crate::program::Program;

/// Connections that Postgres keeps for itself and for a person.
const KEPT_FREE: u32 = 8;

pub(crate) async fn check(program: Program, settings: &Settings) -> anyhow::Result<()> {
    let store = settings.open_store(program.name)?;
    // Before anything of ours is called: another schema does not have it.
    store.check_schema().await.context("database.url")?;
    store.ping().await.context("database.url")?;
    let (max, open) = (store.max_connections().await?, store.open_connections().await?);
    let needed = open.saturating_add(settings.database.pool_max);
    if needed > max.saturating_sub(KEPT_FREE) {
        bail!(
            "database.pool_max: {open} connections are open and this process may open {} more, \
             but max_connections is {max} and {KEPT_FREE} stay free; lower pool_max or raise it",
            settings.database.pool_max
        );
    }
    store.load_directory().await.context("the directory cannot be loaded")?;
    if program.needs_broker {
        settings.broker(program.name).check().context("broker.url")?;
    }
    tracing::info!(connections.open = open, connections.max = max, "checked, all well");
    Ok(())
}
