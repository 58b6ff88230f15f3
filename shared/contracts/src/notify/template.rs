//! Texts with placeholders. Each is replaced once, by a plain text: a template engine would bring
//! loops and escapes that nobody needs here, and a voucher that looks like a placeholder stays what
//! it is.

use fleet_domain::{Money, NotifyEvent, Purchase, holds_a_card_number};

use crate::{Outcome, plain};

/// The most characters of a client's template.
const TEMPLATE_CHARS_MAX: usize = 600;
/// The most characters that one placeholder becomes.
const VALUE_CHARS_MAX: usize = 600;

/// The texts of clients without their own.
const FAILED: &str = "Your purchase of {{product}} for {{amount}} {{currency}} was not completed: \
                      {{reason}}. Reference {{raasTxnRef}}";
const WITH_VOUCHER: &str = "{{product}} for {{amount}} {{currency}}: your voucher is {{voucher}}. \
                            Reference {{raasTxnRef}}";
const WITHOUT_VOUCHER: &str =
    "{{product}} for {{amount}} {{currency}} is yours. Reference {{raasTxnRef}}";

/// What may stand in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Product,
    Amount,
    Currency,
    Voucher,
    RaasTxnRef,
    ClientTxnRef,
    Reason,
}

impl Placeholder {
    const ALL: [(&'static str, Self); 7] = [
        ("product", Self::Product),
        ("amount", Self::Amount),
        ("currency", Self::Currency),
        ("voucher", Self::Voucher),
        ("raasTxnRef", Self::RaasTxnRef),
        ("clientTxnRef", Self::ClientTxnRef),
        ("reason", Self::Reason),
    ];

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, found)| found)
    }

    /// Whether an event has such a value.
    fn belongs_to(self, event: NotifyEvent) -> bool {
        match self {
            Self::Voucher => event == NotifyEvent::RecipientSuccess,
            Self::Reason => event == NotifyEvent::BuyerFailed,
            Self::Product
            | Self::Amount
            | Self::Currency
            | Self::RaasTxnRef
            | Self::ClientTxnRef => true,
        }
    }
}

/// A template's text, piece by piece: plain text and what stands between `{{` and `}}`.
fn pieces(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some((before, after)) = text.split_once("{{") else { return Some((text, None)) };
        match after.split_once("}}") {
            Some((name, after)) => {
                rest = Some(after);
                Some((before, Some(name.trim())))
            }
            None => Some((before, Some(""))),
        }
    })
}

/// Whether a text may be a client's template of an event.
///
/// # Errors
/// What is wrong with it, for the operator.
pub fn check_template(event: NotifyEvent, text: &str) -> Result<(), String> {
    if text.trim().is_empty() || text.chars().count() > TEMPLATE_CHARS_MAX {
        return Err(format!("text must be 1 to {TEMPLATE_CHARS_MAX} characters"));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err("text has control characters".to_owned());
    }
    if holds_a_card_number(text) {
        return Err("text looks like it holds a card number".to_owned());
    }
    for name in pieces(text).filter_map(|(_, name)| name) {
        match Placeholder::from_name(name) {
            Some(found) if found.belongs_to(event) => {}
            Some(_) => return Err(format!("{{{{{name}}}}} has no value in {}", event.name())),
            None => {
                let known = Placeholder::ALL.map(|(name, _)| name).join(", ");
                return Err(format!("{{{{{name}}}}} is not one of {known}"));
            }
        }
    }
    Ok(())
}

