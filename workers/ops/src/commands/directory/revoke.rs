//! `fleet client revoke-tokens`

use fleet_domain::ClientId;
use fleet_store::{By, Store};
use serde_json::json;

use super::super::why::Why;
use crate::Failure;
use crate::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The client's number
    client_id: i64,
    #[command(flatten)]
    why: Why,
}

pub(crate) async fn run(
    arguments: &Arguments,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    let id = arguments.client_id;
    let (reason, actor) = (Some(arguments.why.reason()?), arguments.why.actor()?);
    let by = By { actor: &actor, reason };
    let Some(from) = store.revoke_tokens(ClientId(id), by).await? else {
        return Err(Failure::No(format!("there is no client {id}")));
    };
    let value = json!({ "client_id": id, "tokens_valid_from": from });
    output.print(&value, || {
        let from = from.format("%F %T");
        format!("tokens of client {id} made up to {from} are refused, in a second everywhere")
    });
    Ok(())
}
