//! Numbers of phones and names of accounts. A phone's number has one form, however it is written; an
//! account's name is what its owner calls it, and stays as it came.

/// Digits of an international number without its `+` (E.164); no real one is shorter.
const NUMBER_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// A phone's number in its one form; `None` for what is no number.
///
/// That is the digits, the calling code first, of what was written with `+`, with `00` or bare, with
/// blanks and dashes. A national number (`0821234567`) stays one: nobody says of which country it is.
#[must_use]
pub fn phone_number(text: &str) -> Option<String> {
    let text = text.trim_matches(' ');
    let (is_international, rest) = match text.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let digits: String = rest.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let may_be = |digits: &str| NUMBER_DIGITS.contains(&digits.len());
    let is_whole = |digits: &str| may_be(digits) && !digits.starts_with('0');
    if is_international {
        return is_whole(&digits).then_some(digits);
    }
    match digits.strip_prefix("00") {
        Some(whole) => is_whole(whole).then(|| whole.to_owned()),
        None => may_be(&digits).then_some(digits),
    }
}

/// An identifier of which nobody says whether it is a phone's: a number in its one form, anything else
/// as it came, without the blanks at its ends.
#[must_use]
pub fn kept(text: &str) -> String {
    phone_number(text).unwrap_or_else(|| text.trim_matches(' ').to_owned())
}

/// The first character of a text that nobody sees, by which it would differ from one that looks the
/// same: control and format characters, and blanks other than the usual one.
#[must_use]
pub fn unseen(text: &str) -> Option<char> {
    text.chars().find(|c| c.is_control() || is_unseen(*c) || (c.is_whitespace() && *c != ' '))
}

/// Characters that are there and not seen.
pub(crate) const fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_form_however_it_is_written() {
        for text in [
            "27821234567",
            "+27821234567",
            "0027821234567",
            "+27 82-123 4567",
            "00 27 82 123 4567",
            "27-82-1234567",
            " +27821234567 ",
        ] {
            assert_eq!(phone_number(text).as_deref(), Some("27821234567"), "{text}");
        }
        assert_eq!(phone_number("082 123 4567").as_deref(), Some("0821234567"), "a national one");
        assert_eq!(phone_number("+1234567").as_deref(), Some("1234567"));
    }

    #[test]
    fn what_is_no_number_stays_as_it_came() {
        for text in [
            "AB-12-34 5",
            "1002/33-4",
            "12-34-56",
            "+0821234567",
            "+0027821234567",
            "++27821234567",
            "+271234",
            "000821234567",
            "27821234567 ext 1",
            "1234567890123456",
            "27\u{a0}821234567",
            "٢٧٨٢١٢٣٤٥٦٧",
        ] {
            assert_eq!(phone_number(text), None, "{text}");
            assert_eq!(kept(&format!(" {text} ")), text);
        }
        assert_eq!(kept("+27 82 123 4567"), "27821234567");
    }

    #[test]
    fn what_nobody_sees_is_found() {
        for odd in
            ['\u{0}', '\t', '\u{a0}', '\u{200b}', '\u{202c}', '\u{2060}', '\u{feff}', '\u{ad}']
        {
            assert_eq!(unseen(&format!("2782{odd}1234567")), Some(odd));
        }
        assert_eq!(unseen("AB-12/34 5_é"), None);
    }
}
