//! Texts of others that are kept: references and codes of banks and suppliers. Goods or money may be
//! out, so a hostile one is cleaned and never a reason to lose the answer that it came in.

use serde::{Deserialize, Deserializer};

/// Characters of a reference that are kept. The documents allow no more; of a longer one the start.
pub const REFERENCE_CHARS_MAX: usize = 64;
/// Characters of a code that are kept.
const CODE_CHARS_MAX: usize = 32;

/// The pattern, in schemas, of a text without control characters.
pub(crate) const PLAIN: &str = "^[^\\x00-\\x1f\\x7f-\\x9f]*$";

/// The start of a text, without control characters: no column takes NUL.
#[must_use]
pub fn plain(text: &str, characters_max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(characters_max).collect()
}

/// Reads an optional reference; an empty one is none.
///
/// # Errors
/// The deserializer's, for anything but a string or null.
pub(crate) fn reference<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    let text = text.map(|text| plain(&text, REFERENCE_CHARS_MAX));
    Ok(text.filter(|text| !text.is_empty()))
}

/// Reads a code.
///
/// # Errors
/// The deserializer's, for anything but a string.
pub(crate) fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(plain(&text, CODE_CHARS_MAX))
}

#[cfg(test)]
mod tests {
    use crate::{BankReply, VendReply};

    #[test]
    fn references_and_codes_of_others_are_kept_without_what_no_column_takes() {
        let long = "r".repeat(500);
        let body = serde_json::json!({
            "responseCode": "00\u{0}00", "supplierRef": format!("a\u{0}b\u{7}{long}"),
            "reserveFundsTxnRef": "\u{0}", "token": "12\u{0}34",
        });
        let vend: VendReply = serde_json::from_value(body.clone()).unwrap();
        assert_eq!(vend.response_code, "0000");
        let kept = vend.supplier_ref.unwrap();
        assert!(kept.starts_with("abr") && kept.chars().count() == 64, "{kept}");
        assert_eq!(vend.token.as_deref(), Some("12\u{0}34"), "a voucher is what it is, sealed");
        let bank: BankReply = serde_json::from_value(body).unwrap();
        assert_eq!(bank.reserve_funds_txn_ref, None);
    }
}
