//! Who may speak for a card gateway that calls us: as imported, as stored, and what an import must
//! fulfil about it.

use std::fmt;
use std::net::IpAddr;

use fleet_domain::{
    Adapter, CallerRules, CallerSignature, Callers, Connector, Private, SourceAdapter,
};
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::check::Check;
use super::rows::ConnectorRow;

/// Table and column of it all, with its secret.
pub(super) const CALLERS: &str = "connector.callers";
/// The word for whoever calls.
const ANYBODY: &str = "none";
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=255;

/// `callers = "none"`, or `[connector.callers]`.
#[derive(Debug, Clone)]
pub enum CallersRow {
    /// Whoever calls is believed.
    Anybody,
    /// Who fulfils all of these.
    Rules(CallerRulesRow),
}

/// What shows who calls: networks, a signed header, or both.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallerRulesRow {
    /// Where the party calls from, such as `203.0.113.0/24`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// Proxies of ours, whose `X-Forwarded-For` is believed; nobody else's is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proxies: Vec<String>,
    /// The header with the Base64 of HMAC-SHA256 over the raw body, or a GET's raw query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Its key, stored under seal; absent = the stored one.
    #[serde(default, skip_serializing)]
    pub secret: Option<SecretString>,
}

impl Serialize for CallersRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Anybody => serializer.serialize_str(ANYBODY),
            Self::Rules(rules) => rules.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for CallersRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordOrTable)
    }
}

struct WordOrTable;

impl<'de> Visitor<'de> for WordOrTable {
    type Value = CallersRow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"none\" or a table with networks, proxies, header, secret")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<CallersRow, E> {
        let problem = "must be \"none\" or a table with networks, proxies, header, secret";
        (word == ANYBODY).then_some(CallersRow::Anybody).ok_or_else(|| E::custom(problem))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CallersRow, A::Error> {
        CallerRulesRow::deserialize(MapAccessDeserializer::new(map)).map(CallersRow::Rules)
    }
}

/// As it is sealed.
#[derive(Serialize, Deserialize)]
struct StoredCallers {
    anybody: bool,
    networks: Vec<IpNet>,
    proxies: Vec<IpNet>,
    header: Option<String>,
    secret: Option<String>,
}

/// The text to seal.
pub(super) fn to_stored(callers: &Callers) -> Private {
    let stored = match callers {
        Callers::Anybody => StoredCallers {
            anybody: true,
            networks: Vec::new(),
            proxies: Vec::new(),
            header: None,
            secret: None,
        },
        Callers::Only(rules) => StoredCallers {
            anybody: false,
            networks: rules.networks.clone(),
            proxies: rules.proxies.clone(),
            header: rules.signature.as_ref().map(|signature| signature.header.clone()),
            secret: rules.signature.as_ref().map(|it| it.secret.expose().to_owned()),
        },
    };
    // Plain fields always serialise.
    Private::new(serde_json::to_string(&stored).unwrap_or_default())
}

/// What was sealed; `None` when it cannot be read.
pub(super) fn from_stored(text: &Private) -> Option<Callers> {
    let stored: StoredCallers = serde_json::from_str(text.expose()).ok()?;
    if stored.anybody {
        return Some(Callers::Anybody);
    }
    let signature = stored.header.zip(stored.secret).map(|(header, secret)| {
        let secret = Private::new(secret);
        CallerSignature { header, secret }
    });
    Some(Callers::Only(CallerRules {
        networks: stored.networks,
        proxies: stored.proxies,
        signature,
    }))
}

/// The row without its secret.
pub(super) fn exported(callers: &Callers) -> CallersRow {
    let Callers::Only(rules) = callers else { return CallersRow::Anybody };
    let texts = |networks: &[IpNet]| networks.iter().map(ToString::to_string).collect();
    CallersRow::Rules(CallerRulesRow {
        networks: texts(&rules.networks),
        proxies: texts(&rules.proxies),
        header: rules.signature.as_ref().map(|signature| signature.header.clone()),
        secret: None,
    })
}

