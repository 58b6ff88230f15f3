//! Texts of others that are kept: references and codes of banks and suppliers. Goods or money may be
//! out, so a hostile one is cleaned and never a reason to lose the answer that it came in.

/// Characters of a reference that are kept. The documents allow no more; of a longer one the start.
pub const REFERENCE_CHARS_MAX: usize = 64;

/// The pattern, in schemas, of a text without control characters.
pub(crate) const PLAIN: &str = "^[^\\x00-\\x1f\\x7f-\\x9f]*$";

/// The start of a text, without control characters: no column takes NUL.
#[must_use]
pub fn plain(text: &str, characters_max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(characters_max).collect()
}
