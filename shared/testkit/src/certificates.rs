//! An authority of one test, and what it certifies: X.509 of the smallest kind, written by hand, so
//! that no key lies in a file.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::error::Unspecified;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// ecdsa-with-SHA256.
const SIGNED_BY: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// id-ecPublicKey on prime256v1.
const KEY_OF: &[u8] = &[
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
    0x03, 0x01, 0x07,
];
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
/// subjectAltName.
const OTHER_NAMES: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x11];
/// basicConstraints, critical: an authority.
const IS_AUTHORITY: &[u8] = &[
    0x30, 0x0f, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x05, 0x30, 0x03, 0x01, 0x01,
    0xff,
];

/// A certificate and its private key, both PEM.
#[derive(Clone)]
pub struct Certified {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// Signs certificates.
pub struct Authority {
    name: String,
    pair: EcdsaKeyPair,
    own: Certified,
}

impl std::fmt::Debug for Certified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certified")
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Authority {
    /// An authority that certifies itself.
    ///
    /// # Errors
    /// Without a source of chance.
    pub fn new(name: &str) -> Result<Self, Unspecified> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random)?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random)
            .map_err(|_rejected| Unspecified)?;
        let certificate = signed(&pair, name, name, pair.public_key().as_ref(), IS_AUTHORITY)?;
        let key = pem("PRIVATE KEY", document.as_ref());
        Ok(Self { name: name.to_owned(), own: Certified { certificate, key }, pair })
    }

    /// Its own certificate, for who trusts it.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.own.certificate
    }

    /// A certificate for the machine `localhost`, as a server's or a client's.
    ///
    /// # Errors
    /// Without a source of chance.
    pub fn issue(&self, name: &str) -> Result<Certified, Unspecified> {
        let own = Self::new(name)?;
        let names = tagged(SEQUENCE, &tagged(0x82, b"localhost"));
        let extension = [OTHER_NAMES, &tagged(0x04, &names)].concat();
        let extension = tagged(SEQUENCE, &extension);
        let public = own.pair.public_key();
        let certificate = signed(&self.pair, &self.name, name, public.as_ref(), &extension)?;
        Ok(Certified { certificate, ..own.own })
    }
}

fn signed(
    by: &EcdsaKeyPair,
    issuer: &str,
    name: &str,
    public: &[u8],
    extension: &[u8],
) -> Result<String, Unspecified> {
    let random = SystemRandom::new();
    let serial: [u8; 8] = ring::rand::generate(&random)?.expose();
    let serial = [&[1][..], &serial].concat();
    let from_to = [&tagged(0x17, b"200101000000Z")[..], &tagged(0x17, b"490101000000Z")].concat();
    let key = [&tagged(SEQUENCE, KEY_OF)[..], &bits(public)].concat();
    let body = [
        &tagged(0xa0, &tagged(0x02, &[2]))[..],
        &tagged(0x02, &serial),
        &tagged(SEQUENCE, SIGNED_BY),
        &name_of(issuer),
        &tagged(SEQUENCE, &from_to),
        &name_of(name),
        &tagged(SEQUENCE, &key),
        &tagged(0xa3, &tagged(SEQUENCE, extension)),
    ];
    let body = tagged(SEQUENCE, &body.concat());
    let signature = by.sign(&random, &body)?;
    let whole = [&body[..], &tagged(SEQUENCE, SIGNED_BY), &bits(signature.as_ref())].concat();
    Ok(pem("CERTIFICATE", &tagged(SEQUENCE, &whole)))
}

fn name_of(name: &str) -> Vec<u8> {
    let one = [COMMON_NAME, &tagged(0x0c, name.as_bytes())].concat();
    tagged(SEQUENCE, &tagged(SET, &tagged(SEQUENCE, &one)))
}

/// A string of whole bytes.
fn bits(bytes: &[u8]) -> Vec<u8> {
    tagged(0x03, &[&[0][..], bytes].concat())
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let mut length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    if content.is_empty() {
        length.push(0);
    }
    if content.len() > 0x7f {
        length.insert(0, 0x80 | u8::try_from(length.len()).unwrap_or(0));
    }
    [&[tag][..], &length, content].concat()
}

fn pem(what: &str, bytes: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(bytes);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or("")).collect();
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.join("\n"))
}
