//! True and false, as other languages write them.

/// The truth of a word: `true` or `1`, `false` or `0`, in any letter case. `None` for anything else:
/// nobody guesses.
#[must_use]
pub fn truth(word: &str) -> Option<bool> {
    match word.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truth_is_taken_in_any_letter_case_and_nothing_is_guessed() {
        for (word, truth_of) in [
            ("true", Some(true)),
            ("True", Some(true)),
            ("TRUE", Some(true)),
            (" tRue ", Some(true)),
            ("1", Some(true)),
            ("False", Some(false)),
            ("0", Some(false)),
            ("", None),
            ("t", None),
            ("yes", None),
            ("2", None),
            ("on", None),
        ] {
            assert_eq!(truth(word), truth_of, "{word}");
        }
    }
}