/// The text of an event: the client's own template, or the default one. A template that shows the
/// voucher is for goods that have one.
pub(super) fn render(
    own: Option<&str>,
    event: NotifyEvent,
    purchase: &Purchase,
    product: &str,
    outcome: &Outcome,
) -> String {
    let order = &purchase.order;
    let usual = match event {
        NotifyEvent::BuyerFailed => FAILED,
        NotifyEvent::RecipientSuccess if outcome.voucher.is_some() => WITH_VOUCHER,
        NotifyEvent::RecipientSuccess => WITHOUT_VOUCHER,
    };
    let shows_voucher = |text: &str| pieces(text).any(|(_, name)| name == Some("voucher"));
    let own = own.filter(|own| outcome.voucher.is_some() || !shows_voucher(own));
    let template = own.unwrap_or(usual);
    let value = |placeholder| match placeholder {
        Placeholder::Product => product.to_owned(),
        Placeholder::Amount => Money::new(order.purchase_amount, order.currency).for_people(),
        Placeholder::Currency => order.currency.code().to_owned(),
        Placeholder::Voucher => {
            let voucher = outcome.voucher.as_ref();
            voucher.map(|voucher| voucher.expose().to_owned()).unwrap_or_default()
        }
        Placeholder::RaasTxnRef => order.id.to_string(),
        Placeholder::ClientTxnRef => order.client_txn_ref.clone(),
        Placeholder::Reason => reason(&outcome.code).to_owned(),
    };
    let mut text = String::new();
    for (before, name) in pieces(template) {
        text.push_str(before);
        if let Some(placeholder) = name.and_then(Placeholder::from_name) {
            text.push_str(&plain(&on_one_line(&value(placeholder)), VALUE_CHARS_MAX));
        }
    }
    text
}

/// The lines of a value one after the other: a supplier may put several tokens into one voucher, and
/// run together they would be none.
fn on_one_line(value: &str) -> String {
    let ends = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let lines = value.split(ends).map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(", ")
}

