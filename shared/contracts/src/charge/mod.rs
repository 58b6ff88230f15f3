//! Sources that take the money once the buyer agrees, and tell so without a signature: an operator's
//! SMS charge and a card payment's page.

mod card;
mod mo;

use fleet_domain::Money;

pub use card::{
    CardCompletion, CardPage, CardPayment, CardPaymentUrl, CardTold, CardTransaction,
    PAYMENT_PAGE_BYTES_MAX, payment_page,
};
pub use mo::{
    ChargeCheck, ChargeReply, Checked, MoNotification, MoNotificationBody, MoStatus, charge_query,
    check_query,
};

/// The word of facts that an operator's SMS charge tells.
pub const MO_FACT: &str = "mo_charge";
/// The word of facts that a card payment's page tells.
pub const CARD_FACT: &str = "card_payment";
/// What such a fact says when the buyer was charged.
pub const MO_CHARGED: &str = "CHARGED";
/// What such a fact says when the buyer paid.
pub const CARD_PAID: &str = "success";
/// What such a fact says when the buyer did not pay.
pub const CARD_NOT_PAID: &str = "failed";

/// The most bytes of a notification: far more than a document's.
pub const NOTIFICATION_BYTES_MAX: usize = 16_384;

/// What a notification or an answer says of a payment that is not the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} differs")]
pub struct Differs {
    /// The field in the sender's spelling.
    pub field: &'static str,
}

