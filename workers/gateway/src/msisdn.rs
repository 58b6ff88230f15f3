//! A number as a client writes it, in the form in which prefixes and ported numbers are kept.

use fleet_domain::{NUMBER_DIGITS_MAX, Numbering};
use phonenumber::country::Id;
use phonenumber::metadata::DATABASE;
use phonenumber::{Metadata, Mode, PhoneNumber};

/// Longer texts are no numbers; the parser sees shorter ones only.
const CHARS_MAX: usize = 32;
/// E.164 has no shorter ones with the calling code.
const DIGITS_MIN: usize = 7;

/// The digits of a number, the calling code first; `None` when it is none of that calling code.
///
/// It must be as long as numbers of subscribers there may be. What the metadata thinks of its first
/// digits does not count: it lags behind the operators.
pub(crate) fn normalise(numbering: &Numbering, text: &str, calling_code: i32) -> Option<String> {
    if text.len() > CHARS_MAX {
        return None;
    }
    let mut countries = numbering.countries.values().filter(|c| c.calling_code == calling_code);
    let country: Option<Id> = countries.next()?.code.parse().ok();
    let text = text.trim();
    let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.')).collect();
    let (international, digits) = match bare.strip_prefix('+').or_else(|| bare.strip_prefix("00")) {
        Some(digits) => (true, digits),
        None => (false, bare.as_str()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = if international || digits.starts_with(&calling_code.to_string()) {
        phonenumber::parse(None, format!("+{digits}"))
    } else {
        phonenumber::parse(Some(country?), digits)
    };
    let number = e164(&number.ok()?);
    let national = number.strip_prefix(&calling_code.to_string())?;
    let is_number = (DIGITS_MIN..=NUMBER_DIGITS_MAX).contains(&number.len());
    (is_number && is_possible_length(calling_code, national.len())).then_some(number)
}

/// Whether a subscriber's number of a calling code may have so many digits behind it. Numbers of
/// services, which may be longer, are nobody's; and of a code that the metadata does not know anything
/// may be.
fn is_possible_length(calling_code: i32, digits: usize) -> bool {
    let code = u16::try_from(calling_code).ok();
    let Some(countries) = code.and_then(|code| DATABASE.by_code(&code)) else { return true };
    let of_subscribers = |metadata: &&Metadata| {
        let all = metadata.descriptors();
        [all.mobile(), all.fixed_line()].into_iter().flatten().any(|kind| {
            // What is not told of a kind is as of all.
            let own = kind.possible_length();
            let lengths = if own.is_empty() { all.general().possible_length() } else { own };
            lengths.iter().any(|length| usize::from(*length) == digits)
        })
    };
    countries.iter().any(of_subscribers)
}

fn e164(number: &PhoneNumber) -> String {
    let text = number.format().mode(Mode::E164).to_string();
    text.strip_prefix('+').unwrap_or(&text).to_owned()
}

/// The parser compiles a country's rules when they are used first: better before a client waits.
pub(crate) fn warm_up(numbering: &Numbering) {
    for country in numbering.countries.values() {
        drop(normalise(
            numbering,
            &format!("+{}1234567", country.calling_code),
            country.calling_code,
        ));
    }
}

#[cfg(test)]
mod tests {
    use fleet_domain::Country;
    use proptest::prelude::*;

    use super::*;

    fn numbering() -> Numbering {
        let mut numbering = Numbering::default();
        for (code, calling_code) in [("ZA", 27), ("KW", 965), ("IT", 39), ("US", 1)] {
            let name = code.to_owned();
            let country = Country { code: name.clone(), name, calling_code };
            numbering.countries.insert(code.to_owned(), country);
        }
        numbering
    }

    #[test]
    fn a_number_has_one_form_however_it_is_written() {
        let numbering = numbering();
        for text in
            ["27821234567", "+27821234567", "0027821234567", "0821234567", "+27 82-123 4567"]
        {
            let digits = normalise(&numbering, text, 27);
            assert_eq!(digits.as_deref(), Some("27821234567"), "{text}");
        }
        let kuwait = normalise(&numbering, "96526925482", 965);
        assert_eq!(kuwait.as_deref(), Some("96526925482"), "whatever the metadata says");
        let kuwait = normalise(&numbering, "26925482", 965);
        assert_eq!(kuwait.as_deref(), Some("96526925482"));
        let italy = normalise(&numbering, "+390612345678", 39);
        assert_eq!(italy.as_deref(), Some("390612345678"), "a zero that belongs to the number");
    }

    #[test]
    fn what_is_no_number_of_the_country_is_refused() {
        let numbering = numbering();
        for (text, code) in [
            ("+27821234567", 1),
            ("27821234567", 49),
            ("27821234567", 0),
            ("27821234567", -27),
            ("", 27),
            ("27", 27),
            ("+", 27),
            ("+27x21234567", 27),
            ("2782123456789012345", 27),
            ("278212345678", 27),
            ("+2782123456789", 27),
            ("08212345678", 27),
            ("9652692548", 965),
            ("965269254821", 965),
            ("+1202555012", 1),
            ("+120255501234", 1),
            ("2348031234567", 27),
            ("96526925482", 27),
            ("27821234567", 965),
            ("٢٧٨٢١٢٣٤٥٦٧", 27),
            ("tel:+27821234567;ext=1", 27),
        ] {
            assert_eq!(normalise(&numbering, text, code), None, "{text} {code}");
        }
        assert_eq!(normalise(&numbering, &"2".repeat(5_000), 27), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail(text in "\\PC{0,40}", digits in "[+0-9 ().-]{0,32}", code: i32) {
            let numbering = numbering();
            for text in [&text, &digits] {
                for code in [code, 27, 1, 39, 965] {
                    if let Some(number) = normalise(&numbering, text, code) {
                        prop_assert!(number.bytes().all(|byte| byte.is_ascii_digit()));
                        prop_assert!(number.len() <= NUMBER_DIGITS_MAX);
                    }
                }
            }
        }
    }
}
