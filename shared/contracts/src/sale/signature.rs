//! The signatures of a device sale (contracts, section 5): HMAC-SHA1 over texts without separators,
//! and the callback's SHA-1.

use fleet_domain::Private;
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// The merchant control key: 32 hex digits, with dashes or without.
#[derive(Debug, Clone)]
pub struct ControlKey {
    text: Private,
    bytes: [u8; 16],
}

impl ControlKey {
    /// The key of a text; `None` for anything but 32 hex digits with dashes.
    #[must_use]
    pub fn of(text: &Private) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text.expose().replace('-', ""), &mut bytes).ok()?;
        Some(Self { text: text.clone(), bytes })
    }

    fn sign(&self, parts: &[&str]) -> Option<String> {
        let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(&self.bytes).ok()?;
        for part in parts {
            mac.update(part.as_bytes());
        }
        Some(hex::encode_upper(mac.finalize().into_bytes()))
    }

    /// `session.signature` of initiate sale.
    #[must_use]
    pub fn initiate(&self, access_token: &str, sale: &Signed<'_>) -> Option<String> {
        let amount = sale.amount_centis.to_string();
        self.sign(&[
            access_token,
            sale.serial_number,
            sale.endpoint_id,
            sale.nonce,
            sale.invoice_id,
            &amount,
            sale.currency,
        ])
    }

    /// `session.checkSignature` of check sale; with the card's reference where one is used.
    #[must_use]
    pub fn check(&self, sale: &Signed<'_>, server_card_id: &str) -> Option<String> {
        self.sign(&[
            sale.serial_number,
            sale.nonce,
            sale.endpoint_id,
            sale.invoice_id,
            server_card_id,
        ])
    }

    /// `session.checkSignature` of a card mapping.
    #[must_use]
    pub fn mapping(&self, sale: &Signed<'_>) -> Option<String> {
        self.sign(&[sale.nonce, sale.endpoint_id, sale.invoice_id])
    }

    /// `control` of a callback.
    #[must_use]
    pub fn control(&self, status: &str, order_id: &str, client_order_id: &str) -> String {
        let mut hash = Sha1::new();
        for part in [status, order_id, client_order_id, self.text.expose()] {
            hash.update(part.as_bytes());
        }
        hex::encode(hash.finalize())
    }
}

/// What signatures cover.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'s> {
    /// `consumer.device.serialNumber`.
    pub serial_number: &'s str,
    /// The endpoint at the card gateway.
    pub endpoint_id: &'s str,
    /// `session.nonce`.
    pub nonce: &'s str,
    /// `invoiceId`, our `raasTxnRef`.
    pub invoice_id: &'s str,
    /// Minor units.
    pub amount_centis: i64,
    /// ISO 4217.
    pub currency: &'s str,
}

/// Whether two signatures in hex are the same bytes, in constant time.
#[must_use]
pub fn same_signature(sent: &str, ours: &str) -> bool {
    match (hex::decode(sent), hex::decode(ours)) {
        (Ok(sent), Ok(ours)) => bool::from(sent.ct_eq(&ours)),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract's vectors.
    #[test]
    fn the_contracts_vectors_are_met() {
        let key = ControlKey::of(&Private::new("B17F59B4-A7DC-41B4-8FF9-37D986B43D20")).unwrap();
        let (access_token, nonce) = ("a".repeat(32), "n".repeat(64));
        let sale = Signed {
            serial_number: "SN-0001",
            endpoint_id: "1111",
            nonce: &nonce,
            invoice_id: "inv-1",
            amount_centis: 1042,
            currency: "USD",
        };
        let initiate = key.initiate(&access_token, &sale).unwrap();
        assert_eq!(initiate, "A6980EF7F4CED10D80888A803678A82DA7B8580A");
        assert_eq!(key.check(&sale, "").unwrap(), "76FD8CDEE8EF5790D61866017E3D73EE67AA1EF4");
        assert_eq!(key.mapping(&sale).unwrap(), "902D172B3D4C431A1BADC4846DA3C48871818027");
        let control = key.control("approved", "4567", "902B4FF5");
        assert_eq!(control, "f6e6e028e8df8910edf9b815d6b9f9bd0bc99536");
    }

    #[test]
    fn signatures_are_compared_as_bytes_whatever_their_case() {
        assert!(same_signature("A6980E", "a6980e"));
        for other in ["", "A6980F", "A6980E00", "not hex"] {
            assert!(!same_signature(other, "A6980E"), "{other}");
        }
        assert!(ControlKey::of(&Private::new("B17F59B4")).is_none());
    }
}
