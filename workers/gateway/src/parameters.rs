//! Parameters of look-ups: whose they are, and numbers that name their field when they are none.

use std::str::FromStr;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use fleet_contracts::Rejection;
use fleet_domain::Client;

use crate::problem::Problem;

/// The parameters, when they can be read at all; unknown ones are ignored.
pub(crate) fn read<T>(parameters: Result<Query<T>, QueryRejection>) -> Result<T, Rejection> {
    let Query(parameters) =
        parameters.map_err(|_error| Rejection::field("query", "is not readable"))?;
    Ok(parameters)
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
    match sent.unwrap_or_default().parse::<i64>() {
        Ok(id) if id == client.id.0 => Ok(()),
        Ok(_) => Err(Problem::NotFound),
        Err(_) => Err(Rejection::field("clientId", "is missing or no number").into()),
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
    let text = sent.map(str::trim).filter(|text| !text.is_empty());
    let read = |text: &str| text.parse().map_err(|_error| Rejection::field(field, "is no number"));
    text.map(read).transpose()
}

/// `true` or `false`, if there is any text.
pub(crate) fn flag(field: &str, sent: Option<&str>) -> Result<bool, Rejection> {
    match sent.map(str::trim).unwrap_or_default() {
        "true" | "1" => Ok(true),
        "" | "false" | "0" => Ok(false),
        _ => Err(Rejection::field(field, "must be true or false")),
    }
}
