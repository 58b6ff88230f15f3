//! What goes out and what comes back.

use secrecy::SecretString;

use super::*;

#[tokio::test]
async fn every_complete_reply_is_a_reply_whatever_its_status() {
    let (outbound, server) = (outbound(), Server::start().await);
    for status in [200, 204, 301, 400, 404, 409, 429, 500, 503] {
        let reply =
            format!("HTTP/1.1 {status} Word\r\nretry-after: 30\r\ncontent-length: 0\r\n\r\n");
        let (sent, _request) =
            tokio::join!(outbound.send(post(server.url())), server.answer(reply.as_bytes()));
        let reply = sent.unwrap();
        assert_eq!(reply.status, status);
        assert_eq!(reply.retry_after, Some(Duration::from_secs(30)));
    }
}

#[tokio::test]
async fn a_redirect_is_a_reply_and_is_not_followed() {
    let (outbound, server, canary) = (outbound(), Server::start().await, Server::start().await);
    for status in [301, 302, 303, 307, 308] {
        let location = canary.url();
        let reply =
            format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let (sent, _request) =
            tokio::join!(outbound.send(post(server.url())), server.answer(reply.as_bytes()));
        assert_eq!(sent.unwrap().status, status);
    }
    assert!(canary.untouched());
}

#[tokio::test]
async fn a_request_holds_the_bytes_it_was_given() {
    let (outbound, server) = (outbound(), Server::start().await);
    let headers = vec![("Signature", SecretString::from("c2lnbmVk"))];
    let call = Call { headers, ..post(server.url()) };
    let (sent, request) = tokio::join!(outbound.send(call), server.answer(OK.as_bytes()));
    sent.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("POST /pay?key=in-the-query HTTP/1.1"));
    let lines: Vec<&str> = lines.collect();
    for line in
        ["content-type: application/json", "accept-encoding: identity", "signature: c2lnbmVk"]
    {
        assert!(lines.contains(&line), "{line} not in {head}");
    }
    assert_eq!(body, r#"{"amount":100}"#);
}

#[tokio::test]
async fn forms_are_encoded() {
    let (outbound, server) = (outbound(), Server::start().await);
    let fields = || vec![("pin".to_owned(), "1 & 2=ü".to_owned())];
    for (body, expected) in [
        (Body::Form(fields()), "pin=1+%26+2%3D%C3%BC"),
        (Body::Multipart(fields()), "name=\"pin\"\r\n\r\n1 & 2=ü\r\n--"),
    ] {
        let call = Call { body, ..post(server.url()) };
        let (sent, request) = tokio::join!(outbound.send(call), server.answer(OK.as_bytes()));
        sent.unwrap();
        assert!(request.contains(expected), "{request}");
    }
    let call = Call { method: Method::Get, body: Body::Empty, ..post(server.url()) };
    let (sent, request) = tokio::join!(outbound.send(call), server.answer(OK.as_bytes()));
    sent.unwrap();
    assert!(request.starts_with("GET ") && request.ends_with("\r\n\r\n"), "{request}");
}

/// A receiver may answer and close as soon as it has read the last field.
#[tokio::test]
async fn a_multipart_form_leaves_in_one_piece_with_its_length() {
    let (outbound, server) = (outbound(), Server::start().await);
    let fields = [("a\r\n\"b", "1\r\n2"), ("c", "3")];
    let fields = fields.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
    let call = Call { body: Body::Multipart(fields), ..post(server.url()) };
    let (sent, request) = tokio::join!(outbound.send(call), server.answer(OK.as_bytes()));
    sent.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    let (_, boundary) = head.split_once("multipart/form-data; boundary=").unwrap();
    let boundary = boundary.lines().next().unwrap();
    let field = |name: &str, text: &str| {
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    };
    let (first, second) = (field("a%0D%0A%22b", "1\r\n2"), field("c", "3"));
    assert_eq!(body, format!("{first}{second}--{boundary}--\r\n"));
}

#[tokio::test]
async fn neither_errors_nor_debug_output_hold_what_is_sent() {
    let (outbound, server) = (outbound(), Server::start().await);
    let headers = vec![("signature", SecretString::from("in-the-header"))];
    let fields = vec![("pin".to_owned(), "in-the-body".to_owned())];
    for body in
        [Body::Json("in-the-body".into()), Body::Form(fields.clone()), Body::Multipart(fields)]
    {
        let call = Call { headers: headers.clone(), body, ..post(server.url()) };
        let shown = format!("{call:?}");
        let (sent, _request) = tokio::join!(outbound.send(call), server.answer(b"in-the-reply"));
        let error = sent.unwrap_err();
        let shown = format!("{shown} {error} {error:?}");
        assert!(!shown.contains("in-the"), "{shown}");
    }
}

/// The environment can only be changed for another process: this one, started again.
#[tokio::test]
async fn proxies_in_the_environment_are_ignored() {
    let proxy = Server::start().await;
    let address = format!("http://{}", proxy.0.local_addr().unwrap());
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "tests::request::every_complete_reply_is_a_reply_whatever_its_status"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    {
        child.env(name, &address);
    }
    let output = child.env_remove("NO_PROXY").env_remove("no_proxy").output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert!(proxy.untouched());
}
