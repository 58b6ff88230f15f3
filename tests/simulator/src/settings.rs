//! Where the simulator listens and how it behaves when no script says otherwise.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// The settings; the defaults fit the sample set-up in `deploy/local/sample`.
#[derive(Clone)]
pub struct SimulatorSettings {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The fleet's gateway, which gets the suppliers' callbacks; no slash at the end.
    pub gateway: String,
    /// Seeds the latencies.
    pub seed: u64,
    /// How long every call takes.
    pub latency: Latency,
    /// The secret of `Signature` by client number; results for the others are not checked.
    pub client_secrets: BTreeMap<i64, String>,
    /// IPN listeners by client number.
    pub ipn_listeners: BTreeMap<i64, IpnListener>,
    /// Signs the suppliers' callbacks.
    pub callback_secret: String,
    /// The `api_key` that the fraud desk wants.
    pub desk_key: String,
    /// Whom an operator lets charge by SMS.
    pub mo_user: String,
    /// The password of `mo_user`.
    pub mo_password: String,
    /// `environment` in an operator's notifications.
    pub mo_environment: String,
    /// The key that a card processor wants.
    pub card_key: String,
    /// The `account_id` that the key belongs to.
    pub card_account: String,
    /// The merchant control key of the card gateway.
    pub sale_control_key: String,
    /// The header in which the card gateway signs what it sends to the fleet.
    pub sale_caller_header: String,
    /// The key of that signature.
    pub sale_caller_secret: String,
    /// The endpoint that the card gateway has for us.
    pub sale_endpoint: String,
    /// Effects beyond this many are refused with 507.
    pub effects_max: usize,
    /// Calls beyond this many are refused with 507.
    pub calls_max: usize,
}

/// What an IPN listener knows.
#[derive(Clone, Default)]
pub struct IpnListener {
    /// The keys that it believes, the newest first; 16 bytes each.
    pub keys: Vec<String>,
    /// The text inside `verifysign` is bare instead of a string as PHP serialises it.
    pub raw: bool,
    /// Its key for Transaction Query.
    pub api_key: String,
}

impl IpnListener {
    fn sample() -> Self {
        let keys = vec!["sample-ipn-key-1".to_owned()];
        Self { keys, raw: false, api_key: "sample-key-1011".to_owned() }
    }
}

impl std::fmt::Debug for IpnListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpnListener").field("raw", &self.raw).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SimulatorSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatorSettings")
            .field("listen", &self.listen)
            .field("gateway", &self.gateway)
            .field("seed", &self.seed)
            .field("latency", &self.latency)
            .finish_non_exhaustive()
    }
}

impl Default for SimulatorSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 21_080)),
            gateway: "http://127.0.0.1:21081".to_owned(),
            seed: 1,
            latency: Latency { min_ms: 50, max_ms: 500 },
            client_secrets: BTreeMap::from([(1002, "sample-signature-1002".to_owned())]),
            ipn_listeners: BTreeMap::from([(1011, IpnListener::sample())]),
            callback_secret: "sample-callback-secret".to_owned(),
            desk_key: "sample-desk-key".to_owned(),
            mo_user: "sample-mo".to_owned(),
            mo_password: "sample-mo-password".to_owned(),
            mo_environment: "production".to_owned(),
            card_key: "sample-card-key".to_owned(),
            card_account: "77".to_owned(),
            sale_control_key: "B17F59B4-A7DC-41B4-8FF9-37D986B43D20".to_owned(),
            sale_caller_header: "X-Sample-Signature".to_owned(),
            sale_caller_secret: "sample-caller-secret".to_owned(),
            sale_endpoint: "1111".to_owned(),
            effects_max: 2_000_000,
            calls_max: 6_000_000,
        }
    }
}

impl SimulatorSettings {
    /// For tests: a free port, no latency.
    #[must_use]
    pub fn for_tests(gateway: &str) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            gateway: gateway.trim_end_matches('/').to_owned(),
            latency: Latency { min_ms: 0, max_ms: 0 },
            ..Self::default()
        }
    }
}

/// A uniform span of latencies, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// The shortest, in milliseconds.
    pub min_ms: u64,
    /// The longest, in milliseconds.
    pub max_ms: u64,
}

impl FromStr for Latency {
    type Err = String;

    /// Reads `50..500`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "a latency is written as 50..500, in milliseconds up to 60000".to_owned();
        let (min, max) = text.split_once("..").ok_or_else(wrong)?;
        let min_ms = min.trim().parse().map_err(|_error| wrong())?;
        let max_ms = max.trim().parse().map_err(|_error| wrong())?;
        if min_ms > max_ms || max_ms > 60_000 {
            return Err(wrong());
        }
        Ok(Self { min_ms, max_ms })
    }
}

/// The parts of the planted card's number but its last digit: no file holds it in one piece.
const PLANTED_PARTS: [&str; 5] = ["519", "3642", "07", "418", "559"];

/// The number of the card that apps of tests pay with. Wherever else it turns up, it has leaked.
#[must_use]
pub fn planted_card_number() -> String {
    let most = PLANTED_PARTS.concat();
    let sum = luhn_sum(&format!("{most}0"));
    format!("{most}{}", 10_u32.saturating_sub(sum % 10) % 10)
}

/// The sum of a number's digits, every second one from the right doubled; a card's ends in 0.
pub(crate) fn luhn_sum(number: &str) -> u32 {
    let digits = number.chars().rev().filter_map(|digit| digit.to_digit(10)).enumerate();
    let sums = digits.map(|(place, digit)| match (place % 2, digit) {
        (0, digit) => digit,
        (_, digit @ 0..=4) => digit.saturating_mul(2),
        (_, digit) => digit.saturating_mul(2).saturating_sub(9),
    });
    sums.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_planted_card_has_a_number_that_could_be_one() {
        let number = planted_card_number();
        assert_eq!((number.len(), luhn_sum(&number) % 10), (16, 0));
        assert!((0..16).all(|at| {
            let other = if number.as_bytes()[at] == b'0' { "1" } else { "0" };
            let mut changed = number.clone();
            changed.replace_range(at..=at, other);
            !luhn_sum(&changed).is_multiple_of(10)
        }));
    }

    #[test]
    fn a_latency_is_a_span_with_its_ends_in_order() {
        assert_eq!("50..500".parse(), Ok(Latency { min_ms: 50, max_ms: 500 }));
        assert_eq!("0..0".parse(), Ok(Latency { min_ms: 0, max_ms: 0 }));
        for wrong in ["", "50", "500..50", "a..b", "0..60001", "-1..2"] {
            assert!(wrong.parse::<Latency>().is_err(), "{wrong}");
        }
    }
}
