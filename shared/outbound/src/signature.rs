//! The header `Signature`: Base64 of HMAC-SHA256 over the raw body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The signature of `body` under `secret`.
#[must_use]
pub fn hmac_sha256_base64(secret: &str, body: &[u8]) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Whether `sent` is the signature of `body`, in a time that does not depend on where they differ.
#[must_use]
pub fn verify_signature(secret: &str, body: &[u8], sent: &str) -> bool {
    hmac_sha256_base64(secret, body).as_bytes().ct_eq(sent.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "qp4uNXX11wmLbKzNeQiIw21f22M0KnO62i1qUXR6hJQ=";

    #[test]
    fn the_published_vector_holds() {
        assert_eq!(hmac_sha256_base64("secret", br#"{"a":1}"#), SIGNATURE);
    }

    #[test]
    fn only_the_exact_signature_of_the_exact_bytes_is_accepted() {
        assert!(verify_signature("secret", br#"{"a":1}"#, SIGNATURE));
        assert!(!verify_signature("Secret", br#"{"a":1}"#, SIGNATURE));
        assert!(!verify_signature("secret", br#"{"a": 1}"#, SIGNATURE));
        let padded = format!("{SIGNATURE} ");
        for wrong in ["", "=", SIGNATURE.trim_end_matches('='), &SIGNATURE.to_lowercase(), &padded]
        {
            assert!(!verify_signature("secret", br#"{"a":1}"#, wrong), "{wrong}");
        }
    }
}
