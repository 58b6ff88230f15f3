//! One row, with what is stored beside it.

use fleet_domain::{ClientId, Directory, ProductId};
use fleet_store::{Store, exported};
use serde_json::{Value, json};

use super::{Noun, keyed};
use crate::Failure;
use crate::output::{Output, table};

pub(super) async fn run(
    noun: Noun,
    key: &str,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    let (directory, unreadable) = store.load_directory_partly().await?;
    let mut unreadable = noun.own(unreadable);
    unreadable.retain(|one| one.split([' ', ':']).nth(1) == Some(key));
    let more = more(noun, key, &directory, store).await?;
    let kinds: &[&str] =
        if noun == Noun::Numbering { &["operator", "country", "prefix"] } else { &[""] };
    let found = kinds.iter().find_map(|kind| {
        let rows = keyed(noun, kind, &noun.of(exported(&directory)));
        rows.into_iter().find(|(known, _)| known == key)
    });
    let (_, row) = found.ok_or_else(|| Failure::No(format!("there is no {key}")))?;
    let value = json!({ "row": row, "more": more, "unreadable": unreadable });
    output.print(&value, || {
        let mut cells = crate::files::flat(&row);
        cells.extend(crate::files::flat(&more));
        cells.extend(unreadable.into_iter().map(|one| ("cannot be read".to_owned(), one)));
        table(&["field", "value"], cells.into_iter().map(|(name, text)| vec![name, text]))
    });
    Ok(())
}

/// What a row's export does not hold: whether there are secrets, older versions, prefixes.
async fn more(
    noun: Noun,
    key: &str,
    directory: &Directory,
    store: &Store,
) -> Result<Value, Failure> {
    let set = |is_set: bool| if is_set { "set" } else { "not set" };
    Ok(match noun {
        Noun::Client => {
            let id = key.parse().ok().map(ClientId);
            id.and_then(|id| directory.clients.get(&id)).map_or(Value::Null, |client| {
                json!({
                    "stored_api_keys": client.api_key_hashes.len(),
                    "stored_signature_secret": set(client.signature_secret.is_some()),
                    "stored_ipn_key": set(client.ipn.is_some()),
                })
            })
        }
        Noun::Connector => directory.connectors.get(key).map_or(Value::Null, |connector| {
            let desk = connector.desk.as_ref();
            json!({
                "stored_secret": set(connector.secret.is_some()),
                "stored_certificate_key": set(matches!(
                    connector.authentication,
                    fleet_domain::Authentication::Mtls(_)
                )),
                "stored_msisdn_key": set(desk.is_some_and(|desk| desk.msisdn_key.is_some())),
            })
        }),
        Noun::Terms => {
            let parts = key.split_once('.');
            let product = parts.and_then(|(_, product)| product.parse().ok()).map(ProductId);
            match (parts, product) {
                (Some((owner, _)), Some(product)) => {
                    json!({ "versions": store.terms_versions(owner, product).await? })
                }
                _ => Value::Null,
            }
        }
        Noun::Numbering => {
            let mine = directory.numbering.prefixes.iter().filter(|(_, operator)| *operator == key);
            let mut prefixes: Vec<&String> = mine.map(|(prefix, _)| prefix).collect();
            prefixes.sort_unstable();
            json!({ "prefixes": prefixes })
        }
        Noun::Product => Value::Null,
    })
}
