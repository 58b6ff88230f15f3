//! Buyers, recipients, meters and accounts, as requests name them. A phone's number has one form,
//! whoever writes it; the name of an account is its owner's, and leaves us as it came.

use fleet_domain::{Product, ProductType, phone_number, unseen};

use crate::Rejection;

/// The most bytes of an identifier.
const BYTES_MAX: usize = 32;

/// The pattern, in schemas, of a buyer: a number of a phone, or a name of letters, digits, `_`, blanks
/// and dashes.
pub const IDENTIFIER: &str =
    "^ *(\\+[ -]*[1-9]([ -]*[0-9]){6,14}|[ -]*[A-Za-z0-9_][A-Za-z0-9_ -]*)[ -]*$";
/// The pattern, in schemas, of a target that may be an account.
pub const ACCOUNT: &str = "^ *[!-~][ -~]*$";

/// Whether a target of this product is a phone. One of a type that nobody knows is none.
pub(crate) fn targets_a_phone(product: &Product) -> bool {
    ProductType::from_name(&product.product_type).is_some_and(ProductType::targets_a_phone)
}

/// A buyer as it is kept, compared and sent: a phone's number in its one form, another name as it came.
///
/// # Errors
/// [`Rejection`] that names the field.
pub fn source_of(field: &str, text: &str) -> Result<String, Rejection> {
    let name = account_of(field, text)?;
    if let Some(number) = phone_number(&name) {
        return Ok(number);
    }
    if name.starts_with('+') {
        let problem = "must be a number of 7 to 15 digits behind +, the calling code first";
        return Err(Rejection::field(field, problem));
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | '-');
    if !name.chars().all(is_allowed) || name.chars().all(|c| matches!(c, ' ' | '-')) {
        return Err(Rejection::field(field, "must be 1 to 32 letters or digits"));
    }
    Ok(name)
}

/// What a purchase is for, as it is kept, compared and sent: of a product for phones as a buyer,
/// else the name of an account as it came.
///
/// # Errors
/// [`Rejection`] that names the field.
pub fn target_of(field: &str, text: &str, product: &Product) -> Result<String, Rejection> {
    if targets_a_phone(product) { source_of(field, text) } else { account_of(field, text) }
}

/// The name of an account as it came, without the blanks at its ends.
pub(crate) fn account_of(field: &str, text: &str) -> Result<String, Rejection> {
    check_unseen(field, text)?;
    let name = text.trim_matches(' ');
    let is_visible = name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if name.is_empty() || text.len() > BYTES_MAX || !is_visible {
        return Err(Rejection::field(field, "must be 1 to 32 letters, digits or signs of ASCII"));
    }
    Ok(name.to_owned())
}

/// Refuses what would tell two texts apart that look the same.
///
/// # Errors
/// [`Rejection`] that names the field and the character.
pub fn check_unseen(field: &str, text: &str) -> Result<(), Rejection> {
    let Some(character) = unseen(text) else { return Ok(()) };
    let code = u32::from(character);
    let problem = format!("holds a character that nobody sees (U+{code:04X}): take it out");
    Err(Rejection::field(field, &problem))
}
