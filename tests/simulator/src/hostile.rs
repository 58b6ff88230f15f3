//! What nobody should send and somebody may: spoilt notifications and completions, each made from
//! a number, so that what broke something can be made again.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// No spoilt notification is longer.
const BYTES_MAX: usize = 70_000;
/// No spoilt query is longer: longer ones are no part of an address.
const QUERY_MAX: usize = 60_000;
/// The first numbers make bodies without any content of their own.
const BARE: [&[u8]; 10] = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"\"\"",
    b"0",
    b"{",
    b"\0",
    b"\xff\xfe",
    b"{\"success\":{},\"error\":{}}",
];
/// And queries.
const BARE_QUERIES: [&str; 6] = ["", "&", "=", "&&&&=&", "%", "type=cardpayment"];

/// Values of no field, as JSON or not even that.
const VALUES: [&str; 26] = [
    "null",
    "true",
    "[]",
    "{}",
    "[1,[2]]",
    "0",
    "-0.5",
    "1e309",
    "-1e309",
    "1e-400",
    "0.5000000000001",
    "99999999999999999999999999999999",
    "4111111111111111",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"a\\u0007\\u001b[31m\\r\\n\"",
    "\"raw \u{1} control\"",
    "\"\\ud800\"",
    "\"\\x\"",
    "\"4111 1111 1111 1111\"",
    "\"5500-0000-0000-0004\"",
    "\"\u{661}\u{662}\u{663}\"",
    "\"\u{202e}\"",
    "NaN",
    "'0.5'",
];
const AMOUNTS: [&str; 10] = [
    "\"-0.5\"",
    "\"0\"",
    "\"0.5000000000001\"",
    "\"1e309\"",
    "\"0,5\"",
    "\"+0.5\"",
    "\" 0.5\"",
    "\"NaN\"",
    "\"0.50000\"",
    "\"9223372036854775808\"",
];
const STATUSES: [&str; 7] = [
    "\"charged\"",
    "\"CHARGED \"",
    "\"REFUNDED\"",
    "\"PIN_USED\"",
    "\"pin_expired\"",
    "\"SUCCESS\"",
    "\"\"",
];
const PLACES: [&str; 4] = ["\"test\"", "\"Production\"", "\"sandbox\"", "\"production\\u0000\""];
const CURRENCIES: [&str; 4] = ["\"USD\"", "\"kwd\"", "\"KWDX\"", "\"XXX\""];
const MERCHANTS: [&str; 3] =
    ["\"partner:00000000-0000-0000-0000-000000000000\"", "\"partner:\"", "\"PARTNER:02c76113\""];
const CAMPAIGNS: [&str; 3] = ["\"campaign:0\"", "\"campaign:\"", "\"940d351138df895e\""];

/// Spoils the notification that the operator's document shows.
#[must_use]
pub fn hostile_mo(seed: u64) -> Vec<u8> {
    let example = json!({ "success": {
        "type": "mo_charge",
        "operator": "zain-kw",
        "merchant": "partner:02c76113-0ca7-4aed-88e2-75267bf85e82",
        "campaign": "campaign:940d351138df895e8dedf51e5d7b90788cdc23d0",
        "environment": "test",
        "msisdn": "96526925482",
        "currency": "KWD",
        "amount": "0.5",
        "correlator": "555666777888999000",
        "transaction": {
            "status": "CHARGED",
            "timestamp": "2015-08-26T10:58:12.026+08:00",
            "transaction_id": "1910173",
        },
    } });
    hostile_mo_about(&example, seed)
}

/// Spoils a notification of its own. What comes out may still be readable, and even true.
#[must_use]
pub fn hostile_mo_about(notification: &Value, seed: u64) -> Vec<u8> {
    let bare = usize::try_from(seed).ok().and_then(|place| BARE.get(place));
    if let Some(bare) = bare {
        return bare.to_vec();
    }
    let mut rng = StdRng::seed_from_u64(seed);
    let inner = ["success", "error"].into_iter().find_map(|name| notification.get(name));
    let mut fields = Fields::of(inner.unwrap_or(&Value::Null));
    let transaction = inner.and_then(|inner| inner.get("transaction")).unwrap_or(&Value::Null);
    let mut below = Fields::of(transaction);
    for _ in 0..rng.random_range(1..=3_u32) {
        if rng.random_ratio(1, 3) { below.spoil(&mut rng) } else { fields.spoil(&mut rng) }
    }
    let whole = transaction.to_string();
    // Unless it was spoilt itself.
    if let Some((_, text)) = fields.0.iter_mut().find(|(_, text)| *text == whole) {
        *text = below.text();
    }
    let body = enveloped(&mut rng, seed, &fields.text());
    let mut body = broken(&mut rng, body.into_bytes());
    body.truncate(BYTES_MAX);
    body
}