/// What a checked row comes to, with the stored secret where it has none.
pub(super) fn wanted(row: &ConnectorRow, before: Option<&Connector>) -> Option<Callers> {
    let rules = match row.callers.as_ref()? {
        CallersRow::Anybody => return Some(Callers::Anybody),
        CallersRow::Rules(rules) => rules,
    };
    let read = |texts: &[String]| texts.iter().filter_map(|text| network(text)).collect();
    let secret = rules.secret.as_ref().map(|secret| Private::new(secret.expose_secret()));
    let secret = secret.or_else(|| secret_of(before).cloned());
    let signature = rules.header.clone().zip(secret);
    Some(Callers::Only(CallerRules {
        networks: read(&rules.networks),
        proxies: read(&rules.proxies),
        signature: signature.map(|(header, secret)| CallerSignature { header, secret }),
    }))
}

/// The secret that a connector has for it.
pub(super) fn secret_of(connector: Option<&Connector>) -> Option<&Private> {
    match connector?.callers.as_ref()? {
        Callers::Anybody => None,
        Callers::Only(rules) => rules.signature.as_ref().map(|signature| &signature.secret),
    }
}

/// A network, or one address.
fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

impl Check {
    /// Who may ask about sales and tell their end.
    pub(super) fn callers(&mut self, name: &str, row: &ConnectorRow, stored: Option<&Connector>) {
        let adapter = Adapter::of(row.party, &row.adapter);
        let sells = adapter == Adapter::Source(SourceAdapter::CardSale);
        match &row.callers {
            None if sells => self.say(
                name,
                "[connector.callers] is missing: who may ask about sales and tell their end. Write \
                 networks = [\"203.0.113.0/24\"], or header = \"X-Signature\" with a secret of its \
                 own, or both; or callers = \"none\" for anybody, the buyer's app too",
            ),
            Some(_) if !sells => {
                self.say(name, "[connector.callers] goes with the adapter card-sale only");
            }
            Some(CallersRow::Rules(rules)) => self.caller_rules(name, row, rules, stored),
            None | Some(CallersRow::Anybody) => {}
        }
    }

    fn caller_rules(
        &mut self,
        name: &str,
        row: &ConnectorRow,
        rules: &CallerRulesRow,
        stored: Option<&Connector>,
    ) {
        for (field, texts) in [("networks", &rules.networks), ("proxies", &rules.proxies)] {
            let networks: Vec<Option<IpNet>> = texts.iter().map(|text| network(text)).collect();
            if networks.iter().any(Option::is_none) {
                self.say(name, &format!("callers.{field} must be networks such as 203.0.113.0/24"));
            }
            if networks.iter().flatten().any(|network| network.prefix_len() == 0) {
                let problem = format!("callers.{field} must not be all addresses");
                self.say(name, &problem);
            }
        }
        if rules.networks.is_empty() && rules.header.is_none() {
            self.say(name, "callers needs networks or header, or is \"none\"");
        }
        if rules.networks.is_empty() && !rules.proxies.is_empty() {
            self.say(name, "callers.proxies goes with callers.networks");
        }
        let Some(header) = &rules.header else {
            if rules.secret.is_some() {
                self.say(name, "callers.secret goes with callers.header");
            }
            return;
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !(1..=64).contains(&header.len()) || !header.bytes().all(is_plain) {
            self.say(name, "callers.header must be 1 to 64 letters, digits or -");
        }
        let said = rules.secret.as_ref().map(ExposeSecret::expose_secret);
        let of_stored = secret_of(stored).map(Private::expose);
        let Some(secret) = said.or(of_stored) else {
            return self.say(name, "callers.secret is missing, and none is stored");
        };
        if !SECRET_BYTES.contains(&secret.len()) {
            self.say(name, "callers.secret must have 16 to 255 characters");
        }
        let key = row.secret.as_ref().map(ExposeSecret::expose_secret);
        let key = key.or_else(|| stored?.secret.as_ref().map(Private::expose));
        if key == Some(secret) {
            self.say(name, "callers.secret must not be the control key");
        }
    }
}
