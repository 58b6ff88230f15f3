//! What may not stand in a log: warnings that the test did not expect, and anything private.

use serde_json::Value;

/// Keys and passwords of the sample set-up: none may ever be logged.
const SECRETS: [&str; 14] = [
    "sample-key-1001",
    "sample-key-1002",
    "sample-signature-1002",
    "sample-callback-secret",
    "sample-bank-secret",
    "sample-wallet-key",
    "sample-wallet-password",
    "sample-supplier-secret",
    "sample-supplier-key",
    "sample-sms-secret",
    "sample-mail-password",
    "PRIVATE KEY",
    "sample-desk-key",
    "0707070707070707",
];
/// Findings that are told at once.
const TOLD_MAX: usize = 20;

/// What says nothing about a program's faults: how loaded the machine is, and that a task waits for a
/// person, which each test looks for in the table.
const EXPECTED: [&str; 2] = ["time to acquire exceeded slow threshold", "\"a task is parked\""];

/// Everything wrong in one log.
pub(super) fn findings(
    name: &str,
    log: &str,
    allowed: &[String],
    private: &[String],
) -> Vec<String> {
    let mut found = Vec::new();
    for line in log.lines() {
        let secret = SECRETS.iter().any(|secret| line.contains(secret));
        if secret || private.iter().any(|text| line.contains(text.as_str())) || voucher(line) {
            found.push(format!("{name} logs something private: {line}"));
        }
        let parsed: Value = serde_json::from_str(line).unwrap_or_default();
        // What is no JSON is the last word of a program that ends.
        let quiet = matches!(parsed["level"].as_str(), Some("INFO" | "DEBUG" | "TRACE"))
            || EXPECTED.iter().any(|text| line.contains(text))
            || line.is_empty();
        if !quiet && !allowed.iter().any(|text| line.contains(text.as_str())) {
            found.push(format!("{name}: {line}"));
        }
        if found.len() >= TOLD_MAX {
            break;
        }
    }
    found
}

/// Five groups of four digits, as the simulator's vouchers are written; an id is longer at its ends.
fn voucher(line: &str) -> bool {
    let alone = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let bytes = line.as_bytes();
    bytes.windows(24).enumerate().any(|(at, window)| {
        let groups = window.iter().enumerate().all(|(place, byte)| match place % 5 {
            4 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        groups && alone(before) && alone(bytes.get(at.saturating_add(24)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str, allowed: &str) -> usize {
        findings("a", line, &[allowed.to_owned()], &["27820001234".to_owned()]).len()
    }

    #[test]
    fn a_warning_is_found_unless_it_is_allowed() {
        assert_eq!(found(r#"{"level":"WARN","message":"lost"}"#, "nothing"), 1);
        assert_eq!(found(r#"{"level":"WARN","message":"lost"}"#, "lost"), 0);
        assert_eq!(found(r#"{"level":"INFO","message":"fine"}"#, "nothing"), 0);
        assert_eq!(found(r#"{"level":"WARN","message":"a task is parked"}"#, "nothing"), 0);
        assert_eq!(found("thread panicked", "nothing"), 1);
    }

    #[test]
    fn something_private_is_found_whatever_is_allowed() {
        assert_eq!(found(r#"{"level":"INFO","to":"27820001234"}"#, "level"), 1);
        assert_eq!(found(r#"{"level":"INFO","t":"1234-5678-9012-3456-7890"}"#, "level"), 1);
        assert_eq!(found(r#"{"level":"INFO","key":"sample-desk-key"}"#, "level"), 1);
        assert_eq!(
            found(r#"{"level":"INFO","id":"01991234-5678-7012-8456-789012345678"}"#, "level"),
            0,
            "an id is no voucher"
        );
    }
}
