//! Card numbers: no field of ours may hold one. Free text is searched for one however it is written;
//! a reference is one only where it is nothing else.

use crate::identifier::is_unseen;

/// Digits of all scripts: the first character, how many follow each other, the first one's value.
#[rustfmt::skip]
const DIGITS: [(u32, u32, u32); 87] = [
    (0x30, 10, 0), (0xb2, 2, 2), (0xb9, 1, 1), (0x660, 10, 0), (0x6f0, 10, 0), (0x7c0, 10, 0),
    (0x966, 10, 0), (0x9e6, 10, 0), (0xa66, 10, 0), (0xae6, 10, 0), (0xb66, 10, 0), (0xbe6, 10, 0),
    (0xc66, 10, 0), (0xce6, 10, 0), (0xd66, 10, 0), (0xde6, 10, 0), (0xe50, 10, 0), (0xed0, 10, 0),
    (0xf20, 10, 0), (0x1040, 10, 0), (0x1090, 10, 0), (0x1369, 9, 1), (0x17e0, 10, 0),
    (0x1810, 10, 0), (0x1946, 10, 0), (0x19d0, 10, 0), (0x19da, 1, 1), (0x1a80, 10, 0),
    (0x1a90, 10, 0), (0x1b50, 10, 0), (0x1bb0, 10, 0), (0x1c40, 10, 0), (0x1c50, 10, 0),
    (0x2070, 1, 0), (0x2074, 6, 4), (0x2080, 10, 0), (0x2460, 9, 1), (0x2474, 9, 1),
    (0x2488, 9, 1), (0x24ea, 1, 0), (0x24f5, 9, 1), (0x24ff, 1, 0), (0x2776, 9, 1), (0x2780, 9, 1),
    (0x278a, 9, 1), (0xa620, 10, 0), (0xa8d0, 10, 0), (0xa900, 10, 0), (0xa9d0, 10, 0),
    (0xa9f0, 10, 0), (0xaa50, 10, 0), (0xabf0, 10, 0), (0xff10, 10, 0), (0x104a0, 10, 0),
    (0x10a40, 4, 1), (0x10d30, 10, 0), (0x10e60, 9, 1), (0x11052, 9, 1), (0x11066, 10, 0),
    (0x110f0, 10, 0), (0x11136, 10, 0), (0x111d0, 10, 0), (0x112f0, 10, 0), (0x11450, 10, 0),
    (0x114d0, 10, 0), (0x11650, 10, 0), (0x116c0, 10, 0), (0x11730, 10, 0), (0x118e0, 10, 0),
    (0x11950, 10, 0), (0x11c50, 10, 0), (0x11d50, 10, 0), (0x11da0, 10, 0), (0x16a60, 10, 0),
    (0x16ac0, 10, 0), (0x16b50, 10, 0), (0x1d7ce, 10, 0), (0x1d7d8, 10, 0), (0x1d7e2, 10, 0),
    (0x1d7ec, 10, 0), (0x1d7f6, 10, 0), (0x1e140, 10, 0), (0x1e2f0, 10, 0), (0x1e950, 10, 0),
    (0x1f100, 1, 0), (0x1f101, 10, 0), (0x1fbf0, 10, 0),
];

/// Issuers' ranges: the first and last beginning of a number (of as many digits), and how many digits
/// the number has.
const ISSUERS: [(u32, u32, usize, usize); 22] = [
    // American Express, UATP
    (34, 34, 15, 15),
    (37, 37, 15, 15),
    // Diners Club
    (300, 305, 14, 19),
    (3095, 3095, 14, 19),
    (36, 36, 14, 19),
    (38, 39, 14, 19),
    // JCB
    (3528, 3589, 16, 19),
    // Visa
    (4, 4, 16, 16),
    (4, 4, 18, 19),
    // Mastercard
    (51, 55, 16, 16),
    (2221, 2720, 16, 16),
    // Maestro, Dankort, RuPay, Verve
    (50, 50, 14, 19),
    (56, 58, 14, 19),
    (60, 60, 14, 19),
    (63, 69, 14, 19),
    // China UnionPay
    (62, 62, 14, 19),
    (81, 82, 16, 19),
    // Discover
    (61, 61, 16, 19),
    // Mir
    (2200, 2204, 16, 19),
    // Uzcard, Troy, Humo
    (8600, 8600, 16, 16),
    (9792, 9792, 16, 16),
    (9860, 9860, 16, 16),
];
/// Digits of a card number.
const LENGTHS: std::ops::RangeInclusive<usize> = 14..=19;
/// How a number is printed on a card: the digits of each group.
const GROUPS: [&[usize]; 4] = [&[4, 4, 4, 4], &[4, 4, 4, 4, 3], &[4, 6, 5], &[4, 6, 4]];

