//! `verifysign`: AES-128-CBC in the envelope of Laravel's `Crypt`.
//!
//! `value` is the encrypted text, `mac` is taken over the base64 texts of iv and value with the same
//! key. Whoever reads one checks the mac first, in constant time, and decrypts only then.

use aes::Aes128;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use fleet_domain::{Private, SignedForm};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

/// A longer `verifysign` is refused without a look.
const SIGN_BYTES_MAX: usize = 16 * 1024;

/// A pre-shared key: 16 bytes. It is never printed.
#[derive(Clone)]
pub struct SignKey([u8; 16]);

impl std::fmt::Debug for SignKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignKey([private])")
    }
}

impl SignKey {
    /// The key of a text of 16 bytes; `None` for any other length.
    #[must_use]
    pub fn of(text: &Private) -> Option<Self> {
        text.expose().as_bytes().try_into().ok().map(Self)
    }

    fn mac(&self, iv: &str, value: &str) -> Option<Hmac<Sha256>> {
        // HMAC takes keys of any length.
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).ok()?;
        mac.update(iv.as_bytes());
        mac.update(value.as_bytes());
        Some(mac)
    }
}

/// Why a `verifysign` is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Not base64 of the envelope, or its iv is not 16 bytes.
    #[error("verifysign is malformed")]
    Malformed,
    /// None of the keys made it, or somebody changed it.
    #[error("verifysign was made with another key or changed")]
    Mac,
    /// The mac is right and the text inside is not what it should be.
    #[error("verifysign holds no text of the agreed form")]
    Text,
    /// It signs another text.
    #[error("verifysign signs something else")]
    Differs,
}

#[derive(Deserialize)]
struct Envelope {
    iv: String,
    value: String,
    mac: String,
    /// Of authenticated ciphers; empty for this one.
    #[serde(default)]
    tag: String,
}

