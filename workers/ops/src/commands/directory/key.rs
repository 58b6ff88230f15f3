//! `fleet client key`

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use fleet_domain::{ClientId, Private};
use fleet_store::{By, KeyOutcome, Store};
use serde_json::json;

use super::super::why::PerhapsWhy;
use crate::Failure;
use crate::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The client's number
    client: i64,
    /// Take the client's other keys away
    #[arg(long)]
    remove_others: bool,
    #[command(flatten)]
    why: PerhapsWhy,
}

pub(super) async fn run(
    arguments: &Arguments,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    let id = ClientId(arguments.client);
    let unknown = || Failure::No(format!("there is no client {id}"));
    let (directory, _secrets) = store.load_directory_partly().await?;
    let client = directory.clients.get(&id).ok_or_else(unknown)?;
    let side = if client.sandbox { "sandbox" } else { "live" };
    let chance: [u8; 32] = rand::random();
    let key = Private::new(format!("{side}_{}", BASE64_URL_SAFE_NO_PAD.encode(chance)));
    let (reason, actor) = (arguments.why.reason()?, arguments.why.actor()?);
    let by = By { actor: &actor, reason };
    match store.add_api_key(id, &key, arguments.remove_others, by).await? {
        KeyOutcome::Added { keys } => {
            let value = json!({ "client_id": id, "api_key": key.expose(), "keys": keys });
            output.print(&value, || {
                format!(
                    "{}\nIt is shown this once only. Client {id} has {keys} keys now.",
                    key.expose()
                )
            });
            Ok(())
        }
        KeyOutcome::NoClient => Err(unknown()),
        KeyOutcome::OfAnother(other) => {
            Err(Failure::Refused(format!("client {other} has this very key: ask for another")))
        }
        KeyOutcome::Full => Err(Failure::Refused(format!(
            "client {id} has 4 keys already: give it one in their place with --remove-others"
        ))),
    }
}
