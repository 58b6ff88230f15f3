//! One file a command.

pub(crate) mod callback;
pub(crate) mod dead;
pub(crate) mod delivery;
pub(crate) mod directory;
pub(crate) mod import;
pub(crate) mod maintenance;
pub(crate) mod purchase;
pub(crate) mod summary;
pub(crate) mod verify;
mod why;

use std::io::IsTerminal;

use fleet_store::Store;
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde_json::json;

use crate::Failure;
use crate::output::Output;

/// `fleet migrate`
pub(crate) async fn migrate(store: &Store, output: Output) -> Result<(), Failure> {
    let applied = store.migrate().await?;
    let partitions = store.prepare_partitions().await?;
    let value = json!({ "applied": applied, "partitions_made": partitions });
    output.print(&value, || match applied.len() {
        0 => "the schema was up to date already".to_owned(),
        count => format!("{count} migrations applied: {applied:?}"),
    });
    Ok(())
}

/// A bar on a terminal, nothing elsewhere.
fn bar(length: usize) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    ProgressBar::with_draw_target(u64::try_from(length).ok(), target)
}