/// Signs a text; the same key, iv, form and text give the same bytes.
#[must_use]
pub fn verifysign(key: &SignKey, iv: &[u8; 16], form: SignedForm, text: &str) -> String {
    let plain = match form {
        SignedForm::Serialised => format!("s:{}:\"{text}\";", text.len()),
        SignedForm::Raw => text.to_owned(),
    };
    let cipher = cbc::Encryptor::<Aes128>::new(&key.0.into(), &(*iv).into());
    let value = BASE64_STANDARD.encode(cipher.encrypt_padded_vec::<Pkcs7>(plain.as_bytes()));
    let iv = BASE64_STANDARD.encode(iv);
    let mac = key.mac(&iv, &value).map(|mac| hex::encode(mac.finalize().into_bytes()));
    let mac = mac.unwrap_or_default();
    // PHP writes a slash in JSON as \/, and some listeners compare the text.
    let (iv, value) = (iv.replace('/', "\\/"), value.replace('/', "\\/"));
    BASE64_STANDARD.encode(format!(r#"{{"iv":"{iv}","value":"{value}","mac":"{mac}"}}"#))
}

/// Checks that one of the keys signed this text. Several keys are valid while one replaces another.
///
/// # Errors
/// [`SignError`].
pub fn check_verifysign(
    keys: &[SignKey],
    form: SignedForm,
    sign: &str,
    text: &str,
) -> Result<(), SignError> {
    let opened = open(keys, form, sign)?;
    if opened.expose() == text { Ok(()) } else { Err(SignError::Differs) }
}

/// The text that a `verifysign` holds.
///
/// # Errors
/// [`SignError`].
pub fn open(keys: &[SignKey], form: SignedForm, sign: &str) -> Result<Private, SignError> {
    if sign.len() > SIGN_BYTES_MAX {
        return Err(SignError::Malformed);
    }
    let malformed = |_| SignError::Malformed;
    let json = BASE64_STANDARD.decode(sign).map_err(malformed)?;
    let envelope: Envelope =
        serde_json::from_slice(&json).map_err(|_error| SignError::Malformed)?;
    let mac = hex::decode(&envelope.mac).map_err(|_error| SignError::Malformed)?;
    if !envelope.tag.is_empty() {
        return Err(SignError::Malformed);
    }
    let made_it = |key: &&SignKey| {
        // The comparison inside takes the same time wherever the bytes differ.
        let computed = key.mac(&envelope.iv, &envelope.value);
        computed.is_some_and(|computed| computed.verify_slice(&mac).is_ok())
    };
    let key = keys.iter().find(made_it).ok_or(SignError::Mac)?;
    let iv = BASE64_STANDARD.decode(&envelope.iv).map_err(malformed)?;
    let iv: [u8; 16] = iv.try_into().map_err(|_iv| SignError::Malformed)?;
    let value = BASE64_STANDARD.decode(&envelope.value).map_err(malformed)?;
    let cipher = cbc::Decryptor::<Aes128>::new(&key.0.into(), &iv.into());
    let plain = cipher.decrypt_padded_vec::<Pkcs7>(&value).map_err(|_error| SignError::Text)?;
    let plain = String::from_utf8(plain).map_err(|_error| SignError::Text)?;
    let text = match form {
        SignedForm::Raw => Some(plain.as_str()),
        SignedForm::Serialised => unserialised(&plain),
    };
    text.map(Private::new).ok_or(SignError::Text)
}

/// A PHP string and nothing else: objects and arrays of a stranger are never unserialised.
fn unserialised(plain: &str) -> Option<&str> {
    let (length, rest) = plain.strip_prefix("s:")?.split_once(':')?;
    let text = rest.strip_prefix('"')?.strip_suffix("\";")?;
    (length == text.len().to_string()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOO: &str = "eyJpdiI6Ilg0dFM5TVRibEFqZW54c3lQdWJoVVE9PSIsInZhbHVlIjoiRGJpa2p2ZHI3eUs0dUtRakJneUhUUT09IiwibWFjIjoiMjBjZWYxODdhNThhOTk4MTk1NTc0YTE1MDgzODU1OWE0ZmQ4MDc5ZjMxYThkOGM1ZmM1MzlmYzBkYTBjMWI1ZiIsInRhZyI6IiJ9";
    const TEXT: &str = "http://0.0.0.0:8080/receive/134255713XXXXXX";

    fn key(text: &str) -> SignKey {
        SignKey::of(&Private::new(text)).unwrap()
    }

    fn iv() -> [u8; 16] {
        std::array::from_fn(|n| u8::try_from(n).unwrap())
    }

    /// Value and mac of an envelope.
    fn parts(sign: &str) -> (String, String) {
        let json = BASE64_STANDARD.decode(sign).unwrap();
        let envelope: Envelope = serde_json::from_slice(&json).unwrap();
        (envelope.value, envelope.mac)
    }

    fn enveloped(iv: &str, value: &str, mac: &str) -> String {
        BASE64_STANDARD.encode(format!(r#"{{"iv":"{iv}","value":"{value}","mac":"{mac}"}}"#))
    }

    #[test]
    fn the_contracts_raw_vector_opens() {
        let keys = [key("bbbbbbbbbbbbbbbb")];
        assert_eq!(open(&keys, SignedForm::Raw, FOO).unwrap().expose(), "foo");
        assert_eq!(open(&keys, SignedForm::Serialised, FOO), Err(SignError::Text));
        assert_eq!(check_verifysign(&keys, SignedForm::Raw, FOO, "fop"), Err(SignError::Differs));
    }

    #[test]
    fn both_forms_give_the_contracts_values_and_macs() {
        for (form, value, mac) in [
            (
                SignedForm::Serialised,
                "VPxQt8Nw0vXEX6GwlYdFb/9Etv08FMlvHb8kSWSJ73bdCPajRzuxe86ayhnGBWUW39NV2FCN8dRqa/MS+qzwnw==",
                "b7c64bc5df630a7c0e58fb8c84f680d09cc4d11ae6a5bae24da5d947b00e4173",
            ),
            (
                SignedForm::Raw,
                "tS/Rn/5/X3/pdDp07dvQGR+RRbB8a8l/iQ4R5hBtkqTuKCLtI2YZPevZyudHpdGA",
                "86ec49844a8ff50c229d0477fd71bfbf34f64c9ebfe945218d1b509602e61ba7",
            ),
        ] {
            let sign = verifysign(&key("0123456789abcdef"), &iv(), form, TEXT);
            assert_eq!(parts(&sign), (value.to_owned(), mac.to_owned()), "{form:?}");
            let json = String::from_utf8(BASE64_STANDARD.decode(&sign).unwrap()).unwrap();
            assert!(json.starts_with(r#"{"iv":"AAECAwQFBgcICQoLDA0ODw==","value":""#), "{json}");
            assert!(!json.replace("\\/", "").contains('/'), "a slash is written \\/: {json}");
            let keys = [key("0123456789abcdef")];
            assert_eq!(check_verifysign(&keys, form, &sign, TEXT), Ok(()));
        }
    }

    #[test]
    fn during_a_rotation_both_keys_are_believed_and_no_third() {
        let (old, new) = (key("0123456789abcdef"), key("fedcba9876543210"));
        for signer in [&old, &new] {
            let sign = verifysign(signer, &iv(), SignedForm::Serialised, TEXT);
            let check =
                |keys: &[SignKey]| check_verifysign(keys, SignedForm::Serialised, &sign, TEXT);
            assert_eq!(check(&[new.clone(), old.clone()]), Ok(()));
            assert_eq!(check(&[key("aaaaaaaaaaaaaaaa")]), Err(SignError::Mac));
        }
    }

    #[test]
    fn what_was_changed_cut_or_made_up_is_refused() {
        let keys = [key("0123456789abcdef")];
        let form = SignedForm::Serialised;
        let sign = verifysign(&keys[0], &iv(), form, TEXT);
        let (value, mac) = parts(&sign);
        let iv_text = BASE64_STANDARD.encode(iv());
        for (iv, value, mac, error) in [
            (iv_text.as_str(), value.as_str(), "zz", SignError::Malformed),
            (&iv_text, &value, "", SignError::Mac),
            (&iv_text, &value, mac.get(..62).unwrap(), SignError::Mac),
            (&iv_text, &value.replace('V', "W"), &mac, SignError::Mac),
            ("AAECAwQFBgcICQoLDA0OEA==", &value, &mac, SignError::Mac),
        ] {
            assert_eq!(open(&keys, form, &enveloped(iv, value, mac)), Err(error));
        }
        for wrong in ["", "e30=", "bm8=", "%%%", &"A".repeat(20_000)] {
            assert_eq!(open(&keys, form, wrong), Err(SignError::Malformed));
        }
        // Rightly signed, and still not to be read: an iv of 15 bytes, a text that is no block.
        let signed = |iv: &str, value: &str| {
            let mac = keys[0].mac(iv, value).unwrap().finalize().into_bytes();
            open(&keys, form, &enveloped(iv, value, &hex::encode(mac)))
        };
        assert_eq!(signed("AAECAwQFBgcICQoLDA0O", &value), Err(SignError::Malformed));
        assert_eq!(signed(&iv_text, "AAAA"), Err(SignError::Text));
    }

    #[test]
    fn only_a_php_string_is_unserialised() {
        assert_eq!(unserialised("s:3:\"foo\";"), Some("foo"));
        assert_eq!(unserialised("s:4:\"f\"\";x\";"), None, "the length must be right");
        assert_eq!(unserialised("s:3:\"f\"\";\";"), None);
        assert_eq!(unserialised("s:4:\"K\u{e4}s\";"), Some("K\u{e4}s"), "bytes, not characters");
        for wrong in ["foo", "i:3;", "O:8:\"stdClass\":0:{}", "s:3:\"foo\"", "s:+3:\"foo\";", "s:"]
        {
            assert_eq!(unserialised(wrong), None, "{wrong}");
        }
    }
}