/// Spoils a completion as the card processor's document shows it: a query without its `?`.
#[must_use]
pub fn hostile_card(seed: u64) -> String {
    hostile_card_about(seed, "Bookingid23", "12")
}

/// Spoils a completion of its own.
#[must_use]
pub fn hostile_card_about(seed: u64, order_info: &str, transaction_id: &str) -> String {
    let bare = usize::try_from(seed).ok().and_then(|place| BARE_QUERIES.get(place));
    if let Some(bare) = bare {
        return (*bare).to_owned();
    }
    let mut rng = StdRng::seed_from_u64(seed);
    let mut pairs: Vec<(String, String)> = [
        ("type", "cardpayment"),
        ("status", "success"),
        ("message", "Transaction successful"),
        ("order_info", order_info),
        ("transaction_id", transaction_id),
    ]
    .map(|(name, text)| (name.to_owned(), encoded(text)))
    .into();
    for _ in 0..rng.random_range(1..=3_u32) {
        spoil_pairs(&mut rng, &mut pairs);
    }
    let joined = pairs.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>();
    let between = pick(&mut rng, &["&", "&", "&", "&&", ";"]);
    let mut query = format!("seed={seed}{between}{}", joined.join(between));
    query.truncate(QUERY_MAX);
    query
}

/// An object's fields as texts of JSON, so that they may come twice or be no JSON.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn of(value: &Value) -> Self {
        let fields = value.as_object().into_iter().flatten();
        Self(fields.map(|(name, value)| (name.clone(), value.to_string())).collect())
    }

    fn text(&self) -> String {
        let fields = self.0.iter().map(|(name, value)| format!("{}:{value}", json!(name)));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }

    fn spoil(&mut self, rng: &mut StdRng) {
        let place = rng.random_range(0..self.0.len().max(1));
        let Some((name, value)) = self.0.get(place).cloned() else { return };
        let other = wrong(rng, &name);
        match rng.random_range(0..8_u32) {
            0 => {
                self.0.remove(place);
            }
            1 => self.0.push((name, other)),
            2 => self.0.insert(0, (name, other)),
            3 => self.0.push((name, value)),
            4 => {
                self.0.remove(place);
                self.0.push((name.to_uppercase(), value));
            }
            _replaced => {
                self.0.remove(place);
                self.0.push((name, other));
            }
        }
    }
}

/// A value that the field should not have.
fn wrong(rng: &mut StdRng, name: &str) -> String {
    let own: &[&str] = match name {
        "amount" => &AMOUNTS,
        "status" => &STATUSES,
        "environment" => &PLACES,
        "currency" => &CURRENCIES,
        "merchant" => &MERCHANTS,
        "campaign" => &CAMPAIGNS,
        _any => &VALUES,
    };
    match rng.random_range(0..10_u32) {
        0 => format!("\"{}\"", "x".repeat(rng.random_range(60_000..65_536))),
        1 => {
            let depth = rng.random_range(100..20_000);
            format!("{}{}", "[".repeat(depth), "]".repeat(depth))
        }
        2..=5 => pick(rng, own).to_owned(),
        _any => pick(rng, &VALUES).to_owned(),
    }
}

fn enveloped(rng: &mut StdRng, seed: u64, inner: &str) -> String {
    let mark = format!("\"seed\":{seed}");
    match rng.random_range(0..12_u32) {
        0 => format!("{{{mark},\"success\":{inner},\"error\":{inner}}}"),
        1 => format!("{{{mark}}}"),
        2 => format!("{{{mark},\"error\":{inner}}}"),
        3 => format!("[{{{mark},\"success\":{inner}}}]"),
        4 => format!("{{{mark},\"success\":[{inner}]}}"),
        5 => format!("{{{mark},\"success\":{inner},\"success\":{inner}}}"),
        6 => format!("{{{mark},\"SUCCESS\":{inner}}}"),
        7 => format!("{{{mark},\"success\":{}}}", json!(inner)),
        _usual => format!("{{{mark},\"success\":{inner}}}"),
    }
}

