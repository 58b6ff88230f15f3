//! What a client asks about one buyer's purchases: its own purchases only.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use fleet_contracts::openapi::{Content, Document, Operation};
use fleet_contracts::{
    Attribute, BoughtToken, IDENTIFIER, InFlight, InFlightCheck, InFlightReply, Rejection,
    TokensReply, UserTransaction, UserTransactionsReply, check_any_amount, read_body, source_of,
    target_of,
};
use fleet_domain::{CHANNEL_IDS, Client, Directory, ProductId, Purchase};
use fleet_store::{OfBuyer, Similar};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::Gateway;
use crate::api::by_client;
use crate::caller::caller;
use crate::client_body::ClientBody;
use crate::parameters::{Sent, channel, optional, own_number};
use crate::problem::{Problem, fails, whole};

/// Rows of an answer when the query names no limit.
const LIMIT_USUAL: u32 = 10;
/// Rows of an answer at most.
const LIMIT_MAX: u32 = 50;

/// An answer with personal data or vouchers in it: nobody on the way may keep it.
type Private<T> = ([(HeaderName, &'static str); 1], Json<T>);

const fn private<T>(body: T) -> Private<T> {
    ([(header::CACHE_CONTROL, "no-store")], Json(body))
}

/// POST `/in-flight-transaction-check/1.0`.
pub(crate) async fn in_flight(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    ClientBody(body): ClientBody,
) -> Result<Json<InFlightReply>, Problem> {
    let present = gateway.directory.current();
    let client = caller(&present, &headers)?;
    let body = whole(body)?;
    let asked: InFlightCheck = read_body(&body)?;
    let source = source_of("sourceIdentifier", &asked.source_identifier)?;
    check_any_amount(asked.purchase_amount)?;
    let product = present.products.get(&ProductId(asked.product_id));
    let own = product.filter(|_product| asked.client_id == client.id.0);
    let product = own.ok_or(Problem::NotFound)?;
    let target = target_of("targetIdentifier", &asked.target_identifier, product)?;
    let _pass = gateway.doors.client(client.id).await?;
    let similar = Similar {
        client: client.id,
        source: &source,
        target: &target,
        product: product.id,
        purchase_amount: asked.purchase_amount,
    };
    let found = gateway.store.in_flight(similar).await?;
    let in_flight = |(id, created): (fleet_domain::PurchaseId, _)| InFlight {
        raas_txn_ref: id.to_string(),
        created,
    };
    let transactions: Vec<InFlight> = found.into_iter().map(in_flight).collect();
    Ok(Json(InFlightReply { has_pending_transactions: !transactions.is_empty(), transactions }))
}

/// The query of both look-ups; unknown parameters are ignored.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parameters {
    /// The client of the key.
    #[schemars(required, with = "i64", extend("minimum" = 1, "maximum" = i64::MAX))]
    client_id: Option<String>,
    /// The buyer.
    #[schemars(required, with = "String", length(min = 1, max = 32), regex(pattern = IDENTIFIER))]
    source_identifier: Option<String>,
    /// Only purchases on this channel.
    #[schemars(with = "Option<i32>", extend("enum" = CHANNEL_IDS))]
    channel_id: Option<String>,
    /// Only of this product.
    #[schemars(with = "Option<i64>", extend("minimum" = i64::MIN, "maximum" = i64::MAX))]
    product_id: Option<String>,
    /// Only of products of this type.
    #[schemars(with = "Option<i64>", extend("minimum" = i64::MIN, "maximum" = i64::MAX))]
    product_type_id: Option<String>,
    /// Rows of the answer, the newest first, 1 to 50; the operation says how many without it.
    #[schemars(with = "Option<i32>", extend("minimum" = 1, "maximum" = LIMIT_MAX))]
    limit: Option<String>,
}

/// What the In-Flight Check is.
pub(crate) fn describe_in_flight(document: &mut Document) -> Operation {
    let example = json!({
        "clientId": 1001, "sourceIdentifier": "27821234567", "targetIdentifier": "27821234567",
        "productId": 101, "purchaseAmount": 1500,
    });
    let body = Content::json(document.read::<InFlightCheck>()).example("airtime", example);
    let reply = Content::json(document.written::<InFlightReply>());
    let operation = Operation::new("inFlightCheck", "In-Flight Transaction Check")
        .about("Whether a similar purchase is under way: all five fields are the same.")
        .tag("look-ups")
        .body(body)
        .reply(200, "those under way, or none", reply);
    let problem = Problem::of_field("purchaseAmount", "must be 1 to 999999999999 minor units");
    failing(operation, document, problem)
}

/// What the User Transaction Lookup is.
pub(crate) fn describe_transactions(document: &mut Document) -> Operation {
    let query = document.query::<Parameters>();
    let reply = Content::json(document.written::<UserTransactionsReply>());
    let operation = Operation::new("userTransactionLookup", "User Transaction Lookup")
        .about(
            "The buyer's last purchase; with `limit`, or a channel or product to look for, the latest \
             of each product: 10 of them, or `limit`. The last 30 days, failed ones left out.",
        )
        .tag("look-ups")
        .parameters(query)
        .reply(200, "found, or none", reply)
        .header(200, "Cache-Control", "`no-store`");
    failing(operation, document, Problem::of_field("sourceIdentifier", "is missing"))
}

/// What the Token Lookup is.
pub(crate) fn describe_tokens(document: &mut Document) -> Operation {
    let query = document.query::<Parameters>();
    let reply = Content::json(document.written::<TokensReply>());
    let operation = Operation::new("tokenLookup", "Token Lookup")
        .about(
            "The tokens (vouchers) that a buyer bought, whoever they were for: the newest 10, or \
             `limit` of them, among the buyer's newest 1000 purchases.",
        )
        .tag("look-ups")
        .parameters(query)
        .reply(200, "found, or none", reply)
        .header(200, "Cache-Control", "`no-store`");
    failing(operation, document, Problem::of_field("sourceIdentifier", "is missing"))
}

fn failing(operation: Operation, document: &mut Document, malformed: Problem) -> Operation {
    let others = [Problem::NotAuthorised, Problem::NotFound, Problem::Unavailable];
    let [not_authorised, not_found, unavailable] = others;
    let problems = [malformed, not_authorised, not_found, unavailable];
    fails(by_client(operation), document, &problems)
}

/// A query that makes sense.
struct Asked {
    source: String,
    channel: Option<i32>,
    products: Option<Vec<ProductId>>,
    limit: Option<u32>,
}

impl Asked {
    fn read(
        directory: &Directory,
        client: &Client,
        parameters: Result<Sent<Parameters>, Problem>,
    ) -> Result<Self, Problem> {
        let Sent(sent) = parameters?;
        own_number(client, sent.client_id.as_deref())?;
        let source = sent.source_identifier.as_deref();
        let source = source.ok_or_else(|| Rejection::field("sourceIdentifier", "is missing"))?;
        let source = source_of("sourceIdentifier", source)?;
        let limit = optional::<u32>("limit", sent.limit.as_deref())?;
        if limit.is_some_and(|limit| !(1..=LIMIT_MAX).contains(&limit)) {
            return Err(Rejection::field("limit", &format!("must be 1 to {LIMIT_MAX}")).into());
        }
        let channel = channel(sent.channel_id.as_deref())?;
        let product = optional("productId", sent.product_id.as_deref())?.map(ProductId);
        let wanted_type = optional::<i64>("productTypeId", sent.product_type_id.as_deref())?;
        let products = match (product, wanted_type) {
            (None, None) => None,
            (product, wanted_type) => Some(
                directory
                    .products
                    .values()
                    .filter(|one| product.is_none_or(|id| one.id == id))
                    .filter(|one| wanted_type.is_none_or(|id| one.product_type_id == id))
                    .map(|one| one.id)
                    .collect(),
            ),
        };
        Ok(Self { source, channel, products, limit })
    }

    fn of(&self, client: &Client, limit: u32) -> OfBuyer<'_> {
        OfBuyer {
            client: client.id,
            source: &self.source,
            channel: self.channel,
            products: self.products.as_deref(),
            limit,
        }
    }
}

/// GET `/userTransactionLookup/1.0`: the buyer's last purchase, or with other parameters than the
/// required ones the latest of each product.
pub(crate) async fn transactions(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    parameters: Result<Sent<Parameters>, Problem>,
) -> Result<Private<UserTransactionsReply>, Problem> {
    let present = gateway.directory.current();
    let client = caller(&present, &headers)?;
    let asked = Asked::read(&present, client, parameters)?;
    let plain = asked.channel.is_none() && asked.products.is_none();
    let limit = asked.limit.unwrap_or(if plain { 1 } else { LIMIT_USUAL });
    let _pass = gateway.doors.client(client.id).await?;
    let found = gateway.store.recent_purchases(asked.of(client, limit)).await?;
    let transactions = found.iter().map(|purchase| transaction(&present, purchase)).collect();
    Ok(private(UserTransactionsReply { transactions }))
}

fn transaction(directory: &Directory, purchase: &Purchase) -> UserTransaction {
    let order = &purchase.order;
    UserTransaction {
        channel_id: order.channel_id,
        client_id: order.client.0,
        raas_txn_ref: order.id.to_string(),
        transaction_date: purchase.progress.created_at,
        product_id: order.product.0,
        description: description(directory, purchase),
        purchase_amount: order.purchase_amount,
        target_identifier: order.target.expose().to_owned(),
    }
}

fn description(directory: &Directory, purchase: &Purchase) -> String {
    let product = directory.products.get(&purchase.order.product);
    product.map(|product| product.name.clone()).unwrap_or_default()
}

/// GET `/tokenLookup/1.0`: the tokens that a buyer bought, whoever they were for.
pub(crate) async fn tokens(
    State(gateway): State<Gateway>,
    headers: HeaderMap,
    parameters: Result<Sent<Parameters>, Problem>,
) -> Result<Private<TokensReply>, Problem> {
    let present = gateway.directory.current();
    let client = caller(&present, &headers)?;
    let asked = Asked::read(&present, client, parameters)?;
    let limit = asked.limit.unwrap_or(LIMIT_USUAL);
    let _pass = gateway.doors.client(client.id).await?;
    let found = gateway.store.voucher_purchases(asked.of(client, limit)).await?;
    let tokens = found.iter().filter_map(|purchase| bought(&present, purchase)).collect();
    Ok(private(TokensReply { tokens }))
}

fn bought(directory: &Directory, purchase: &Purchase) -> Option<BoughtToken> {
    let (order, progress) = (&purchase.order, &purchase.progress);
    let product = directory.products.get(&order.product);
    let attribute =
        |name: &str, value: &str| Attribute { name: name.to_owned(), value: value.to_owned() };
    let mut attributes = vec![attribute("currencyCode", order.currency.code())];
    attributes.extend(progress.supplier_ref.as_deref().map(|text| attribute("supplierRef", text)));
    Some(BoughtToken {
        client_id: order.client.0,
        channel_id: order.channel_id,
        product_id: order.product.0,
        product_type_id: product.map(|one| one.product_type_id).unwrap_or_default(),
        description: description(directory, purchase),
        attributes,
        raas_txn_ref: order.id.to_string(),
        transaction_date: progress.created_at,
        purchase_amount: order.purchase_amount,
        token: progress.voucher.as_ref()?.expose().to_owned(),
    })
}