/// The first field that is not as it was asked for.
fn compare(fields: &[(&'static str, bool)]) -> Result<(), Differs> {
    let other = fields.iter().find(|(_, same)| !same);
    other.map_or(Ok(()), |(field, _)| Err(Differs { field }))
}

/// Whether an amount of major units is this money.
fn is_amount(sent: Option<&str>, money: Money) -> bool {
    sent.is_some_and(|text| Money::from_major(text, money.currency) == Ok(money))
}

/// An amount in the form that all ways of writing it have in common; empty when there is none.
pub(crate) fn alike(sent: Option<&str>) -> String {
    let text = sent.unwrap_or_default();
    let is_decimal = text.contains('.') && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !is_decimal {
        return text.to_owned();
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use fleet_domain::{Currency, Money};
    use serde_json::{Value, json};

    use super::*;
    use crate::{Rejection, Told};

    const CHARGED: &str = include_str!("../../../../tests/golden/documents/mo_charged.json");
    const EXPIRED: &str = include_str!("../../../../tests/golden/documents/mo_pin_expired.json");
    const USED: &str = include_str!("../../../../tests/golden/documents/mo_pin_used.json");
    const NOT_FOUND: &str =
        include_str!("../../../../tests/golden/documents/mo_pin_not_found.json");

    fn read(text: &str) -> MoNotification {
        MoNotification::from_bytes(text.as_bytes(), None).unwrap()
    }

    #[test]
    fn the_documents_notifications_are_read() {
        let charged = read(CHARGED);
        assert_eq!(charged.status, MoStatus::Charged);
        assert_eq!(charged.correlator, "555666777888999000");
        assert_eq!(charged.transaction_id, "1910173");
        assert_eq!(read(EXPIRED).status, MoStatus::PinExpired);
        assert_eq!(read(USED).status, MoStatus::PinUsed);
        let lost = read(NOT_FOUND);
        assert_eq!((lost.status, lost.correlator.as_str()), (MoStatus::PinNotFound, ""));
        assert_eq!(lost.pin.expose(), "11111111");
        assert!(!format!("{lost:?}").contains("1111"), "{lost:?}");
    }

    #[test]
    fn what_is_no_notification_is_refused_with_its_field() {
        let change = |change: &dyn Fn(&mut Value)| {
            let mut value: Value = serde_json::from_str(CHARGED).unwrap();
            change(&mut value);
            MoNotification::from_bytes(value.to_string().as_bytes(), None).map(|told| told.status)
        };
        let field = |result: Result<MoStatus, Rejection>| result.unwrap_err().field.unwrap();
        assert_eq!(field(change(&|v| v["error"] = v["success"].clone())), "body");
        assert_eq!(field(change(&|v| v["success"] = Value::Null)), "body");
        assert_eq!(change(&|v| v["error"] = json!([])), Ok(MoStatus::Charged));
        assert_eq!(field(change(&|v| v["error"] = json!([1]))), "error");
        assert_eq!(field(change(&|v| v["success"]["type"] = "sms".into())), "type");
        assert_eq!(field(change(&|v| v["success"]["msisdn"] = Value::Null)), "success.msisdn");
        let id = |v: &mut Value| v["success"]["transaction"]["transaction_id"] = Value::Null;
        assert_eq!(field(change(&id)), "transaction.transaction_id");
        // A success of another word is kept, for a person.
        let other = |v: &mut Value| v["success"]["transaction"]["status"] = "DONE".into();
        assert_eq!(change(&other), Ok(MoStatus::Unclear));
        let long = vec![b' '; NOTIFICATION_BYTES_MAX + 1];
        assert!(MoNotification::from_bytes(&long, None).is_err());
    }

    #[test]
    fn a_notification_means_the_same_whatever_its_form_and_time_and_another_with_any_other_content()
    {
        let meaning = |change: &dyn Fn(&mut Value)| {
            let mut value: Value = serde_json::from_str(CHARGED).unwrap();
            value["success"]["amount"] = "0.5".into();
            change(&mut value);
            MoNotification::from_bytes(value.to_string().as_bytes(), None).unwrap().meaning()
        };
        let told = meaning(&|_| {});
        let time = |v: &mut Value| v["success"]["transaction"]["timestamp"] = "later".into();
        let same: [&dyn Fn(&mut Value); 6] = [
            &time,
            &|v| v["success"]["amount"] = json!(0.5),
            &|v| v["success"]["amount"] = "0.500".into(),
            &|v| v["success"]["operator"] = "another".into(),
            &|v| v["success"]["msisdn"] = "+965 26925482".into(),
            &|v| v["success"]["msisdn"] = "0096526925482".into(),
        ];
        for change in same {
            assert_eq!(meaning(change), told);
        }
        let correlator = |v: &mut Value| v["success"]["correlator"] = Value::Null;
        assert_ne!(
            meaning(&correlator),
            meaning(&|v| {
                correlator(v);
                time(v);
            })
        );
        for (field, value) in [
            ("merchant", json!("partner:another")),
            ("campaign", json!("campaign:00")),
            ("environment", json!("another")),
            ("msisdn", json!("27000000000")),
            ("currency", json!("kwd")),
            ("currency", json!("")),
            ("amount", Value::Null),
            ("amount", json!("0.51")),
            ("amount", json!("500")),
            ("amount", json!("5000")),
        ] {
            let other = meaning(&|v| v["success"][field] = value.clone());
            assert_ne!(other, told, "{field} {value}");
        }
    }

    #[test]
    fn an_amount_may_be_text_or_number_and_is_never_rounded() {
        let money = |minor, code| Money::new(minor, Currency::from_code(code).unwrap());
        let major = |sent: &str| {
            let told = Told::from_bytes(format!("{{\"amount\":{sent}}}").as_bytes()).unwrap();
            told.major("amount").unwrap()
        };
        for (sent, money) in [
            ("\"0.5\"", money(500, "KWD")),
            ("0.5", money(500, "KWD")),
            ("\"0.500\"", money(500, "KWD")),
            ("34", money(3_400, "USD")),
            ("7", money(7, "JPY")),
        ] {
            assert!(is_amount(major(sent).as_deref(), money), "{sent}");
        }
        for sent in ["\"0.5001\"", "0.501", "\"5e-1\"", "-0.5", "null", "[0.5]"] {
            assert!(!is_amount(major(sent).as_deref(), money(500, "KWD")), "{sent}");
        }
    }

    #[test]
    fn a_completion_is_a_success_only_with_a_transaction() {
        let read = |query: &str| CardTold::from_query(query);
        let line = |text: &str| text.lines().collect::<Vec<_>>().join("&");
        let unsuccessful =
            include_str!("../../../../tests/golden/documents/card_completion_unsuccessful.txt");
        let told = read(&line(unsuccessful)).unwrap();
        assert_eq!((&*told.word, told.message.as_str()), ("failed", "Transaction successful"));
        assert_eq!(told.order_info, "order info submitted to api");
        let paid = "type=cardpayment&status=%22success%22&order_info=a&transaction_id=%2212%22";
        assert_eq!(read(paid).unwrap().transaction_id.as_deref(), Some("12"));
        for (query, field) in [
            ("type=cardpayment&status=failed", "order_info"),
            ("type=cardpayment&type=cardpayment&status=failed&order_info=a", "type"),
            ("type=cardpayment&status=success&order_info=a&transaction_id=../x", "transaction_id"),
        ] {
            assert_eq!(read(query).unwrap_err().field.as_deref(), Some(field), "{query}");
        }
        // What we tell is read by the same rules.
        let told = CardCompletion {
            message: "Transaction failed".to_owned(),
            order_info: "Booking 7&8".to_owned(),
            transaction_id: None,
        };
        let read_back = read(&told.query()).unwrap();
        assert_eq!((read_back.word.as_str(), read_back.transaction_id), ("failed", None));
        assert_eq!((read_back.message, read_back.order_info), (told.message, told.order_info));
    }

    #[test]
    fn any_other_status_or_type_is_kept_as_it_was_told() {
        for (query, word, transaction) in [
            ("type=cardpayment&status=paid&transaction_id=12", "paid", Some("12")),
            ("type=cardpayment&status=SUCCESS&transaction_id=12", "SUCCESS", Some("12")),
            ("type=cardpayment&status=pending", "pending", None),
            ("type=cardpayment", "?", None),
            ("type=refund&status=success&transaction_id=12", "refund:success", Some("12")),
            ("status=failed&transaction_id=12", ":failed", Some("12")),
            ("transaction_id=12", ":", Some("12")),
        ] {
            let told = CardTold::from_query(&format!("{query}&order_info=a")).unwrap();
            assert_eq!((&*told.word, told.transaction_id.as_deref()), (word, transaction));
        }
    }

    #[test]
    fn a_page_is_a_web_address_and_nothing_else() {
        for yes in ["https://pay.example/1?a=b", "http://127.0.0.1:8080/pay/1"] {
            assert!(payment_page(yes).is_some(), "{yes}");
        }
        let long = format!("https://pay.example/{}", "a".repeat(PAYMENT_PAGE_BYTES_MAX));
        for no in ["", "javascript:alert(1)", "/pay/1", "https://", "https://a b", long.as_str()] {
            assert!(payment_page(no).is_none(), "{no}");
        }
    }
}
