//! Clients' listeners for completed card payments: each completion says the same each time.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::bank::Reply;
use crate::behaviour::Behaviour;
use crate::judge;
use crate::record::EffectKind;
use crate::state::{State, Visit};

/// A completion that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompletionCall {
    /// The listener's client.
    pub client: i64,
    /// Its parameters.
    pub query: BTreeMap<String, String>,
    /// When it arrived.
    pub at: DateTime<Utc>,
}

/// The parameters of a completion.
pub(crate) struct Completion(pub(crate) BTreeMap<String, String>);

impl Completion {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(crate) fn order_info(&self) -> &str {
        self.get("order_info")
    }

    pub(crate) fn problem(&self) -> Option<&'static str> {
        let status = self.get("status");
        let is_success = status == "success";
        let checks = [
            (self.get("type") == "cardpayment", "type must be cardpayment"),
            (["success", "failed"].contains(&status), "status must be success or failed"),
            (!self.get("message").is_empty(), "message is missing"),
            (!self.order_info().is_empty(), "order_info is missing"),
            (
                is_success != self.get("transaction_id").is_empty(),
                "transaction_id goes with status success, always",
            ),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem)
    }
}

impl State {
    /// A completion for a client, at the instant of its effect.
    pub(crate) fn completion(
        &mut self,
        visit: &Visit,
        client: i64,
        Completion(query): Completion,
        behaviour: &Behaviour,
    ) -> Reply {
        let order = query.get("order_info");
        let same_order =
            |call: &&CompletionCall| call.client == client && call.query.get("order_info") == order;
        let first = self.completions.iter().find(same_order);
        if first.is_some_and(|first| first.query != query) {
            let detail = "a completion changed between two calls".to_owned();
            self.violate(visit, judge::COMPLETION_CHANGED, detail);
        }
        if behaviour.effect {
            let told = query.get("status").map(|status| Arc::from(status.as_str()));
            self.effect(visit, EffectKind::Completion, 0, told);
        }
        self.completions.push(CompletionCall { client, query, at: Utc::now() });
        Reply::ok("ok".into())
    }
}
