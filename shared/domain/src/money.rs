//! Money: integer minor units and an ISO 4217 currency, never a float.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An ISO 4217 currency with its number of minor digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Reads an upper-case ISO 4217 code.
    ///
    /// # Errors
    /// [`MoneyError::UnknownCurrency`] for any other text, lower case included.
    pub fn from_code(code: &str) -> Result<Self, MoneyError> {
        let found = iso_currency::Currency::from_code(code).map(Self);
        match found {
            Some(currency) if currency.0.exponent().is_some() => Ok(currency),
            _ => Err(MoneyError::UnknownCurrency),
        }
    }

    /// The three letters.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Digits after the decimal point: JPY 0, USD 2, KWD 3.
    #[must_use]
    pub fn minor_digits(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(2))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        Self::from_code(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

/// An amount in minor units of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units (cents, fils, yen).
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// An amount in minor units.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The sum, when both have one currency and it fits.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::OutOfRange`].
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::OutOfRange)?;
        Ok(Self::new(minor, self.currency))
    }

    /// Reads a decimal amount of major units (`34`, `0.5`) without any float.
    ///
    /// # Errors
    /// [`MoneyError::Malformed`] for anything but digits and one point,
    /// [`MoneyError::TooPrecise`] for more decimals than the currency has,
    /// [`MoneyError::OutOfRange`] when it does not fit.
    pub fn from_major(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
            return Err(MoneyError::Malformed);
        }
        let places = usize::try_from(currency.minor_digits()).unwrap_or(0);
        let kept = fraction.trim_end_matches('0');
        if kept.len() > places {
            return Err(MoneyError::TooPrecise);
        }
        let minor = format!("{whole}{kept:0<places$}")
            .parse()
            .map_err(|_overflow| MoneyError::OutOfRange)?;
        Ok(Self::new(minor, currency))
    }
}

impl Money {
    /// Sign, whole major units, and all decimals of the currency.
    fn parts(self) -> (&'static str, String, String) {
        let places = usize::try_from(self.currency.minor_digits()).unwrap_or(0);
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits =
            format!("{:0>width$}", self.minor.unsigned_abs(), width = places.saturating_add(1));
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(places));
        (sign, whole.to_owned(), fraction.to_owned())
    }

    /// In major units for people, with all decimals of the currency: `34.50`.
    #[must_use]
    pub fn for_people(self) -> String {
        let (sign, whole, fraction) = self.parts();
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{fraction}")
    }
}

impl fmt::Display for Money {
    /// The shortest decimal in major units: `34`, `34.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, whole, fraction) = self.parts();
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            write!(f, "{sign}{whole}")
        } else {
            write!(f, "{sign}{whole}.{fraction}")
        }
    }
}

/// Why an amount or a currency was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code in upper case.
    #[error("is not an ISO 4217 currency code in upper case")]
    UnknownCurrency,
    /// Two currencies in one sum.
    #[error("has another currency")]
    CurrencyMismatch,
    /// Not a decimal number.
    #[error("is not a decimal amount")]
    Malformed,
    /// More decimals than the currency has.
    #[error("has more decimals than its currency")]
    TooPrecise,
    /// Does not fit into 64 bits.
    #[error("is out of range")]
    OutOfRange,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str, code: &str) -> Result<i64, MoneyError> {
        Money::from_major(text, Currency::from_code(code)?).map(|money| money.minor)
    }

    #[test]
    fn decimals_follow_the_currency_and_never_a_float() {
        assert_eq!(money("0.5", "KWD"), Ok(500));
        assert_eq!(money("34", "USD"), Ok(3400));
        assert_eq!(money("34.50", "USD"), Ok(3450));
        assert_eq!(money("0.10", "JPY"), Err(MoneyError::TooPrecise));
        assert_eq!(money("7", "JPY"), Ok(7));
        assert_eq!(money("1.0000", "USD"), Ok(100));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "1e3", "NaN", "0x1", "1,5", " 1", "\u{0661}"] {
            assert_eq!(money(text, "USD"), Err(MoneyError::Malformed), "{text:?}");
        }
        assert_eq!(money("9223372036854775808", "JPY"), Err(MoneyError::OutOfRange));
        for code in ["kes", "", "XX", "K\u{0415}S", "XXX"] {
            assert_eq!(money("1", code), Err(MoneyError::UnknownCurrency), "{code}");
        }
    }

    #[test]
    fn an_amount_prints_as_the_shortest_decimal() {
        let print =
            |minor, code| Currency::from_code(code).map(|c| Money::new(minor, c).to_string());
        assert_eq!(print(3450, "USD"), Ok("34.5".into()));
        assert_eq!(print(3400, "USD"), Ok("34".into()));
        assert_eq!(print(5, "USD"), Ok("0.05".into()));
        assert_eq!(print(-5, "KWD"), Ok("-0.005".into()));
        assert_eq!(print(7, "JPY"), Ok("7".into()));
    }

    #[test]
    fn people_see_all_decimals_of_the_currency() {
        let print =
            |minor, code| Currency::from_code(code).map(|c| Money::new(minor, c).for_people());
        assert_eq!(print(3400, "USD"), Ok("34.00".into()));
        assert_eq!(print(-5, "KWD"), Ok("-0.005".into()));
        assert_eq!(print(7, "JPY"), Ok("7".into()));
    }
}
