//! IPN listeners: each checks `verifysign` by the contract's text alone, compares the bytes with the
//! first ones, and answers `Success` or `Fail`.

use std::collections::BTreeMap;
use std::sync::Arc;

use aes::Aes128;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::bank::Reply;
use crate::behaviour::Behaviour;
use crate::judge;
use crate::record::EffectKind;
use crate::settings::IpnListener;
use crate::state::{State, Visit};

/// One IPN that came in.
#[derive(Clone)]
pub struct IpnCall {
    /// The listener's client.
    pub client: i64,
    /// `transactionid`.
    pub transaction: Arc<str>,
    /// The bytes.
    pub body: Arc<str>,
    /// Which of the listener's keys signed it, the newest first.
    pub key: Option<usize>,
    /// When it arrived.
    pub at: DateTime<Utc>,
}

impl std::fmt::Debug for IpnCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpnCall").field("transaction", &self.transaction).finish_non_exhaustive()
    }
}

/// How a listener is for everybody, whatever scripts say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// As the scripts say.
    #[default]
    Up,
    /// Every connection is reset.
    Dead,
    /// Every answer takes so many milliseconds.
    Slow(u64),
}

/// The listeners' side of the world.
#[derive(Default)]
pub(crate) struct Ipns {
    pub(crate) listeners: BTreeMap<i64, IpnListener>,
    pub(crate) modes: BTreeMap<i64, Mode>,
    pub(crate) calls: Vec<IpnCall>,
    pub(crate) first: BTreeMap<(i64, Arc<str>), usize>,
}

/// The fields of an IPN.
pub(crate) struct Ipn {
    pub(crate) transaction: String,
    signed_text: String,
    sign: String,
    bytes: String,
    /// Of a payment that was not completed.
    pub(crate) failed: bool,
}

impl Ipn {
    /// Reads a body; why not, otherwise.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())?;
        let body: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let field = |name: &str| {
            let found = body.get(name).and_then(Value::as_str).map(str::to_owned);
            found.ok_or_else(|| format!("{name} is no string"))
        };
        let amount = body.get("amount").filter(|amount| amount.is_number());
        let amount = amount.ok_or("amount is no number")?;
        let (url, account) = (field("url")?, field("accountID")?);
        let failed = match body.get("status") {
            None => false,
            Some(status) if status == "FAILED" => true,
            Some(_) => return Err("status is not FAILED".to_owned()),
        };
        Ok(Self {
            transaction: field("transactionid")?,
            signed_text: format!("{url}{account}{amount}{}", field("msisdn")?),
            sign: field("verifysign")?,
            bytes: text,
            failed,
        })
    }

    /// Which of the keys signed it.
    fn signed_by(&self, listener: &IpnListener) -> Option<usize> {
        listener.keys.iter().position(|key| {
            let opened = opened(key.as_bytes(), &self.sign);
            let text = &self.signed_text;
            let wanted =
                if listener.raw { text.clone() } else { format!("s:{}:\"{text}\";", text.len()) };
            opened.is_some_and(|opened| opened == wanted.as_bytes())
        })
    }
}

/// The plain text of an envelope, if this key made it.
fn opened(key: &[u8], sign: &str) -> Option<Vec<u8>> {
    let envelope: Value = serde_json::from_slice(&BASE64_STANDARD.decode(sign).ok()?).ok()?;
    let part = |name: &str| envelope.get(name).and_then(Value::as_str);
    let (iv, value) = (part("iv")?, part("value")?);
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(format!("{iv}{value}").as_bytes());
    let computed: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    if part("mac")? != computed {
        return None;
    }
    let key: [u8; 16] = key.try_into().ok()?;
    let iv: [u8; 16] = BASE64_STANDARD.decode(iv).ok()?.try_into().ok()?;
    let value = BASE64_STANDARD.decode(value).ok()?;
    cbc::Decryptor::<Aes128>::new(&key.into(), &iv.into()).decrypt_padded_vec::<Pkcs7>(&value).ok()
}

impl State {
    /// An IPN for a client, at the instant of its effect.
    pub(crate) fn ipn(
        &mut self,
        visit: &Visit,
        client: i64,
        ipn: &Ipn,
        behaviour: &Behaviour,
    ) -> Reply {
        let key = self.ipns.listeners.get(&client).and_then(|listener| ipn.signed_by(listener));
        let place = self.ipns.calls.len();
        let at = (client, Arc::clone(&visit.purchase));
        let first = *self.ipns.first.entry(at).or_insert(place);
        let call = IpnCall {
            client,
            transaction: Arc::clone(&visit.purchase),
            body: Arc::from(ipn.bytes.as_str()),
            key,
            at: Utc::now(),
        };
        let changed = self.ipns.calls.get(first).is_some_and(|first| {
            // Another key may change the signature and nothing else.
            let frozen = |body: &str| body.split("\"verifysign\"").next().map(str::to_owned);
            let bytes_differ = first.body != call.body;
            frozen(&first.body) != frozen(&call.body) || (first.key == call.key && bytes_differ)
        });
        self.ipns.calls.push(call);
        // A failure that was told and a vend do not go together either.
        let is_told = self.purchase_mut(&visit.purchase).is_vended() != ipn.failed;
        let findings = [
            (key.is_none(), judge::IPN_SIGN),
            (changed, judge::IPN_CHANGED),
            (!is_told, judge::IPN_WITHOUT_VEND),
        ];
        for (_, rule) in findings.into_iter().filter(|(found, _)| *found) {
            self.violate(visit, rule, "in an IPN".to_owned());
        }
        if behaviour.effect {
            self.effect(visit, EffectKind::Ipn, 0, None);
        }
        let is_taken = behaviour.answer.code() == Some("0000");
        Reply::ok(Value::from(if is_taken { "Success" } else { "Fail" }))
    }

    /// A listener's newest key; the older ones are still believed.
    pub(crate) fn rotate_ipn_key(&mut self, client: i64, key: &str) {
        let listener = self.ipns.listeners.entry(client).or_default();
        listener.keys.insert(0, key.to_owned());
        // The places of the old keys have moved by one.
        for call in self.ipns.calls.iter_mut().filter(|call| call.client == client) {
            call.key = call.key.map(|place| place.saturating_add(1));
        }
    }
}