/// True when a free text holds a card number.
///
/// That is, within one run of digits of any script, with blanks, dashes, dots, slashes or invisible
/// characters between them, so many digits of an issuer's range that pass the Luhn check. A UUID is
/// none, whatever its digits are.
#[must_use]
pub fn holds_a_card_number(text: &str) -> bool {
    let mut run = Vec::new();
    let characters: Vec<char> = text.chars().collect();
    let mut at = 0_usize;
    while let Some(rest) = characters.get(at..).filter(|rest| !rest.is_empty()) {
        let (word, more) =
            if uuid_at(rest) { (None, UUID_CHARS) } else { (rest.first().copied(), 1) };
        at = at.saturating_add(more);
        match word {
            Some(c) if digit(c).is_some() => run.extend(digit(c)),
            Some(c) if may_stand_between(c) => {}
            Some(_) | None => {
                if has_card(&run) {
                    return true;
                }
                run.clear();
            }
        }
    }
    has_card(&run)
}

/// True when a reference, a token or an identifier is a card number and nothing else: the digits
/// alone, or in the groups in which they are printed.
#[must_use]
pub fn is_a_card_number(text: &str) -> bool {
    let text = text.trim();
    let groups: Vec<Vec<u32>> = text
        .split([' ', '-'])
        .map(|group| group.chars().map(|c| digit(c).unwrap_or(10)).collect())
        .collect();
    let lengths: Vec<usize> = groups.iter().map(Vec::len).collect();
    let digits: Vec<u32> = groups.concat();
    let is_printed = groups.len() == 1 || GROUPS.contains(&lengths.as_slice());
    is_printed && digits.iter().all(|digit| *digit < 10) && is_card(&digits)
}

const UUID_CHARS: usize = 36;

/// Whether a UUID begins here; of one without a letter nobody can tell.
fn uuid_at(text: &[char]) -> bool {
    let Some(word) = text.get(..UUID_CHARS) else { return false };
    let is_its = |(place, c): (usize, &char)| match place {
        8 | 13 | 18 | 23 => *c == '-',
        _ => c.is_ascii_hexdigit(),
    };
    word.iter().enumerate().all(is_its) && word.iter().any(char::is_ascii_alphabetic)
}

fn digit(c: char) -> Option<u32> {
    let code = u32::from(c);
    let place = DIGITS.partition_point(|(first, _, _)| *first <= code).checked_sub(1)?;
    let (first, count, value) = DIGITS.get(place)?;
    let past = code.saturating_sub(*first);
    (past < *count).then(|| value.saturating_add(past))
}

/// Blanks, dashes, dots, slashes and what nobody sees.
fn may_stand_between(c: char) -> bool {
    let is_dash = matches!(
        c,
        '-' | '_' | '\u{58a}' | '\u{2010}'
            ..='\u{2015}'
                | '\u{2212}'
                | '\u{fe58}'
                | '\u{fe63}'
                | '\u{ff0d}'
                | '\u{2043}'
                | '\u{30fc}'
    );
    let is_dot = matches!(
        c,
        '.' | ','
            | '\u{b7}'
            | '\u{2022}'
            | '\u{2024}'
            | '\u{2027}'
            | '\u{3002}'
            | '\u{30fb}'
            | '\u{ff0e}'
            | '\u{ff61}'
            | '\u{22c5}'
            | '\u{66b}'
            | '\u{66c}'
    );
    let is_slash = matches!(c, '/' | '\\' | '|' | '\u{2044}' | '\u{2215}' | '\u{ff0f}');
    c.is_whitespace() || c.is_control() || is_dash || is_dot || is_slash || is_unseen(c)
}

fn has_card(run: &[u32]) -> bool {
    LENGTHS.clone().any(|length| run.windows(length).any(is_card))
}

