//! Personal data in the form in which a receiver wants it encrypted.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

/// The bytes of the key.
pub const AES_256_KEY_BYTES: usize = 32;

/// Base64 of a random nonce (12 bytes), the AES-256-GCM text and its tag (16 bytes). `None` when
/// there is no randomness to be had: the text must not leave then.
#[must_use]
pub fn encrypt_aes_256_gcm(key: &[u8; AES_256_KEY_BYTES], text: &str) -> Option<String> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).ok()?;
    let mut sealed = text.as_bytes().to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
        .ok()?;
    Some(STANDARD.encode([nonce.as_slice(), &sealed].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_the_key_reads_it_and_no_two_texts_are_alike() {
        let key = [7; AES_256_KEY_BYTES];
        let sent = encrypt_aes_256_gcm(&key, "27821234567").unwrap();
        assert_ne!(encrypt_aes_256_gcm(&key, "27821234567").unwrap(), sent);
        let mut bytes = STANDARD.decode(&sent).unwrap();
        assert_eq!(bytes.len(), NONCE_LEN + 11 + 16);
        let (nonce, text) = bytes.split_at_mut(NONCE_LEN);
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
        let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
        assert_eq!(key.open_in_place(nonce, Aad::empty(), text).unwrap(), b"27821234567");
    }
}
