//! MNO Lookup and country prefixes: whose number it is, by imported data.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use fleet_contracts::openapi::{Content, Document, Operation};
use fleet_contracts::{CountryPrefix, MnoReply, Rejection, TransactReply, check_unseen, codes};
use fleet_store::{Store, StoreError};
use schemars::{JsonSchema, json_schema};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::Gateway;
use crate::api::by_client;
use crate::caller::caller;
use crate::msisdn::normalise;
use crate::parameters::{Sent, check_client, required};
use crate::problem::{Problem, fails};

/// How long the one query for a ported number may take.
const ASK_FOR: Duration = Duration::from_secs(2);

/// The query of the MNO Lookup.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MnoParameters {
    /// The client of the key.
    #[schemars(required, with = "i64", extend("minimum" = 1, "maximum" = i64::MAX))]
    client_id: Option<String>,
    /// The number.
    #[schemars(required, with = "String", regex(pattern = "[0-9]"))]
    msisdn: Option<String>,
    /// Its country's calling code; any other text is no country's.
    #[schemars(required, with = "String", regex(pattern = "[0-9]"))]
    country_calling_code: Option<String>,
}

/// What the MNO Lookup is.
pub(crate) fn describe_operator(document: &mut Document) -> Operation {
    let query = document.query::<MnoParameters>();
    let (reply, problem) = (document.written::<MnoReply>(), document.written::<TransactReply>());
    let either = json_schema!({ "anyOf": [reply, problem] });
    let unknown = json!({
        "lookupRef": "0198f000-0000-4000-8000-000000000000",
        "responseCode": codes::OPERATOR_NOT_IDENTIFIED,
        "responseMessage": "the operator of msisdn is not known",
    });
    let text = format!("`{}`: the operator is not known", codes::OPERATOR_NOT_IDENTIFIED);
    let found = "`0000`: found; `9010`: no number of this country, also by its length, or no country; \
                 `9030`: not found in time";
    let operation = Operation::new("mnoLookup", "MNO Lookup")
        .about("The mobile network operator of a number.")
        .tag("look-ups")
        .parameters(query)
        .reply(200, found, Content::json(reply))
        .reply(400, &text, Content::json(either).example("unknown", unknown));
    let problems =
        [Problem::of_field("msisdn", "is missing"), Problem::NotAuthorised, Problem::Unavailable];
    fails(by_client(operation), document, &problems)
}

/// GET `/mnoLookup/1.0`.
pub(crate) async fn operator(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    parameters: Result<Sent<MnoParameters>, Problem>,
) -> Result<(StatusCode, Json<MnoReply>), Problem> {
    let directory = gateway.directory.current();
    let client = caller(&directory, &headers)?;
    let Sent(parameters) = parameters?;
    check_client(client, parameters.client_id.as_deref())?;
    let msisdn = parameters.msisdn.ok_or_else(|| Rejection::field("msisdn", "is missing"))?;
    let code: String = required("countryCallingCode", parameters.country_calling_code.as_deref())?;
    let reference = Uuid::new_v4().to_string();
    let failed = |status: StatusCode, code: &str, message: &str| {
        Ok((status, Json(MnoReply::failed(reference.clone(), code, message))))
    };
    if let Err(unseen) = check_unseen("msisdn", &msisdn) {
        return failed(StatusCode::OK, codes::WRONG_MSISDN, &unseen.message);
    }
    // A code that is no number is no country's, as one that nobody has.
    let code = code.parse::<i32>().ok().filter(|code| directory.numbering.knows(*code));
    let Some(code) = code else {
        let message = "countryCallingCode is no country's";
        return failed(StatusCode::OK, codes::WRONG_MSISDN, message);
    };
    let Some(digits) = normalise(&directory.numbering, &msisdn, code) else {
        let message = "msisdn is no number of countryCallingCode";
        return failed(StatusCode::OK, codes::WRONG_MSISDN, message);
    };
    let _pass = gateway.doors.client(client.id).await?;
    let ported = match ported(&gateway.store, &digits).await {
        Ok(ported) => ported,
        Err(StoreError::Retry { .. }) => {
            let message = "the operator was not found in time: ask again";
            return failed(StatusCode::OK, codes::LOOKUP_TIMEOUT, message);
        }
        Err(error) => return Err(error.into()),
    };
    let operator = match ported {
        Some(operator) => directory.numbering.operators.get(&operator),
        None => directory.numbering.operator_of(&digits),
    };
    let Some(operator) = operator else {
        let message = "the operator of msisdn is not known";
        return failed(StatusCode::BAD_REQUEST, codes::OPERATOR_NOT_IDENTIFIED, message);
    };
    let found = MnoReply::found(reference, digits, code, operator);
    Ok((StatusCode::OK, Json(found)))
}

async fn ported(store: &Store, digits: &str) -> Result<Option<String>, StoreError> {
    match tokio::time::timeout(ASK_FOR, store.ported_to(digits)).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(StoreError::Retry { cause: "no answer in time".to_owned() }),
    }
}

/// The query of the country prefixes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PrefixParameters {
    /// ISO 3166-1 alpha-2; all countries when absent.
    #[schemars(regex(pattern = "^([A-Za-z]{2})?$"))]
    country_code: Option<String>,
}

/// What the country prefixes are.
pub(crate) fn describe_country_prefixes(document: &mut Document) -> Operation {
    let query = document.query::<PrefixParameters>();
    let reply = Content::json(document.written::<Vec<CountryPrefix>>());
    let operation = Operation::new("lookupCountryPrefix", "Country prefixes")
        .tag("look-ups")
        .parameters(query)
        .reply(200, "all countries, or the one asked for", reply);
    let problem = Problem::of_field("countryCode", "must be two letters (ISO 3166-1 alpha-2)");
    fails(by_client(operation), document, &[problem, Problem::NotAuthorised])
}

/// GET `/lookupCountryPrefix/1.0`: all countries, or one.
pub(crate) async fn country_prefixes(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    parameters: Result<Sent<PrefixParameters>, Problem>,
) -> Result<Json<Vec<CountryPrefix>>, Problem> {
    let directory = gateway.directory.current();
    caller(&directory, &headers)?;
    let Sent(parameters) = parameters?;
    let wanted = parameters.country_code;
    if wanted
        .as_ref()
        .is_some_and(|code| code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_alphabetic()))
    {
        let problem = "must be two letters (ISO 3166-1 alpha-2)";
        return Err(Rejection::field("countryCode", problem).into());
    }
    let countries = directory.numbering.countries.values();
    let fits = |code: &str| wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(code));
    Ok(Json(countries.filter(|country| fits(&country.code)).map(CountryPrefix::from).collect()))
}
