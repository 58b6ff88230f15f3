//! `fleet callback`: what suppliers and funding sources told of no purchase of ours. Only a person
//! decides about it.

mod show;
mod told;

use fleet_domain::PurchaseId;
use fleet_store::{Discarded, FactMatch, Matched, Store, UnmatchedFact, UnmatchedFilter};
use serde_json::{Value, json};

use self::told::Told;
pub(super) use self::told::reference;
use super::why::Why;
use crate::Failure;
use crate::output::{Output, page, table};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Callbacks that speak of no purchase and are not decided, newest first
    List(List),
    /// What one tells, and the purchases that it may be about
    Show {
        /// The callback's number
        id: i64,
    },
    /// Make it one of a purchase and wake the purchase's task; its source is asked all the same
    Match {
        /// The callback's number
        id: i64,
        /// The raasTxnRef
        purchase: PurchaseId,
        #[command(flatten)]
        why: Why,
    },
    /// Decide that nothing follows from it; it is kept
    Discard {
        /// The callback's number
        id: i64,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Only of this connector
    #[arg(long)]
    connector: Option<String>,
    /// Also those that were decided
    #[arg(long)]
    all: bool,
    /// Rows at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only older ones than this: the last number of the page before
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
}

pub(crate) async fn run(command: &Command, store: &Store, output: Output) -> Result<(), Failure> {
    match command {
        Command::List(list) => self::list(list, store, output).await,
        Command::Show { id } => show::run(*id, store, output).await,
        Command::Match { id, purchase, why } => match_to(*id, *purchase, why, store, output).await,
        Command::Discard { id, why } => discard(*id, why, store, output).await,
    }
}

async fn list(list: &List, store: &Store, output: Output) -> Result<(), Failure> {
    let filter = UnmatchedFilter {
        connector: list.connector.clone(),
        before: list.before,
        limit: list.limit.saturating_add(1),
        decided: list.all,
    };
    let (found, next) = page(store.unmatched(&filter).await?, list.limit, |one| one.id);
    let asks: Vec<_> = found.iter().map(|one| Told::read(one).ask(&one.fact)).collect();
    let candidates: Vec<usize> = store.candidate_ids(&asks).await?.iter().map(Vec::len).collect();
    let rows = || found.iter().zip(&candidates);
    let value = json!({
        "callbacks": rows().map(|(one, count)| row_json(one, *count)).collect::<Vec<_>>(),
        "next_before": next,
    });
    output.print(&value, || {
        if found.is_empty() {
            return "no callbacks to decide about\n".to_owned();
        }
        let head = ["callback", "age", "connector", "type", "status", "candidates", "decision"];
        let mut text = table(&head, rows().map(|(one, count)| cells(one, *count)));
        if let Some(next) = next {
            text.push_str(&format!("older ones: --before {next}\n"));
        }
        text
    });
    Ok(())
}

fn row_json(one: &UnmatchedFact, candidates: usize) -> Value {
    json!({
        "id": one.id, "received_at": one.fact.received_at, "age_seconds": age_seconds(one),
        "connector": one.fact.connector(), "type": one.fact.fact_type,
        "status": one.fact.status, "candidates": candidates, "decision": decision_json(one),
    })
}

fn cells(one: &UnmatchedFact, candidates: usize) -> Vec<String> {
    let decision = one.decision.as_ref().map_or("-", action);
    vec![
        one.id.to_string(),
        age(age_seconds(one)),
        one.fact.connector().to_owned(),
        one.fact.fact_type.clone(),
        one.fact.status.clone(),
        candidates.to_string(),
        decision.to_owned(),
    ]
}

fn decision_json(one: &UnmatchedFact) -> Value {
    one.decision.as_ref().map_or(Value::Null, |decision| {
        json!({
            "action": action(decision), "raas_txn_ref": decision.purchase,
            "reason": decision.reason, "actor": decision.actor,
            "decided_at": decision.decided_at,
        })
    })
}

const fn action(decision: &fleet_store::FactDecision) -> &'static str {
    if decision.purchase.is_some() { "matched" } else { "discarded" }
}

fn age_seconds(one: &UnmatchedFact) -> i64 {
    one.now.signed_duration_since(one.fact.received_at).num_seconds().max(0)
}

/// In the unit that says it shortest.
fn age(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let fits = units.into_iter().find_map(|(unit, word)| {
        let count = seconds.checked_div(unit).filter(|count| *count > 0)?;
        Some(format!("{count} {word}"))
    });
    fits.unwrap_or_else(|| format!("{seconds} s"))
}

fn no_callback(id: i64) -> Failure {
    Failure::No(format!("there is no unmatched callback {id}"))
}

fn decided(id: i64) -> Failure {
    Failure::Refused(format!("callback {id} is decided already: fleet callback show {id}"))
}

async fn match_to(
    id: i64,
    purchase: PurchaseId,
    why: &Why,
    store: &Store,
    output: Output,
) -> Result<(), Failure> {
    let (reason, actor) = (why.reason()?, why.actor()?);
    let found = store.unmatched_fact(id).await?.ok_or_else(|| no_callback(id))?;
    let told = Told::read(&found);
    let transaction = told.transaction();
    let wanted = FactMatch { id, purchase, transaction, reason, actor: &actor };
    let matched = store.match_fact(wanted).await?;
    let (word, case) = match matched {
        Matched::Woken => ("its task is due now", None),
        Matched::Told => ("its task is under way and sees it", None),
        Matched::Over(None) => ("its task had ended, and the callback says nothing new", None),
        Matched::Over(Some(case)) => ("its task had ended: a case was opened", Some(case)),
        Matched::NoFact => return Err(no_callback(id)),
        Matched::Decided => return Err(decided(id)),
        Matched::NoPurchase => {
            return Err(Failure::No(format!("there is no purchase {purchase}")));
        }
        Matched::OtherConnector => {
            let text =
                format!("callback {id} is of a connector that purchase {purchase} is not at");
            return Err(Failure::Refused(text));
        }
        Matched::Copy => {
            let text =
                format!("another callback tells of the transaction of callback {id}: discard it");
            return Err(Failure::Refused(text));
        }
    };
    let value = json!({ "matched": id, "raas_txn_ref": purchase, "task": word, "case": case });
    output.print(&value, || {
        let case = case.as_ref().map(|case| format!("\ncase: {case}")).unwrap_or_default();
        format!("callback {id} is one of purchase {purchase}; {word}{case}")
    });
    Ok(())
}

async fn discard(id: i64, why: &Why, store: &Store, output: Output) -> Result<(), Failure> {
    match store.discard_fact(id, why.reason()?, &why.actor()?).await? {
        Discarded::Done => {}
        Discarded::NoFact => return Err(no_callback(id)),
        Discarded::Decided => return Err(decided(id)),
    }
    output.print(&json!({ "discarded": id }), || format!("nothing follows from callback {id}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_its_largest_whole_unit() {
        let told = [0, 59, 60, 7_199, 7_200, 86_400 * 3].map(age);
        assert_eq!(told, ["0 s", "59 s", "1 min", "1 h", "2 h", "3 d"]);
    }
}
