//! Numbers as they stand in a document. They are digits and never floats: no digit gets lost.

/// Places that a number with an exponent may have once it is written out.
const PLACES_MAX: usize = 64;

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether it is a number in anybody's spelling: some write it with zeros in front.
pub(super) fn is_one(text: &str) -> bool {
    let is_part =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    text.starts_with(|c: char| c.is_ascii_digit() || c == '-') && text.bytes().all(is_part)
}

/// A number without its exponent: `1.5E7` is `15000000`. `None` for a negative one, and for what is no
/// number or has too many places.
pub(super) fn decimal(text: &str) -> Option<String> {
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let exponent: i32 = exponent.parse().ok()?;
    if exponent == 0 {
        return Some(digits.to_owned());
    }
    let places =
        usize::try_from(exponent.unsigned_abs()).ok().filter(|most| *most <= PLACES_MAX)?;
    let (whole, fraction) = if exponent > 0 {
        let fraction = format!("{fraction:0<places$}");
        let (moved, left) = fraction.split_at(places);
        (format!("{whole}{moved}"), left.to_owned())
    } else {
        let whole = format!("{whole:0>places$}");
        let (left, moved) = whole.split_at(whole.len().saturating_sub(places));
        (left.to_owned(), format!("{moved}{fraction}"))
    };
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{whole}{point}{fraction}"))
}

/// The digits of a whole number, however it is written; `None` for any other.
pub(super) fn whole(text: &str) -> Option<String> {
    if is_digits(text) {
        return Some(text.to_owned());
    }
    let decimal = decimal(text)?;
    let (whole, fraction) = decimal.split_once('.').unwrap_or((&decimal, ""));
    fraction.bytes().all(|byte| byte == b'0').then(|| whole.to_owned())
}

/// A number as a value: itself where nothing of it is lost, else its characters.
pub(super) fn value(text: &str) -> serde_json::Value {
    let number: Option<serde_json::Number> = serde_json::from_str(text).ok();
    let exact = number.filter(|number| number.to_string() == text);
    exact.map_or_else(|| text.into(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_out_to_its_last_digit_and_never_rounded() {
        for (sent, written) in [
            ("15", "15"),
            ("15.50", "15.50"),
            ("1.0E7", "10000000"),
            ("9.6526925482E10", "96526925482"),
            ("1.55e+1", "15.5"),
            ("5e-1", "0.5"),
            ("1234E-2", "12.34"),
            ("120e-1", "12"),
            ("0012", "0012"),
        ] {
            assert_eq!(decimal(sent).as_deref(), Some(written), "{sent}");
        }
        for none in ["-5", "1e999", "1e", "e5", "1.", ".5", "1-2", "1e5e5", "+1", "1e2147483648"] {
            assert_eq!(decimal(none), None, "{none}");
        }
        for (sent, digits) in
            [("12.0", Some("12")), ("9.87E2", Some("987")), ("0012", Some("0012")), ("12.5", None)]
        {
            assert_eq!(whole(sent).as_deref(), digits, "{sent}");
        }
    }

    #[test]
    fn what_a_value_would_lose_is_kept_as_text() {
        for (sent, value_of) in
            [("7", "7"), ("0015", "\"0015\""), ("1.10", "\"1.10\""), ("-2", "-2")]
        {
            assert_eq!(value(sent).to_string(), value_of, "{sent}");
        }
        let long = "1".repeat(40);
        assert_eq!(value(&long), long.as_str());
    }
}
