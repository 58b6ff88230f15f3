//! What signs a device sale.

use ring::{digest, hmac};

/// The HMAC-SHA1 of the joined texts in capitals; its key is the control key without dashes.
pub(crate) fn sign(control_key: &str, texts: &[&str]) -> String {
    let key = hex::decode(control_key.replace('-', "")).unwrap_or_default();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    hex::encode_upper(hmac::sign(&key, texts.concat().as_bytes()))
}

/// Whether both texts stand for the same bytes.
pub(crate) fn agrees(sent: &str, wanted: &str) -> bool {
    let wanted = hex::decode(wanted);
    hex::decode(sent).is_ok_and(|sent| wanted.is_ok_and(|wanted| sent == wanted))
}

/// `control` of a callback: the SHA-1 in small letters; the control key keeps its dashes.
pub(crate) fn control(control_key: &str, [status, order, invoice]: [&str; 3]) -> String {
    let text = [status, order, invoice, control_key].concat();
    hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "B17F59B4-A7DC-41B4-8FF9-37D986B43D20";

    #[test]
    fn signatures_are_those_of_the_contract() {
        let (access, nonce) = ("a".repeat(32), "n".repeat(64));
        for (texts, expected) in [
            (
                vec![&*access, "SN-0001", "1111", &nonce, "inv-1", "1042", "USD"],
                "A6980EF7F4CED10D80888A803678A82DA7B8580A",
            ),
            (vec!["SN-0001", &nonce, "1111", "inv-1"], "76FD8CDEE8EF5790D61866017E3D73EE67AA1EF4"),
            (vec![&*nonce, "1111", "inv-1"], "902D172B3D4C431A1BADC4846DA3C48871818027"),
        ] {
            assert_eq!(sign(KEY, &texts), expected);
        }
        let expected = "f6e6e028e8df8910edf9b815d6b9f9bd0bc99536";
        assert_eq!(control(KEY, ["approved", "4567", "902B4FF5"]), expected);
    }

    #[test]
    fn signatures_are_compared_as_bytes() {
        assert!(agrees("76fd8c", "76FD8C"));
        for wrong in ["", "76FD", "76FD8D", "76FD8", "xx"] {
            assert!(!agrees(wrong, "76FD8C"), "{wrong}");
        }
    }
}
