//! The fleet's record against the outside world's own: what took effect there, by the simulator.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use fleet_outbound::{AddressPolicy, Body, Call, Counts, Credentials, Method, Outbound, Reuse};
use fleet_store::{Recorded, Store, Violation};
use serde::Deserialize;
use tokio::time::Instant;

use super::Finding;
use crate::Failure;

/// For the simulator to answer.
const WITHIN: Duration = Duration::from_secs(10);

/// `GET /control/summary` of the simulator, as far as it is compared.
#[derive(Deserialize)]
struct Summary {
    parties: BTreeMap<String, Party>,
    duplicates: BTreeMap<String, u64>,
    #[serde(rename = "violationsByRule")]
    violations_by_rule: BTreeMap<String, u64>,
}

#[derive(Deserialize, Default)]
struct Party {
    effects: BTreeMap<String, i64>,
    amounts: BTreeMap<String, i64>,
}

/// E1 and E4. To be asked once nothing is under way: the two records are not read at one instant.
pub(super) async fn compare(store: &Store, url: &str) -> Result<[Finding; 2], Failure> {
    let began = Instant::now();
    let url = url.trim_end_matches('/');
    let summary =
        fetch(url).await.map_err(|error| Failure::Refused(format!("--simulator: {error:#}")))?;
    let (directory, _secrets) = store.load_directory_partly().await?;
    let party = |recorded: &Recorded| {
        let base = &directory.connectors.get(&recorded.party)?.base_url;
        let path = base.strip_prefix(url)?.trim_matches('/');
        summary.parties.get(path)
    };
    let recorded = store.recorded().await?;
    let differs = recorded.iter().filter_map(|row| difference(row, party(row)));
    let twice = [&summary.duplicates, &summary.violations_by_rule].into_iter().flatten();
    let twice = twice.filter(|(_, count)| **count > 0);
    Ok([
        Finding {
            code: "E1",
            says: "Nothing took effect twice outside, and nobody there saw what must never happen.",
            action: "Look at /control/violations and /control/record of the simulator.",
            violations: twice.map(|(what, count)| row(format!("{what}: {count}"))).collect(),
            more: false,
            took: began.elapsed(),
        },
        Finding {
            code: "E4",
            says: "Books and vends are what the outside world has recorded, unknown ones excepted.",
            action: "Find the purchase in the simulator's /control/record, and ask for its vend or \
                     hold by its reference.",
            violations: differs.collect(),
            more: false,
            took: began.elapsed(),
        },
    ])
}

fn row(detail: String) -> Violation {
    Violation { purchase: None, detail }
}

/// What is recorded here must have happened there; what happened besides must be open here.
fn difference(recorded: &Recorded, party: Option<&Party>) -> Option<Violation> {
    let Recorded { party: name, kind, recorded: ours, open } = recorded;
    let counted = |party: &Party| {
        let of = if kind == "vend" { &party.effects } else { &party.amounts };
        of.get(kind).copied()
    };
    let theirs = party.and_then(counted).unwrap_or(0);
    let most = ours.saturating_add(*open);
    let agrees = (*ours..=most).contains(&theirs);
    (!agrees).then(|| row(format!("{name} {kind}: {theirs} there, {ours} to {most} here")))
}

async fn fetch(url: &str) -> anyhow::Result<Summary> {
    let deadline = Instant::now().checked_add(WITHIN).context("the clock")?;
    let call = Call {
        method: Method::Get,
        url: format!("{url}/control/summary"),
        headers: Vec::new(),
        credentials: Credentials::None,
        body: Body::Empty,
        deadline,
        send_before: deadline,
        reuse: Reuse::Fresh,
        counts: Counts::Whole,
        policy: AddressPolicy::trusted(),
    };
    let reply = Outbound::new()?.send(call).await?;
    anyhow::ensure!(reply.status == 200, "it answers {}", reply.status);
    serde_json::from_slice(&reply.body).context("its answer is no summary of a simulator")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(kind: &str, recorded: i64, open: i64) -> Recorded {
        Recorded { party: "p".to_owned(), kind: kind.to_owned(), recorded, open }
    }

    #[test]
    fn what_is_recorded_must_have_happened_and_what_happened_must_be_recorded_or_open() {
        let party = Party {
            effects: BTreeMap::from([("vend".to_owned(), 5)]),
            amounts: BTreeMap::from([("capture".to_owned(), 900), ("vend".to_owned(), 7)]),
        };
        for (row, agrees) in [
            (recorded("vend", 5, 0), true),
            (recorded("vend", 4, 1), true),
            (recorded("vend", 4, 0), false),
            (recorded("vend", 6, 2), false),
            (recorded("capture", 900, 0), true),
            (recorded("capture", 901, 0), false),
            (recorded("cancel", 0, 0), true),
        ] {
            assert_eq!(difference(&row, Some(&party)).is_none(), agrees, "{row:?}");
        }
        assert!(difference(&recorded("vend", 1, 0), None).is_some());
    }
}
