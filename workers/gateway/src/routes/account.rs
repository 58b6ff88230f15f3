//! Customer Account Validation: whether an account is there, before anything is bought for it.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use fleet_contracts::openapi::{Content, Document, Operation};
use fleet_contracts::{
    AccountQuery, AccountReply, AccountValidation, Rejection, check_amount, codes, product_for,
    read_body, source_of, target_of,
};
use fleet_domain::ProductId;
use serde_json::json;

use crate::Gateway;
use crate::api::by_client;
use crate::caller::caller;
use crate::client_body::ClientBody;
use crate::problem::{Problem, fails, whole};

type Answer = (StatusCode, [(HeaderName, &'static str); 1], Json<AccountReply>);

const CODES: &str = "`0000`: the account is there. Anything else: it is not, or nobody can tell: \
`2040` above the maximum, `2050` below the minimum, `2060` the supplier did not answer in time, `2080` \
inactive, `2210` invalid data, `2213` invalid MSISDN, and the supplier's other codes of the contract";

/// What the Customer Account Validation is.
pub(crate) fn describe(document: &mut Document) -> Operation {
    let example = json!({
        "clientId": 1001, "productId": 201, "purchaseAmount": 2000,
        "targetIdentifier": "04123456789",
    });
    let body = Content::json(document.read::<AccountValidation>()).example("meter", example);
    let reply = Content::json(document.written::<AccountReply>());
    let operation = Operation::new("customerAccountValidation", "Customer Account Validation")
        .about("Asks the product's supplier whether an account is there; nothing is bought.")
        .tag("look-ups")
        .body(body)
        .reply(200, CODES, reply.clone())
        .header(200, "Cache-Control", "`no-store`")
        .reply(202, "`4010`: the supplier has no such service", reply);
    let problems = [
        Problem::of_field("productId", "is not an active product"),
        Problem::NotAuthorised,
        Problem::Unavailable,
    ];
    fails(by_client(operation), document, &problems)
}

/// POST `/customerAccountValidation/1.0`.
pub(crate) async fn validate(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    ClientBody(body): ClientBody,
) -> Result<Answer, Problem> {
    let present = gateway.directory.current();
    let client = caller(&present, &headers)?;
    let body = whole(body)?;
    let asked: AccountValidation = read_body(&body)?;
    if asked.client_id != client.id.0 {
        return Err(Rejection::field("clientId", "is not the client of this API key").into());
    }
    let source = asked.source_identifier.as_deref();
    let source = source.map(|text| source_of("sourceIdentifier", text)).transpose()?;
    let (product, supplier) = product_for(&present, client, ProductId(asked.product_id))?;
    let target = target_of("targetIdentifier", &asked.target_identifier, product)?;
    check_amount(product, asked.purchase_amount)?;
    let query = AccountQuery {
        product_id: product.id.0,
        target_identifier: &target,
        amount: asked.purchase_amount,
        currency_code: product.currency.code(),
        source_identifier: source.as_deref(),
    };
    let reply = gateway.accounts.ask(supplier, &query).await.ok_or(Problem::Unavailable)?;
    let status = if reply.response_code == codes::SERVICE_NOT_FOUND {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok((status, [(header::CACHE_CONTROL, "no-store")], Json(reply)))
}