/// Why a purchase failed, for its buyer.
fn reason(code: &str) -> &'static str {
    match code {
        "2010" => "there was not enough money",
        "2020" => "the payment was not authorised",
        "2030" | "2080" => "the account cannot be used",
        "2060" | "2239" => "it took too long",
        "2070" => "the number is blocked",
        "2210" | "2213" | "2214" => "the number cannot receive it",
        "2225" | "2242" => "there were too many purchases",
        _ => "it is not available at the moment",
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use fleet_domain::{
        ClientId, Currency, FundingType, Order, OrderDetails, Private, ProductId, Progress,
        PurchaseId, ReserveState, Scenario,
    };

    use super::*;

    const EVENTS: [NotifyEvent; 2] = [NotifyEvent::BuyerFailed, NotifyEvent::RecipientSuccess];

    fn purchase() -> Purchase {
        let order = Order {
            id: PurchaseId(uuid::Uuid::from_u128(7)),
            client: ClientId(1001),
            client_txn_ref: "order-1".to_owned(),
            scenario: Scenario::WeReserve,
            funding: FundingType::Bank,
            funding_source: "bank".to_owned(),
            product: ProductId(101),
            supplier: "supplier".to_owned(),
            currency: Currency::from_code("KWD").unwrap(),
            purchase_amount: 1_500,
            fee_amount: 50,
            client_reservation: None,
            source: Private::new("27821234567"),
            target: Private::new("27821234568"),
            account: None,
            channel_id: 7,
            details: OrderDetails::default(),
            start_by: DateTime::UNIX_EPOCH,
        };
        Purchase { order, progress: Progress::new(ReserveState::Pending, DateTime::UNIX_EPOCH) }
    }

    fn outcome(code: &str, voucher: Option<&str>) -> Outcome {
        Outcome { voucher: voucher.map(Private::new), ..Outcome::failed(code) }
    }

    fn rendered(own: &str, event: NotifyEvent, outcome: &Outcome) -> String {
        assert_eq!(check_template(event, own), Ok(()));
        render(Some(own), event, &purchase(), "Airtime", outcome)
    }

    #[test]
    fn every_placeholder_becomes_its_value() {
        let own =
            "{{product}} {{ amount }}{{currency}}: {{voucher}} ({{clientTxnRef}})\n{{raasTxnRef}}!";
        let text = rendered(own, NotifyEvent::RecipientSuccess, &outcome("0000", Some("12-34")));
        let id = "00000000-0000-0000-0000-000000000007";
        assert_eq!(text, format!("Airtime 1.500KWD: 12-34 (order-1)\n{id}!"));
        let text = rendered("No: {{reason}}.", NotifyEvent::BuyerFailed, &outcome("2010", None));
        assert_eq!(text, "No: there was not enough money.");
    }

    #[test]
    fn a_value_is_never_read_as_a_template_and_brings_no_control_characters() {
        let hostile = outcome("0000", Some("{{reason}}\u{0}\r\n{{voucher}}"));
        let text = rendered("<{{voucher}}>", NotifyEvent::RecipientSuccess, &hostile);
        assert_eq!(text, "<{{reason}}, {{voucher}}>");
        let long = outcome("0000", Some(&"9".repeat(70_000)));
        let text = rendered("{{voucher}}", NotifyEvent::RecipientSuccess, &long);
        assert_eq!(text.len(), VALUE_CHARS_MAX);
    }

    #[test]
    fn every_line_of_a_voucher_stays_apart() {
        let [first, second] = ["11112222333344445555", "66667777888899990000"];
        for between in ["\n", "\r\n", "\t", " \n\n ", "\u{2028}", "\u{85}", "\u{0}"] {
            let outcome = outcome("0000", Some(&format!("{first}{between}{second}\n")));
            let text = rendered("<{{voucher}}>", NotifyEvent::RecipientSuccess, &outcome);
            assert_eq!(text, format!("<{first}, {second}>"), "{between:?}");
        }
    }

    #[test]
    fn a_template_that_shows_the_voucher_is_for_goods_that_have_one() {
        let event = NotifyEvent::RecipientSuccess;
        let without = outcome("0000", None);
        let text = rendered("{{voucher}} is yours", event, &without);
        assert_eq!(text, render(None, event, &purchase(), "Airtime", &without));
        assert_eq!(rendered("{{product}} is yours", event, &without), "Airtime is yours");
    }

    #[test]
    fn what_is_no_template_is_refused_with_the_reason() {
        let long = "x".repeat(601);
        for (text, problem) in [
            ("", "text must be 1 to 600 characters"),
            (long.as_str(), "text must be 1 to 600 characters"),
            ("a\u{7}", "text has control characters"),
            ("4111 1111 1111 1111", "text looks like it holds a card number"),
            ("{{msisdn}}", "{{msisdn}} is not one of product, amount, currency, voucher"),
            ("{{product", "{{}} is not one of"),
            ("{{}}", "{{}} is not one of"),
            ("{{reason}}", "{{reason}} has no value in recipient_success"),
        ] {
            let told = check_template(NotifyEvent::RecipientSuccess, text).unwrap_err();
            assert!(told.starts_with(problem), "{told}");
        }
        let told = check_template(NotifyEvent::BuyerFailed, "{{voucher}}").unwrap_err();
        assert_eq!(told, "{{voucher}} has no value in buyer_failed");
    }

    #[test]
    fn the_default_texts_are_templates_and_leave_no_placeholder() {
        for event in EVENTS {
            for voucher in [None, Some("12-34")] {
                let outcome = outcome("2213", voucher);
                let text = render(None, event, &purchase(), "Airtime", &outcome);
                assert!(text.contains("Airtime for 1.500 KWD"), "{text}");
                assert!(!text.contains("{{") && !text.contains("  "), "{text}");
                let told = text.contains("12-34");
                assert_eq!(told, voucher.is_some() && event == NotifyEvent::RecipientSuccess);
            }
        }
        check_template(NotifyEvent::BuyerFailed, FAILED).unwrap();
        check_template(NotifyEvent::RecipientSuccess, WITH_VOUCHER).unwrap();
        check_template(NotifyEvent::RecipientSuccess, WITHOUT_VOUCHER).unwrap();
    }
}
