//! The router and its OpenAPI document, made together: what is served is described.

use axum::Router;
use axum::body::Bytes;
use axum::handler::Handler;
use axum::http::{Uri, header};
use axum::routing::{MethodRouter, get, post};
use fleet_contracts::openapi::{Content, Document, Operation, client_webhooks};
use schemars::Schema;
use serde_json::{Value, json};

use crate::Gateway;
use crate::closed::is_open;
use crate::shape::{NO_SUCH_PATH, Shape, WRONG_METHOD};

/// The client's key.
pub(crate) const API_KEY: &str = "ApiKey";
/// An access token, beside the key.
pub(crate) const BEARER: &str = "Bearer";
/// A client's id and secret, for an access token.
pub(crate) const CLIENT: &str = "Client";
/// The same key where Transaction Query wants it.
pub(crate) const RAW_KEY: &str = "RawApiKey";

const ABOUT: &str = "The gateway of the Purchase Fleet: purchases of digital goods, look-ups, and \
what suppliers confirm. Unknown fields and parameters are ignored; integers may be numeric strings. \
An error names the field and never repeats a value. 503 means: not stored, or not known whether; \
send the same request again, with the same `clientTxnRef`. Any other path is answered 404, any other \
method 405 with `Allow`, a body with a Content-Encoding 415, a request without one length and one Host 400: \
each in the shape that errors have under the first part of its path, and else in that of `TransactReply`. \
During maintenance clients get 503 with `Retry-After`; callbacks are still taken.";

/// Says what an operation is, beside its handler.
pub(crate) type Describe = fn(&mut Document) -> Operation;

/// An operation of a client: with its key, and a token where it is set up so.
pub(crate) fn by_client(operation: Operation) -> Operation {
    operation.allowed_by(&[API_KEY]).allowed_by(&[API_KEY, BEARER])
}

/// The paths so far.
pub(crate) struct Api {
    router: Router<Gateway>,
    document: Document,
}

impl Api {
    pub(crate) fn new() -> Self {
        let key = json!({ "type": "apiKey", "in": "header", "name": "X-API-Key" });
        let raw = json!({
            "type": "apiKey", "in": "header", "name": "Authorization",
            "description": "the raw API key, without a scheme",
        });
        let bearer = json!({
            "type": "http", "scheme": "bearer",
            "description": "an access token of POST /oauth/token, beside the API key",
        });
        let client = json!({
            "type": "http", "scheme": "basic",
            "description": "the client's id and one of its secrets (RFC 6749, section 2.3.1), \
                            instead of client_id and client_secret in the form",
        });
        let mut document = Document::new("Purchase Fleet", ABOUT)
            .scheme(API_KEY, key)
            .scheme(BEARER, bearer)
            .scheme(RAW_KEY, raw)
            .scheme(CLIENT, client)
            .with_signatures()
            .tag("security", "access tokens")
            .tag("purchases", "ask for a purchase")
            .tag("look-ups", "ask about it")
            .tag("device sales", "a consumer's app pays by card")
            .tag("callbacks", "suppliers confirm")
            .tag("results", "what clients' listeners get")
            .tag("operations", "about the gateway itself");
        client_webhooks(&mut document);
        Self { router: Router::new(), document }
    }

    /// A GET.
    pub(crate) fn get<H, T>(self, path: &str, handler: H, describe: Describe) -> Self
    where
        H: Handler<T, Gateway>,
        T: 'static,
    {
        self.add("get", path, get(handler), describe)
    }

    /// A POST.
    pub(crate) fn post<H, T>(self, path: &str, handler: H, describe: Describe) -> Self
    where
        H: Handler<T, Gateway>,
        T: 'static,
    {
        self.add("post", path, post(handler), describe)
    }

    fn add(
        mut self,
        method: &str,
        path: &str,
        route: MethodRouter<Gateway>,
        describe: Describe,
    ) -> Self {
        let mut operation = describe(&mut self.document);
        if !is_open(path) {
            operation = Shape::of(path).describe_closed(operation, &mut self.document);
        }
        self.document.add(method, path, operation);
        Self { router: self.router.route(path, route), ..self }
    }

    /// The document, and all paths with the one that tells it.
    pub(crate) fn finish(mut self) -> (Value, Router<Gateway>) {
        self.document.add("get", "/openapi.json", describe_document());
        let document = self.document.into_value();
        let text = Bytes::from(format!("{document:#}\n"));
        let tell = async move || ([(header::CONTENT_TYPE, "application/json")], text.clone());
        let router = self
            .router
            .route("/openapi.json", get(tell))
            .method_not_allowed_fallback(async |uri: Uri| {
                Shape::of(uri.path()).answer(WRONG_METHOD)
            })
            .fallback(async |uri: Uri| Shape::of(uri.path()).answer(NO_SUCH_PATH));
        (document, router)
    }
}

fn describe_document() -> Operation {
    let any = Schema::from(serde_json::Map::from_iter([("type".to_owned(), "object".into())]));
    Operation::new("openapi", "This document").tag("operations").reply(
        200,
        "OpenAPI 3.1",
        Content::json(any),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::routes::api;

    /// The router tells its paths only where it prints itself.
    #[test]
    fn each_route_is_in_the_document_and_vice_versa() {
        let (document, router) = api().finish();
        let printed = format!("{router:?}");
        let routes: BTreeSet<&str> = printed
            .split("RouteId(")
            .filter_map(|part| part.split_once("): \"")?.1.split_once('"'))
            .map(|(path, _)| path)
            // Where axum keeps the answer to all others.
            .filter(|path| *path != "/" && !path.contains("__private__axum"))
            .collect();
        let documented = document["paths"].as_object().unwrap();
        let documented: BTreeSet<&str> = documented.keys().map(String::as_str).collect();
        assert_eq!(routes, documented);
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_a_group_and_its_errors() {
        let (document, _) = api().finish();
        let mut names = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let name = operation["operationId"].as_str().unwrap().to_owned();
                assert!(names.insert(name), "{method} {path}");
                assert!(operation["tags"][0].is_string(), "{method} {path}");
                let replies = operation["responses"].as_object().unwrap();
                let fails = replies.keys().any(|status| !status.starts_with('2'));
                assert!(fails || path == "/openapi.json", "{method} {path} never fails?");
            }
        }
    }
}