fn is_card(digits: &[u32]) -> bool {
    LENGTHS.contains(&digits.len()) && is_issued(digits) && passes_luhn(digits)
}

fn is_issued(digits: &[u32]) -> bool {
    let start = |count: usize| {
        digits.iter().take(count).fold(0_u32, |sum, d| sum.saturating_mul(10).saturating_add(*d))
    };
    ISSUERS.iter().any(|(first, last, shortest, longest)| {
        let places = usize::try_from(first.checked_ilog10().unwrap_or(0)).unwrap_or(0);
        (*first..=*last).contains(&start(places.saturating_add(1)))
            && (*shortest..=*longest).contains(&digits.len())
    })
}

fn passes_luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit.saturating_mul(2)) {
            (0, _) => *digit,
            (_, double) if double > 9 => double.saturating_sub(9),
            (_, double) => double,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Real issuers' test numbers.
    const CARDS: [&str; 9] = [
        "4111111111111111",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "30569309025904",
        "6011111111111117",
        "3530111333300000",
        "6200000000000005",
        "2201382000000013",
    ];

    /// Pseudo-random numbers without a crate for them.
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 11) ^ (self.0 << 23)
        }

        fn uuid(&mut self) -> String {
            let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
            let hex = format!("{bits:032x}");
            let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
            parts.map(|(from, to)| hex.get(from..to).unwrap().to_owned()).join("-")
        }
    }

    #[test]
    fn no_uuid_order_or_meter_number_is_ever_mistaken_for_a_card() {
        let mut numbers = Numbers(7);
        for _ in 0..100_000 {
            let (uuid, number) = (numbers.uuid(), numbers.next());
            assert!(!is_a_card_number(&uuid) && !holds_a_card_number(&uuid), "{uuid}");
            let upper = format!("pay {} now", uuid.to_uppercase());
            assert!(!holds_a_card_number(&upper), "{upper}");
            for reference in [
                format!("order-{number}"),
                format!("{number:019}-{number:019}"),
                format!("INV{:016}", number % 10_000_000_000_000_000),
                format!("{:013}", number % 10_000_000_000_000),
                format!("20261130-{:08}", number % 100_000_000),
                uuid.replace('-', ""),
            ] {
                assert!(!is_a_card_number(&reference), "{reference}");
            }
        }
    }

    #[test]
    fn a_card_number_in_a_free_text_is_found_however_it_is_written() {
        let wide = |c: char| char::from_u32(u32::from(c) - 0x30 + 0xff10).unwrap();
        let arabic = |c: char| char::from_u32(u32::from(c) - 0x30 + 0x660).unwrap();
        for card in CARDS {
            let between = |separator: &str| {
                card.chars().map(|c| format!("{c}{separator}")).collect::<String>()
            };
            let written = [
                card.to_owned(),
                format!("pay with {card}, please"),
                format!("x{card}y"),
                format!("{card}{card}"),
                format!("{card} {card}"),
                format!("00012{card}"),
                card.chars().map(wide).collect(),
                card.chars().map(arabic).collect(),
                between(" "),
                between("-"),
                between("."),
                between("/"),
                between("\u{200b}"),
                between("\u{2013}\u{a0}"),
                between(" \u{feff}. "),
            ];
            for text in written {
                assert!(holds_a_card_number(&text), "{text:?}");
            }
            assert!(is_a_card_number(card), "{card}");
        }
        for text in ["4111 1111 1111 1111", " 4111-1111-1111-1111 ", "3782 822463 10005"] {
            assert!(is_a_card_number(text), "{text}");
        }
    }

    #[test]
    fn other_digits_are_no_card_number() {
        for text in [
            "4111111111111112",
            "96526925482",
            "7111111111111119",
            "41111111111111",
            "2026-11-30T10:00:00.123456Z",
            "192.0.2.1 and 192.0.2.255",
            "Mozilla/5.0 (Linux; Android 14) Chrome/120.0.6099.230 Mobile Safari/537.36",
            "4111a1111b1111c1111",
        ] {
            assert!(!holds_a_card_number(text), "{text}");
            assert!(!is_a_card_number(text), "{text}");
        }
        for reference in ["order 4111111111111111", "4111111111111111-0001", "41111111-11111111"] {
            assert!(!is_a_card_number(reference), "{reference}");
        }
    }
}
