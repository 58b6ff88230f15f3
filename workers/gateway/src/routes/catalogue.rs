//! Financial Terms and Product Lookup: what the present directory says to one client.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use fleet_contracts::openapi::{Content, Document, Operation};
use fleet_contracts::{
    FinancialTermsReply, PURCHASE_AMOUNT_MAX, ProductEntry, Rejection, amounts_of, codes,
    may_ask_for, may_serve, product_for,
};
use fleet_domain::{CHANNEL_IDS, Client, Directory, Product, ProductId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Gateway;
use crate::api::by_client;
use crate::caller::caller;
use crate::parameters::{Sent, channel, check_client, flag, optional, required};
use crate::problem::{Problem, fails};

/// The query of Financial Terms.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TermsParameters {
    /// The client of the key.
    #[schemars(required, with = "i64", extend("minimum" = 1, "maximum" = i64::MAX))]
    client_id: Option<String>,
    /// What is to be bought.
    #[schemars(required, with = "i64", extend("minimum" = 1, "maximum" = i64::MAX))]
    product_id: Option<String>,
    /// Minor units, without the fee.
    #[schemars(required, with = "i64", extend("minimum" = 1, "maximum" = PURCHASE_AMOUNT_MAX))]
    purchase_amount: Option<String>,
}

/// What Financial Terms is.
pub(crate) fn describe_financial_terms(document: &mut Document) -> Operation {
    let query = document.query::<TermsParameters>();
    let reply = Content::json(document.written::<FinancialTermsReply>());
    let operation = Operation::new("financialTerms", "Financial Terms Lookup")
        .about(
            "What a purchase of this product and amount costs, and what of it is whose: by the \
             client's own terms for the product, else by everybody's (`*`). Where there are neither, \
             the product's own fee holds, all of it is the client's share, and the whole of it is \
             settled (`gross`). An unknown product is a 400.",
        )
        .tag("look-ups")
        .parameters(query)
        .reply(200, "the amounts, in minor units", reply);
    let refused =
        |code, problem| Problem::BadRequest(Rejection::code(code, "purchaseAmount", problem));
    let problems = [
        Problem::of_field("productId", "is not an active product"),
        refused(codes::ABOVE_MAX, "is above the maximum of 100000"),
        refused(codes::BELOW_MIN, "is below the minimum of 200"),
        Problem::NotAuthorised,
    ];
    fails(by_client(operation), document, &problems)
}

/// GET `/financial-terms/1.0`. Whatever is wrong is a 400: a 200 tells amounts.
pub(crate) async fn financial_terms(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    parameters: Result<Sent<TermsParameters>, Problem>,
) -> Result<Json<FinancialTermsReply>, Problem> {
    let directory = gateway.directory.current();
    let client = caller(&directory, &headers)?;
    let Sent(parameters) = parameters?;
    check_client(client, parameters.client_id.as_deref())?;
    let product: i64 = required("productId", parameters.product_id.as_deref())?;
    let amount = required("purchaseAmount", parameters.purchase_amount.as_deref())?;
    let (product, _) = product_for(&directory, client, ProductId(product))?;
    let amounts = amounts_of(&directory, client, product, amount).map_err(Problem::BadRequest)?;
    Ok(Json(FinancialTermsReply::of(product, &amounts)))
}

/// The query of the Product Lookup.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductParameters {
    /// The client of the key.
    #[schemars(required, with = "i64", extend("minimum" = 1, "maximum" = i64::MAX))]
    client_id: Option<String>,
    /// Only this product.
    #[schemars(with = "Option<i64>", extend("minimum" = i64::MIN, "maximum" = i64::MAX))]
    product_id: Option<String>,
    /// Only products of this type.
    #[schemars(with = "Option<i64>", extend("minimum" = i64::MIN, "maximum" = i64::MAX))]
    product_type_id: Option<String>,
    /// Also products that cannot be bought at the moment.
    #[schemars(with = "Option<bool>")]
    include_inactive: Option<String>,
    /// Only products that are sold on this channel.
    #[schemars(with = "Option<i32>", extend("enum" = CHANNEL_IDS))]
    channel_id: Option<String>,
    /// Only products of this vendor.
    #[schemars(with = "Option<i64>", extend("minimum" = i64::MIN, "maximum" = i64::MAX))]
    vendor_id: Option<String>,
}

/// What the Product Lookup is.
pub(crate) fn describe_products(document: &mut Document) -> Operation {
    let query = document.query::<ProductParameters>();
    let reply = Content::json(document.written::<Vec<ProductEntry>>());
    let operation = Operation::new("productLookup", "Product Lookup")
        .about("The products that the caller may buy.")
        .tag("look-ups")
        .parameters(query)
        .reply(200, "found", reply)
        .empty(204, "none");
    let problems = [Problem::of_field("clientId", "is missing"), Problem::NotAuthorised];
    fails(by_client(operation), document, &problems)
}

/// GET `/productLookup/2.0`: 204 when nothing fits.
pub(crate) async fn products(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    parameters: Result<Sent<ProductParameters>, Problem>,
) -> Result<Response, Problem> {
    let directory = gateway.directory.current();
    let client = caller(&directory, &headers)?;
    let Sent(parameters) = parameters?;
    check_client(client, parameters.client_id.as_deref())?;
    let wanted = Wanted {
        id: optional("productId", parameters.product_id.as_deref())?,
        type_id: optional("productTypeId", parameters.product_type_id.as_deref())?,
        channel: channel(parameters.channel_id.as_deref())?,
        vendor: optional("vendorId", parameters.vendor_id.as_deref())?,
        inactive: flag("includeInactive", parameters.include_inactive.as_deref())?,
    };
    let mut found = wanted.find(&directory, client);
    if found.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    found.sort_by_key(|entry| entry.public_product.id);
    Ok(Json(found).into_response())
}

struct Wanted {
    id: Option<i64>,
    type_id: Option<i64>,
    channel: Option<i32>,
    vendor: Option<i64>,
    inactive: bool,
}

impl Wanted {
    /// The products that this client may buy, as far as they are asked for.
    fn find(&self, directory: &Directory, client: &Client) -> Vec<ProductEntry> {
        let mut found = Vec::new();
        for product in directory.products.values().filter(|product| self.fits(product)) {
            let supplier = directory.connectors.get(&product.supplier);
            let offered = |c: &&fleet_domain::Connector| {
                may_serve(c, client) && may_ask_for(client, product, c)
            };
            let Some(supplier) = supplier.filter(offered) else { continue };
            let active = product.active && supplier.active;
            if active || self.inactive {
                found.push(ProductEntry::of(product, active));
            }
        }
        found
    }

    fn fits(&self, product: &Product) -> bool {
        let sold_on =
            |channel: i32| product.channels.is_empty() || product.channels.contains(&channel);
        self.id.is_none_or(|id| product.id.0 == id)
            && self.type_id.is_none_or(|id| product.product_type_id == id)
            && self.vendor.is_none_or(|id| product.vendor_id == id)
            && self.channel.is_none_or(sold_on)
    }
}
