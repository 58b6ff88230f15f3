//! Parameters of look-ups: one that is there and empty is absent, everywhere; whose they are, and
//! numbers that name their field when they are none.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use fleet_contracts::{Rejection, channel_of};
use fleet_domain::{Client, truth};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The parameters of a request, without those that say nothing.
pub(crate) struct Sent<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = filled(parts.uri.query().unwrap_or_default());
        let unreadable = || Problem::from(Rejection::field("query", "is not readable"));
        let uri = Uri::try_from(format!("/?{query}")).map_err(|_error| unreadable())?;
        let Query(read) = Query::try_from_uri(&uri).map_err(|_error| unreadable())?;
        Ok(Self(read))
    }
}

/// The parameters whose values are more than blanks.
fn filled(query: &str) -> String {
    let says_something = |pair: &&str| {
        let value = pair.split_once('=').map_or("", |(_, value)| value);
        !value.replace("%20", "").replace('+', "").is_empty()
    };
    query.split('&').filter(says_something).collect::<Vec<_>>().join("&")
}

/// Refuses a `clientId` that is missing or another client's.
pub(crate) fn check_client(client: &Client, sent: Option<&str>) -> Result<(), Rejection> {
    if required::<i64>("clientId", sent)? == client.id.0 {
        return Ok(());
    }
    Err(Rejection::field("clientId", "is not the client of this API key"))
}

/// The same where something is looked for: nothing of another client's is found.
pub(crate) fn own_number(client: &Client, sent: Option<&str>) -> Result<(), Problem> {
    match optional::<i64>("clientId", sent) {
        Ok(Some(id)) if id == client.id.0 => Ok(()),
        Ok(Some(_)) => Err(Problem::NotFound),
        Ok(None) | Err(_) => Err(Rejection::field("clientId", "is missing or no number").into()),
    }
}

/// A number that must be there.
pub(crate) fn required<T: FromStr>(field: &str, sent: Option<&str>) -> Result<T, Rejection> {
    optional(field, sent)?.ok_or_else(|| Rejection::field(field, "is missing"))
}

/// A number, if there is any text.
pub(crate) fn optional<T: FromStr>(
    field: &str,
    sent: Option<&str>,
) -> Result<Option<T>, Rejection> {
    let read =
        |text: &str| text.trim().parse().map_err(|_error| Rejection::field(field, "is no number"));
    sent.map(read).transpose()
}

/// `channelId`, if there is any text: one of those that purchases are made on.
pub(crate) fn channel(sent: Option<&str>) -> Result<Option<i32>, Rejection> {
    optional("channelId", sent)?.map(channel_of).transpose()
}

/// Yes or no; no, if there is no text.
pub(crate) fn flag(field: &str, sent: Option<&str>) -> Result<bool, Rejection> {
    let wrong = || Rejection::field(field, "must be true or false");
    sent.map_or(Ok(false), |word| truth(word).ok_or_else(wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_not_there() {
        for (query, left) in [
            ("", ""),
            ("limit=&channelId=", ""),
            ("limit", ""),
            ("&&a=1&", "a=1"),
            ("a=+%20&b=%2B", "b=%2B"),
            ("limit=&limit=5&x==", "limit=5&x=="),
        ] {
            assert_eq!(filled(query), left, "{query}");
        }
    }
}
