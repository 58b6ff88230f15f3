//! Amounts as operators and card processors write them: decimals in major units.

/// Digits before the point.
const WHOLE_DIGITS_MAX: usize = 12;

fn digits(currency: &str) -> usize {
    let known =
        iso_currency::Currency::from_code(currency).and_then(iso_currency::Currency::exponent);
    known.map_or(2, usize::from)
}

/// The minor units of a positive decimal; none when it is no amount of this currency.
pub(crate) fn minor_units(text: &str, currency: &str) -> Option<i64> {
    let (whole, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (text, ""),
    };
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = whole == "0" || !whole.starts_with('0');
    let fits = (1..=WHOLE_DIGITS_MAX).contains(&whole.len()) && fraction.len() <= digits(currency);
    if !is_number(whole) || !is_number(fraction) || !is_plain || !fits {
        return None;
    }
    let width = digits(currency);
    format!("{whole}{fraction:0<width$}").parse().ok().filter(|minor| *minor > 0)
}

/// The shortest decimal of an amount that is not negative.
pub(crate) fn major_units(minor: i64, currency: &str) -> String {
    let places = digits(currency);
    let width = places.saturating_add(1);
    let padded = format!("{minor:0>width$}");
    let (whole, fraction) =
        padded.split_at_checked(padded.len().saturating_sub(places)).unwrap_or((&padded, ""));
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_as_many_decimals_as_its_currency_at_most() {
        for (text, currency, minor) in [
            ("0.5", "KWD", 500),
            ("0.500", "KWD", 500),
            ("98.01", "USD", 9_801),
            ("2", "USD", 200),
            ("1500", "JPY", 1_500),
        ] {
            assert_eq!(minor_units(text, currency), Some(minor), "{text} {currency}");
        }
        for (text, currency) in [
            ("0.5001", "KWD"),
            ("0.005", "USD"),
            ("1.0", "JPY"),
            ("0", "USD"),
            ("-1", "USD"),
            ("+1", "USD"),
            ("1e3", "USD"),
            ("1.", "USD"),
            (".5", "USD"),
            ("01", "USD"),
            ("", "USD"),
            ("1.2.3", "USD"),
            ("1000000000000", "USD"),
        ] {
            assert_eq!(minor_units(text, currency), None, "{text} {currency}");
        }
    }

    #[test]
    fn an_amount_is_written_as_short_as_can_be() {
        for (minor, currency, text) in [
            (500, "KWD", "0.5"),
            (1, "KWD", "0.001"),
            (9_801, "USD", "98.01"),
            (200, "USD", "2"),
            (1_500, "JPY", "1500"),
        ] {
            assert_eq!(major_units(minor, currency), text);
        }
    }
}
