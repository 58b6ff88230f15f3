//! Providers of messages: each sends what it gets, once a reference if it deduplicates.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use crate::bank::Reply;
use crate::behaviour::Behaviour;
use crate::ipn::Mode;
use crate::judge;
use crate::purchase::{Fingerprint, fingerprint};
use crate::record::EffectKind;
use crate::state::{State, Visit};

/// A message that reached a person.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the contract's own")]
pub struct Message {
    /// The provider.
    pub party: Arc<str>,
    pub reference: Arc<str>,
    pub destination: String,
    pub subject: Option<String>,
    pub text: String,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("reference", &self.reference).finish_non_exhaustive()
    }
}

/// The body of a message.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageRequest {
    pub(crate) reference: String,
    destination: String,
    subject: Option<String>,
    text: String,
}

/// The providers' side of the world.
#[derive(Default)]
pub(crate) struct Messages {
    pub(crate) modes: BTreeMap<Arc<str>, Mode>,
    pub(crate) sent: Vec<Message>,
    first: HashMap<(Arc<str>, Arc<str>), Fingerprint>,
}

impl MessageRequest {
    /// What is wrong with it for this kind of provider.
    pub(crate) fn problem(&self, is_mail: bool) -> Option<&'static str> {
        let is_reference = self.purchase().len() == 36 && self.reference.len() <= 64;
        let is_number = self.destination.bytes().all(|byte| byte.is_ascii_digit());
        let checks = [
            (is_reference, "reference is not that of a message"),
            (is_number != is_mail, "destination is of another kind of provider"),
            (!self.destination.is_empty(), "destination is empty"),
            (self.subject.is_some() == is_mail, "subject goes with e-mails, always"),
            (!self.text.is_empty(), "text is empty"),
            (is_mail || self.text.chars().count() <= 1_600, "text is too long"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem)
    }

    /// The purchase that its reference names.
    pub(crate) fn purchase(&self) -> &str {
        self.reference.rsplit_once("-n").map_or("", |(purchase, _)| purchase)
    }
}

impl State {
    /// A message, at the instant of its effect.
    pub(crate) fn message(
        &mut self,
        visit: &Visit,
        request: MessageRequest,
        behaviour: &Behaviour,
    ) -> Reply {
        let subject = request.subject.as_deref().unwrap_or_default();
        let whole = format!("{}\n{subject}\n{}", request.destination, request.text);
        let print = fingerprint(whole.as_bytes());
        let key = (Arc::clone(&visit.party), Arc::clone(&visit.reference));
        let is_changed = self.messages.first.get(&key).is_some_and(|first| *first != print);
        if is_changed {
            self.violate(visit, judge::MESSAGE_CHANGED, "in a message".to_owned());
        }
        self.messages.first.insert(key, print);
        let is_known =
            |sent: &Message| sent.reference == visit.reference && sent.party == visit.party;
        // "plain" providers forget what they sent.
        let forgets = visit.party.ends_with("plain");
        let is_again = !forgets && self.messages.sent.iter().any(is_known);
        if behaviour.effect && !is_again {
            self.effect(visit, EffectKind::Message, 0, None);
            self.messages.sent.push(Message {
                party: Arc::clone(&visit.party),
                reference: Arc::clone(&visit.reference),
                destination: request.destination,
                subject: request.subject,
                text: request.text,
            });
        }
        Reply::ok(json!({ "status": "accepted" })).with_status(202)
    }
}
