//! How a request shows who sends it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fleet_domain::Rule;
use secrecy::SecretString;

use super::*;
use crate::clients::Clients;
use crate::{Identity, is_header, verify_signature};

fn signature(secret: &str) -> Credentials {
    Credentials::Signature(SecretString::from(secret))
}

/// The value of a header, which stands there once.
fn only<'r>(request: &'r str, name: &str) -> &'r str {
    let (head, _) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let found: Vec<&str> =
        lines.by_ref().filter(|(key, _)| *key == name).map(|(_, text)| text).collect();
    assert_eq!(found.len(), 1, "{name} in {head}");
    found[0]
}

#[tokio::test]
async fn a_signature_covers_the_bytes_that_leave_whatever_their_form() {
    let (outbound, server) = (outbound(), Server::start().await);
    let fields = || vec![("pin".to_owned(), "1 & 2=ü".to_owned())];
    for (method, body) in [
        (Method::Post, Body::Json(Bytes::from_static("{\"name\":\"ü\", \"a\":1}".as_bytes()))),
        (Method::Post, Body::Form(fields())),
        (Method::Post, Body::Multipart(fields())),
        (Method::Post, Body::Empty),
        (Method::Get, Body::Empty),
    ] {
        for secret in ["0123456789abcdef", "ein Schlüssel mit ü", &"k".repeat(4_096)] {
            let (method, body, credentials) = (method, body.clone(), signature(secret));
            let call = Call { method, body, credentials, ..post(server.url()) };
            let (sent, request) = tokio::join!(outbound.send(call), server.answer(OK.as_bytes()));
            sent.unwrap();
            let (_, left) = request.split_once("\r\n\r\n").unwrap();
            let signed = only(&request, "signature");
            assert!(verify_signature(secret, left.as_bytes(), signed), "{request}");
            assert!(!verify_signature("0123456789abcdeg", left.as_bytes(), signed));
        }
    }
}

#[tokio::test]
async fn a_header_stands_there_as_it_is_and_in_no_error() {
    let (outbound, server) = (outbound(), Server::start().await);
    let basic = format!("Basic {}", BASE64_STANDARD.encode("user:pass"));
    for (name, value) in
        [("X-API-Key", "a key with blanks"), ("x-supplier-key", "k"), ("authorization", &basic)]
    {
        let credentials =
            Credentials::Header { name: name.to_owned(), value: SecretString::from(value) };
        assert!(!format!("{credentials:?}").contains(value));
        let call = Call { credentials, ..post(server.url()) };
        assert!(!format!("{call:?}").contains(value));
        let (sent, request) = tokio::join!(outbound.send(call), server.answer(OK.as_bytes()));
        sent.unwrap();
        assert_eq!(only(&request, &name.to_lowercase()), value);
    }
    for (name, value) in [("X-API-Key", "two\nlines"), ("no name", "key"), ("", "key")] {
        let value = SecretString::from(value);
        let credentials = Credentials::Header { name: name.to_owned(), value };
        let sent = outbound.send(Call { credentials, ..post(server.url()) }).await;
        assert!(not_sent(&sent), "{sent:?}");
    }
    assert!(server.untouched());
}

#[test]
fn a_header_is_one_that_its_receiver_reads_as_it_was_meant() {
    let is = |name: &str, value: &str| is_header(name, &SecretString::from(value));
    for name in ["X-API-Key", "authorization", "apikey"] {
        assert!(is(name, "0123 4567"), "{name}");
    }
    for name in ["", "X API Key", "x-key:", "Schlüssel", "host", "Content-Length", "x\r\nhost"] {
        assert!(!is(name, "key"), "{name}");
    }
    for value in ["", " key", "key ", "two\nlines", "a\tb", "Schlüssel", "\0", &"k".repeat(5_000)]
    {
        assert!(!is("x-api-key", value), "{value:?}");
    }
}

/// A certificate and its key, PEM.
fn certified(name: &str) -> (String, String) {
    let of = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (of.cert.pem(), of.signing_key.serialize_pem())
}

#[test]
fn a_certificate_has_one_client_that_a_new_one_replaces_and_few_are_kept() {
    let _provider = outbound();
    let clients = Clients::default();
    let [first, second] = ["first", "second"].map(certified);
    let get = |owner: &str, certificate: &str, key: &str| {
        let identity = Identity::new(owner, certificate, key);
        clients.get(Rule::Any, Reuse::Fresh, Some(&identity)).map(drop)
    };
    for (certificate, key) in [&first, &second, &first] {
        get("bank", certificate, key).unwrap();
        assert_eq!(clients.count(), 1);
    }
    // With others behind it, as those that sign it are.
    let chain = format!("{}{}", first.0, second.0);
    get("bank", &chain, &first.1).unwrap();
    for (certificate, key) in [(&first.0, &second.1), (&first.1, &first.1), (&chain, &chain)] {
        assert!(get("bank", certificate, key).is_err());
        assert_eq!(clients.count(), 1, "what cannot be loaded takes the place of nothing");
    }
    for number in 0..130 {
        get(&format!("bank-{number}"), &first.0, &first.1).unwrap();
        assert!(clients.count() <= 64);
    }
}
