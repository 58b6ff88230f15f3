use super::*;
use crate::{BankReply, CardMapping, CardTransaction, CheckSale, VendReply};

fn vend(body: &str) -> Result<VendReply, Unreadable> {
    read_told(body.as_bytes())
}

#[test]
fn a_number_where_a_text_is_usual_is_its_digits_and_no_digit_is_lost() {
    for digits in ["9876543210", "12345678901234567890", "99999999999999999999999999999999"] {
        let body = format!(r#"{{"responseCode":"0000","supplierRef":{digits},"token":{digits}}}"#);
        let reply = vend(&body).unwrap();
        assert_eq!(reply.supplier_ref.as_deref(), Some(digits));
        assert_eq!(reply.token.as_deref(), Some(digits));
        let bank = format!(r#"{{"responseCode":"0000","reserveFundsTxnRef":{digits}}}"#);
        let bank: BankReply = read_told(bank.as_bytes()).unwrap();
        assert_eq!(bank.reserve_funds_txn_ref.as_deref(), Some(digits));
    }
    assert_eq!(vend(r#"{"responseCode":2213}"#).unwrap().response_code, "2213");
    assert_eq!(vend(r#"{"responseCode":0}"#).unwrap().response_code, "0", "it is no 0000");
    for token in ["1.5", "1e19", "-5", "true", r#"["1"]"#, "{}"] {
        let body = format!(r#"{{"responseCode":"0000","token":{token}}}"#);
        assert_eq!(vend(&body).unwrap_err().field, "token", "{token}: no voucher is guessed");
    }
}

#[test]
fn what_decides_nothing_is_as_if_it_were_absent_whatever_it_is() {
    for odd in ["null", "{}", "[1]", "7", "true", r#""\ud800""#, "1e999", r#""\u0000""#] {
        let body = format!(
            r#"{{"responseCode":"0000","responseMessage":{odd},"other":{odd},"vendRef":null}}"#
        );
        assert_eq!(vend(&body).unwrap().response_code, "0000", "{odd}");
        let bank = format!(r#"{{"responseCode":"2010","responseMessage":{odd}}}"#);
        let bank: BankReply = read_told(bank.as_bytes()).unwrap();
        assert_eq!(bank.response_code, "2010", "{odd}");
    }
    for odd in ["null", "{}", "[1]", "true", "1.5"] {
        let body = format!(r#"{{"responseCode":"0000","supplierRef":{odd}}}"#);
        assert_eq!(vend(&body).unwrap().supplier_ref, None, "{odd}");
    }
}

#[test]
fn marks_and_blanks_around_a_document_and_other_encodings_are_read() {
    let body = "{\"responseCode\":\"0000\",\"responseMessage\":\"d\u{f6}ne\",\"token\":\"12-34\"}";
    let utf16 = |unit: fn(u16) -> [u8; 2], mark: &[u8]| {
        let units = body.encode_utf16().flat_map(unit);
        mark.iter().copied().chain(units).collect::<Vec<u8>>()
    };
    let latin: Vec<u8> = body.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let documents = [
        format!("\u{feff}{body}").into_bytes(),
        format!("\u{feff}\u{feff}\r\n {body}\0\n").into_bytes(),
        utf16(u16::to_le_bytes, &[0xff, 0xfe]),
        utf16(u16::to_be_bytes, &[0xfe, 0xff]),
        utf16(u16::to_le_bytes, &[]),
        latin,
    ];
    for document in documents {
        let reply: VendReply = read_told(&document).unwrap();
        let read = (reply.response_code.as_str(), reply.token.as_deref());
        assert_eq!(read, ("0000", Some("12-34")));
    }
    // A line break that should have been escaped stays in the voucher.
    let reply = vend("{\"responseCode\":\"0000\",\"token\":\"11\\\\\n\n22\"}").unwrap();
    assert_eq!(reply.token.as_deref(), Some("11\\\n\n22"));
    let reply = vend("\u{ef}\u{bb}\u{bf}{\"responseCode\":\"0000\"}").unwrap();
    assert_eq!(reply.response_code, "0000", "a mark that was written twice");
    for none in ["", "[]", "null", "\"0000\"", "{", "{} {}", "<html>", "\u{feff}"] {
        assert!(vend(none).is_err(), "{none}");
    }
}

#[test]
fn a_replaced_character_is_never_part_of_a_code_or_a_voucher() {
    for (body, field) in [
        (b"{\"responseCode\":\"00\xff00\"}".as_slice(), "responseCode"),
        (b"{\"responseCode\":\"0000\",\"token\":\"12\xe934\"}", "token"),
        ("{\"responseCode\":\"0000\",\"token\":\"12\u{fffd}\"}".as_bytes(), "token"),
    ] {
        assert_eq!(read_told::<VendReply>(body).unwrap_err().field, field);
    }
    let reference = b"{\"responseCode\":\"0000\",\"supplierRef\":\"a\xff\"}";
    assert_eq!(read_told::<VendReply>(reference).unwrap().supplier_ref, None);
}

#[test]
fn a_code_is_never_cleaned_into_another_one() {
    for code in [r"00\u000000", r"0000\u0007", " 0000", "0000 ", r"\t0000"] {
        let body = format!(r#"{{"responseCode":"{code}"}}"#);
        assert_ne!(vend(&body).unwrap().response_code, "0000", "{code}");
    }
    let long = "2".repeat(33);
    let code = vend(&format!(r#"{{"responseCode":"{long}"}}"#)).unwrap().response_code;
    assert_eq!(code.chars().count(), 32);
    assert_ne!(code, "2".repeat(32), "its start is another code");
    assert_eq!(vend(r#"{"token":"1"}"#).unwrap_err().field, "responseCode");
}

#[test]
fn a_field_that_stands_there_twice_and_says_two_things_is_not_guessed() {
    for (body, field) in [
        (r#"{"responseCode":"2213","responseCode":"0000"}"#, "responseCode"),
        (r#"{"responseCode":"0000","token":"1","token":"2"}"#, "token"),
        (r#"{"responseCode":"0000","responseCode":null}"#, "responseCode"),
    ] {
        assert_eq!(vend(body).unwrap_err().field, field);
    }
    let body = r#"{"responseCode":"0000","responseCode":"0000","responseMessage":"a",
        "responseMessage":"b","supplierRef":"1","supplierRef":"2","vendAmount":1,"vendAmount":2}"#;
    let reply = vend(body).unwrap();
    assert_eq!((reply.supplier_ref, reply.vend_amount, reply.odd_amount), (None, None, true));
    let body = br#"{"status":"SUCCESS","status":"FAILED"}"#;
    assert!(read_told::<CardTransaction>(body).is_err());
}

#[test]
fn an_odd_amount_is_left_out_and_the_goods_are_out_all_the_same() {
    for (sent, read) in [
        ("1500", Some(1500)),
        ("\"1500\"", Some(1500)),
        ("1500.0", Some(1500)),
        ("-5", Some(-5)),
        ("null", None),
    ] {
        let reply = vend(&format!(r#"{{"responseCode":"0000","vendAmount":{sent}}}"#)).unwrap();
        assert_eq!((reply.vend_amount, reply.odd_amount), (read, false), "{sent}");
    }
    for odd in ["\"15.00\"", "15.00", "1499.5", "99999999999999999999", "1.5e3", "[]", "\"R15\""] {
        let reply = vend(&format!(r#"{{"responseCode":"0000","vendAmount":{odd}}}"#)).unwrap();
        assert_eq!((reply.vend_amount, reply.odd_amount), (None, true), "{odd}");
    }
}

#[test]
fn an_error_names_the_field_and_never_its_value() {
    let error = vend(r#"{"responseCode":"0000","token":["4111111111111111"]}"#).unwrap_err();
    assert_eq!(error.to_string(), "the reply is unreadable: token has the wrong type");
}

#[test]
fn a_field_that_is_no_json_costs_nothing_but_itself() {
    let odd = [
        "NaN",
        "-Infinity",
        "undefined",
        "007",
        "'a'",
        r#""\x41""#,
        "1.2.3",
        ".5",
        r#"[{"a":"}"}]"#,
    ];
    for odd in odd {
        let body = format!(r#"{{"responseMessage":{odd},"responseCode":"0000","more":{odd},}}"#);
        assert_eq!(vend(&body).unwrap().response_code, "0000", "{odd}");
        let body = format!(r#"{{"responseCode":"0000","token":{odd}}}"#);
        let told = vend(&body);
        assert_eq!(
            told.as_ref().ok().map(|reply| reply.token.as_deref()),
            match odd {
                // Its digits, and every one of them.
                "007" => Some(Some("007")),
                _ => None,
            }
        );
    }
    assert_eq!(vend(r#"{"responseCode":0000}"#).unwrap().response_code, "0000");
    // How the object is put together is never guessed.
    for torn in [
        r#"{"responseCode":"0000""#,
        r#"{"responseCode":"0000"}}"#,
        r#"{"responseCode":"0000","responseMessage":"said "hi""}"#,
        r#"{"responseMessage":[},"responseCode":"0000"}"#,
        r#"{"responseMessage":{"a":1,"responseCode":"0000"}"#,
        r#"{"responseCode" "0000"}"#,
        r#"{"a":,"responseCode":"0000"}"#,
        r#"{,"responseCode":"0000"}"#,
        r#"{responseCode:"0000"}"#,
        r#"{"responseCode":"0000"} {"responseCode":"2213"}"#,
        r#"{"responseMessage":"a,"responseCode":"0000"}"#,
    ] {
        assert!(vend(torn).is_err(), "{torn}");
    }
    // What stands in an inner object or a text is no field of this one.
    let body = r#"{"responseMessage":{"responseCode":"0000"},"more":"\"responseCode\":\"0000\""}"#;
    assert_eq!(vend(body).unwrap_err().field, "responseCode");
}

#[test]
fn a_sales_check_and_its_card_are_read_as_leniently_and_hold_no_card_all_the_same() {
    let told = |card: &str| {
        let session = r#""session":{"accessToken":"a","token":12,"nonce":"n","signature":"s"}"#;
        let consumer = r#""consumer":{"device":{"serialNumber":4711},"email":null}"#;
        format!("\u{feff}{{{consumer},{session},\"sourceCard\":{card},\"sourceOfFunds\":null}}")
    };
    let body =
        told(r#"{"bin":519364,"reference":{"serverCardId":77,"uniqueReferenceCardId":null}}"#);
    let mapping = CardMapping::from_bytes(body.as_bytes()).unwrap();
    let card = &mapping.source_card;
    assert_eq!((card.bin.as_str(), card.reference.server_card_id.as_str()), ("519364", "77"));
    assert_eq!(mapping.session.token, "12");
    let check = CheckSale::from_bytes(body.as_bytes()).unwrap();
    assert_eq!(
        (check.consumer.device.serial_number.as_str(), check.client_card_id()),
        ("4711", None)
    );
    for (card, field) in [
        (r#"{"reference":{"serverCardId":null}}"#, "sourceCard.reference.serverCardId"),
        (r#"{"reference":[]}"#, "sourceCard.reference"),
        (r#"{"cardNumber":"1","reference":{"serverCardId":"7"}}"#, "sourceCard.cardNumber"),
        (
            r#"{"reference":{"serverCardId":"7","serverCardId":"8"}}"#,
            "sourceCard.reference.serverCardId",
        ),
    ] {
        let refused = CardMapping::from_bytes(told(card).as_bytes()).map(|_| ()).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some(field));
    }
}