/// Breaks some bodies as bytes.
fn broken(rng: &mut StdRng, mut body: Vec<u8>) -> Vec<u8> {
    let place = rng.random_range(30..body.len().max(31)).min(body.len());
    match rng.random_range(0..14_u32) {
        0 => body.truncate(place),
        1 => body.splice(place..place, [0xff, 0xc0, 0x80]).for_each(drop),
        2 => body.insert(place, 0),
        3 => body.splice(0..0, [0xef, 0xbb, 0xbf]).for_each(drop),
        4 => body.extend_from_slice(b"{\"success\":{}}"),
        _whole => {}
    }
    body
}

fn spoil_pairs(rng: &mut StdRng, pairs: &mut Vec<(String, String)>) {
    let place = rng.random_range(0..pairs.len().max(1));
    let Some((name, text)) = pairs.get(place).cloned() else { return };
    let other = match rng.random_range(0..6_u32) {
        0 => "x".repeat(rng.random_range(30_000..59_000)),
        1 => format!("%22{text}%22"),
        2 => format!("{text}%0d%0aX-Extra%3a%201"),
        3 => format!("{}%zz{text}", rng.random_range(0..1_000_u32)),
        _any => pick(
            rng,
            &[
                "",
                "%20",
                "%00",
                "%ff%fe",
                "%22%22",
                "null",
                "SUCCESS",
                "Success",
                "failed",
                "pending",
                "-1",
                "0",
                "1e309",
                "..%2f..%2fcontrol%2freset",
                "4111111111111111",
                "4111%201111%201111%201111",
                "%3Cscript%3E",
                "%E2%80%AE",
                "%ED%A0%80",
            ],
        )
        .to_owned(),
    };
    match rng.random_range(0..7_u32) {
        0 => {
            pairs.remove(place);
        }
        1 => pairs.push((name, other)),
        2 => pairs.insert(0, (name, other)),
        3 => pairs.push((format!("{name}[]"), text)),
        4 => {
            pairs.remove(place);
            pairs.push((name.to_uppercase(), text));
        }
        _replaced => {
            pairs.remove(place);
            pairs.push((name, other));
        }
    }
}

fn pick<'a>(rng: &mut StdRng, all: &[&'a str]) -> &'a str {
    all.choose(rng).copied().unwrap_or_default()
}

/// Everything but letters and digits as `%` and two digits.
fn encoded(text: &str) -> String {
    let bytes = text.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const SEEDS: u64 = 1_000;

    #[test]
    fn a_thousand_spoilt_notifications_differ_and_can_be_made_again() {
        let all: HashSet<Vec<u8>> = (0..SEEDS).map(hostile_mo).collect();
        assert_eq!(all.len(), 1_000);
        assert!(all.iter().all(|body| body.len() <= BYTES_MAX));
        assert!((0..SEEDS).all(|seed| hostile_mo(seed) == hostile_mo(seed)));
    }

    #[test]
    fn a_thousand_spoilt_completions_differ_and_can_be_made_again() {
        let all: HashSet<String> = (0..SEEDS).map(hostile_card).collect();
        assert_eq!(all.len(), 1_000);
        assert!(all.iter().all(|query| query.len() <= QUERY_MAX));
        assert!((0..SEEDS).all(|seed| hostile_card(seed) == hostile_card(seed)));
    }

    #[test]
    fn spoilt_notifications_are_of_every_kind() {
        let all: Vec<Vec<u8>> = (0..SEEDS).map(hostile_mo).collect();
        let texts: Vec<&str> = all.iter().filter_map(|body| str::from_utf8(body).ok()).collect();
        assert!(texts.len() < all.len(), "some are no UTF-8");
        let read = |text: &&str| serde_json::from_str::<Value>(text).ok();
        let values: Vec<Value> = texts.iter().filter_map(read).collect();
        assert!(values.len() < texts.len() && values.len() > 300, "{} are JSON", values.len());
        let has_both =
            |value: &Value| value.get("success").is_some() && value.get("error").is_some();
        assert!(values.iter().any(has_both));
        assert!(values.iter().any(Value::is_array));
        for part in ["1e309", "0.5000000000001", "\"charged\"", "4111", "[[[[", "\\u0000", "xxxx"] {
            assert!(texts.iter().any(|text| text.contains(part)), "{part}");
        }
        let longest = all.iter().map(Vec::len).max().unwrap();
        assert!(longest > 60_000);
    }
}
