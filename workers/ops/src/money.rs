//! Money as every command shows it: minor units and currency for programs, and one text, with all
//! decimals of the currency, for people.

use fleet_domain::{Currency, Money};
use fleet_store::AtRisk;
use serde_json::{Value, json};

/// `34.50 ZAR`, `1500 JPY`, `1.500 KWD`.
pub(crate) fn text(money: Money) -> String {
    format!("{} {}", money.for_people(), money.currency)
}

/// Minor units of a currency that the books name.
pub(crate) fn of(minor: i64, code: &str) -> String {
    match Currency::from_code(code) {
        Ok(currency) => text(Money::new(minor, currency)),
        Err(_unknown) => format!("{minor} minor units of {code}"),
    }
}

/// The fields of what is at risk.
pub(crate) fn at_risk(money: Option<Money>) -> Value {
    json!({
        "at_risk": money.map(text), "at_risk_minor": money.map(|money| money.minor),
        "at_risk_currency": money.map(|money| money.currency.code()),
    })
}

/// A cell of what is at risk.
pub(crate) fn at_risk_cell(money: Option<Money>) -> String {
    money.map_or_else(|| "-".to_owned(), text)
}

/// What is at risk in each currency.
pub(crate) fn sums(sums: &[AtRisk]) -> Value {
    let one = |sum: &AtRisk| {
        json!({
            "currency": sum.money.currency.code(), "minor": sum.money.minor,
            "text": text(sum.money), "purchases": sum.purchases,
        })
    };
    sums.iter().map(one).collect()
}

/// One line that says the same; nothing when nothing is at risk.
pub(crate) fn sums_text(sums: &[AtRisk]) -> String {
    let words: Vec<String> = sums
        .iter()
        .map(|sum| format!("{} of {} purchases", text(sum.money), sum.purchases))
        .collect();
    if words.is_empty() { String::new() } else { format!("at risk: {}\n", words.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_the_decimals_of_its_currency_everywhere() {
        for (minor, code, expected) in [
            (3_450, "ZAR", "34.50 ZAR"),
            (1_500, "KWD", "1.500 KWD"),
            (1_500, "JPY", "1500 JPY"),
            (5, "USD", "0.05 USD"),
            (-5, "KWD", "-0.005 KWD"),
        ] {
            let money = Money::new(minor, Currency::from_code(code).unwrap());
            assert_eq!(text(money), expected);
            assert_eq!(of(minor, code), expected);
            assert_eq!(at_risk_cell(Some(money)), expected);
            let fields = at_risk(Some(money));
            assert_eq!(fields["at_risk"], expected);
            assert_eq!(
                (&fields["at_risk_minor"], &fields["at_risk_currency"]),
                (&minor.into(), &code.into())
            );
            let sum = [AtRisk { money, purchases: 2 }];
            assert_eq!(sums(&sum)[0]["text"], expected);
            assert_eq!(sums_text(&sum), format!("at risk: {expected} of 2 purchases\n"));
        }
        assert_eq!(of(7, "XXQ"), "7 minor units of XXQ");
        assert_eq!(sums_text(&[]), "");
    }
}
