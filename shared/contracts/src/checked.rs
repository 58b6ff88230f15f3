//! What a body says of itself, before any rule of today is asked, and what a retry of it is compared
//! by. Only what is refused here cannot be a purchase that was accepted before.

use fleet_domain::{
    Client, Currency, FundingType, Private, Product, Scenario, holds_a_card_number,
    is_a_card_number, phone_number,
};

use crate::identifier::{account_of, check_unseen, targets_a_phone};
use crate::notify::{EMAIL_BYTES_MAX, email};
use crate::timestamp::is_iso_8601;
use crate::{
    PurchaseBody, Rejection, TextOrNumber, channels, check_any_amount, source_of, target_of,
};

/// A body that is a purchase by its form.
#[derive(Debug, Clone)]
pub struct CheckedBody {
    /// As it was sent.
    pub body: PurchaseBody,
    /// Who reserves the funds.
    pub scenario: Scenario,
    /// Of all its amounts.
    pub currency: Currency,
    /// The buyer, as it is kept and compared.
    pub source: Private,
    /// The recipient, meter or account, as it was sent: its product says what it is.
    pub target: Private,
    /// How the buyer pays.
    pub funding: FundingType,
}

impl CheckedBody {
    /// Looks at everything that the body alone decides.
    ///
    /// # Errors
    /// [`Rejection`] with `4000`; it names the field and never repeats a value.
    pub fn of(body: PurchaseBody, scenario: Scenario) -> Result<Self, Rejection> {
        check_texts(&body)?;
        let currency = Currency::from_code(&body.currency_code)
            .map_err(|error| Rejection::field("currencyCode", &error.to_string()))?;
        check_any_amount(body.purchase_amount)?;
        // A card payment's is its account, and no buyer's phone.
        let by_card = body.paid_by == Some(FundingType::CardPayment);
        let source_of = if by_card { account_of } else { source_of };
        let source = source_of("sourceIdentifier", &body.source_identifier)?;
        let target = account_of("targetIdentifier", &body.target_identifier)?;
        if !(1..=i64::from(i32::MAX)).contains(&body.channel_id) {
            return Err(Rejection::field("channelId", "is not a channel"));
        }
        let funding = funding_of(&body, scenario, &source)?;
        let (source, target) = (Private::new(source), Private::new(target));
        Ok(Self { body, scenario, currency, source, target, funding })
    }

    /// The recipient, meter or account, as it is kept and compared.
    ///
    /// # Errors
    /// [`Rejection`] that names the field.
    pub fn target_for(&self, product: &Product) -> Result<Private, Rejection> {
        target_of("targetIdentifier", self.target.expose(), product).map(Private::new)
    }

    /// The funding source that the body names, if it names one.
    #[must_use]
    pub fn named_source(&self) -> Option<String> {
        if self.funding == FundingType::Client {
            return None;
        }
        let source = self.body.funding_source.as_ref().and_then(|source| source.name.clone());
        source.or_else(|| self.body.funding_source_id.as_ref().map(TextOrNumber::text))
    }

    /// What a retry is compared by. Its product says whether the target is a phone's number; without
    /// it, either may have been stored.
    #[must_use]
    pub fn content(&self, client: &Client, product: Option<&Product>) -> Content {
        let named_source = self.named_source();
        let has_default = !matches!(self.funding, FundingType::Client | FundingType::CardPayment);
        let of_client = named_source.is_none() && has_default;
        let body = &self.body;
        let rest = [
            self.scenario.name(),
            &body.product_id.to_string(),
            &body.purchase_amount.to_string(),
            self.currency.code(),
            self.source.expose(),
            self.funding.name(),
            body.reserve_funds_txn_ref.as_deref().unwrap_or_default(),
        ];
        let as_account = Private::new(format!("account {}", self.target.expose()));
        let number = phone_number(self.target.expose());
        let as_number = number.map(|number| Private::new(format!("number {number}")));
        let (target, target_otherwise) = match (as_number, product) {
            (Some(number), Some(product)) if targets_a_phone(product) => (number, Some(as_account)),
            (as_number, _) => (as_account, as_number),
        };
        Content {
            rest: Private::new(joined(&rest)),
            target,
            target_otherwise,
            named_source,
            default_source: client.default_funding_source.clone().filter(|_| of_client),
            fee: body.fee_amount,
        }
    }
}

/// "The same content".
///
/// Product, amounts, currency, source, target, funding source and the client's reservation; never
/// timestamps or session fields, which a retry renews. It is what was *sent*: whatever a rule of today
/// would make of it is not part of it. That a target is a phone's number is such a rule, so both forms
/// are compared, each marked as what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// All but the target, the funding source and the fee.
    pub rest: Private,
    /// The target as this purchase is stored.
    pub target: Private,
    /// The target as an earlier one may have been stored, when its product was another kind of thing.
    pub target_otherwise: Option<Private>,
    /// The funding source that was named.
    pub named_source: Option<String>,
    /// The one that is meant now where none is named.
    pub default_source: Option<String>,
    /// The fee that was named: a purchase that names none is the same one whatever the fee was.
    pub fee: Option<i64>,
}

/// What is stored of a purchase to compare a retry with.
#[derive(Debug, Clone, Copy)]
pub struct StoredContent<'a> {
    /// The keyed hash of [`Content::text`].
    pub fingerprint: &'a [u8],
    /// The connector that funds it.
    pub funding_source: &'a str,
    /// Minor units.
    pub fee_amount: i64,
}

impl Content {
    /// The text whose keyed hash is stored.
    #[must_use]
    pub fn text(&self) -> Private {
        self.with(&self.target, self.named_source.as_deref())
    }

    /// Whether a stored purchase has this content. Naming the source that the client's purchases are
    /// funded by anyway is no other content than naming none.
    #[must_use]
    pub fn is_of(&self, stored: StoredContent<'_>, hash: impl Fn(&Private) -> Vec<u8>) -> bool {
        if self.fee.is_some_and(|fee| fee != stored.fee_amount) {
            return false;
        }
        let targets = || [Some(&self.target), self.target_otherwise.as_ref()].into_iter().flatten();
        let is = |source: Option<&str>| {
            targets().any(|target| hash(&self.with(target, source)) == stored.fingerprint)
        };
        let named = self.named_source.as_deref();
        is(named)
            || match named {
                Some(named) => named == stored.funding_source && is(None),
                None => self.default_source.as_deref().is_some_and(|source| is(Some(source))),
            }
    }

    fn with(&self, target: &Private, source: Option<&str>) -> Private {
        let parts = [self.rest.expose(), target.expose(), source.unwrap_or_default()];
        Private::new(joined(&parts))
    }
}

/// Each part with its length: no two lists come to the same text.
fn joined(parts: &[&str]) -> String {
    parts.iter().map(|part| format!("{}:{part}", part.len())).collect()
}

/// How the buyer pays, if that fits who reserves.
fn funding_of(
    body: &PurchaseBody,
    scenario: Scenario,
    source: &str,
) -> Result<FundingType, Rejection> {
    let funding = body.funding_type(scenario)?;
    match (scenario, funding) {
        (Scenario::WeReserve, FundingType::MoCharge) => check_msisdn(source)?,
        (Scenario::ClientReserved, FundingType::Client)
        | (Scenario::WeReserve, FundingType::Bank | FundingType::CardPayment) => {}
        (Scenario::WeReserve, FundingType::CardSale) if body.paid_by.is_none() => {
            let problem = "needs an access token: POST /consumers/{id}/access-tokens";
            return Err(Rejection::field("fundingSource.type", problem));
        }
        (Scenario::WeReserve, FundingType::CardSale) => {}
        (Scenario::ClientReserved, _) | (Scenario::WeReserve, FundingType::Client) => {
            let problem = format!("does not fit the scenario {scenario}");
            return Err(Rejection::field("fundingSource.type", &problem));
        }
    }
    Ok(funding)
}

/// An operator charges numbers only.
fn check_msisdn(number: &str) -> Result<(), Rejection> {
    if (7..=15).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(Rejection::field("sourceIdentifier", "must be an MSISDN of 7 to 15 digits"))
}

/// What a text may be mistaken for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Words for people, in which anything may stand.
    Free,
    /// A name of its sender's own.
    Reference,
    /// Never a card: it is kept under seal.
    Account,
}

/// A body's texts with the most characters of each.
fn texts(body: &PurchaseBody) -> [(&'static str, Option<&String>, usize, Kind); 17] {
    use Kind::{Account, Free, Reference};
    let fraud = body.fraud.as_ref();
    // A card payment's is its `order_info`.
    let by_card = body.paid_by == Some(FundingType::CardPayment);
    let order = if by_card { Free } else { Reference };
    [
        ("clientTxnRef", Some(&body.client_txn_ref), 64, order),
        ("accountIdentifier", body.account_identifier.as_ref(), 64, Account),
        ("authCode", body.auth_code.as_ref(), 64, Reference),
        ("channelName", body.channel_name.as_ref(), 64, Free),
        ("channelSessionId", body.channel_session_id.as_ref(), 64, Reference),
        ("reserveFundsTxnRef", body.reserve_funds_txn_ref.as_ref(), 64, Reference),
        ("timestamp", body.timestamp.as_ref(), 64, Reference),
        ("notifyEmail", body.notify_email.as_ref(), EMAIL_BYTES_MAX, Free),
        ("fraud.token", fraud.and_then(|f| f.token.as_ref()), 512, Reference),
        ("fraud.userIp", fraud.and_then(|f| f.user_ip.as_ref()), 64, Reference),
        ("fraud.userAgent", fraud.and_then(|f| f.user_agent.as_ref()), 1024, Free),
        (
            "fraud.validateTimestamp",
            fraud.and_then(|f| f.validate_timestamp.as_ref()),
            64,
            Reference,
        ),
        ("fraud.pricePoint", fraud.and_then(|f| f.price_point.as_ref()), 64, Free),
        ("fraud.billingFrequency", fraud.and_then(|f| f.billing_frequency.as_ref()), 64, Free),
        ("fraud.shortcode", fraud.and_then(|f| f.shortcode.as_ref()), 64, Reference),
        ("fraud.externalUserId", fraud.and_then(|f| f.external_user_id.as_ref()), 128, Reference),
        (
            "fraud.externalProductId",
            fraud.and_then(|f| f.external_product_id.as_ref()),
            128,
            Reference,
        ),
    ]
}

/// Refuses a reference that is a card number, unless the client's references are numbers.
///
/// # Errors
/// [`Rejection`] that names the field.
pub(crate) fn check_references(client: &Client, body: &PurchaseBody) -> Result<(), Rejection> {
    if client.references_are_numbers {
        return Ok(());
    }
    let is_card = |text: Option<&String>| text.is_some_and(|text| is_a_card_number(text));
    let mut references = texts(body).into_iter().filter(|(.., kind)| *kind == Kind::Reference);
    match references.find(|(_, text, ..)| is_card(*text)) {
        Some((field, ..)) => Err(Rejection::card(field)),
        None => Ok(()),
    }
}

fn check_texts(body: &PurchaseBody) -> Result<(), Rejection> {
    if body.client_txn_ref.is_empty() {
        return Err(Rejection::field("clientTxnRef", "is empty"));
    }
    for (field, text, max, kind) in texts(body) {
        let Some(text) = text else { continue };
        if text.chars().count() > max {
            return Err(Rejection::field(field, &format!("is longer than {max} characters")));
        }
        if text.chars().any(char::is_control) {
            return Err(Rejection::field(field, "has control characters"));
        }
        if kind == Kind::Account {
            check_unseen(field, text)?;
        }
        if kind == Kind::Free && holds_a_card_number(text) {
            return Err(Rejection::card(field));
        }
    }
    if let Some(timestamp) = &body.timestamp
        && !is_iso_8601(timestamp)
    {
        return Err(Rejection::field("timestamp", "is not an ISO 8601 date and time"));
    }
    if body.notify_email.as_deref().is_some_and(|address| email(address).is_none()) {
        return Err(Rejection::field("notifyEmail", "is not an e-mail address"));
    }
    for (field, list) in [("deliver", &body.deliver), ("notify", &body.notify)] {
        if list
            .as_ref()
            .is_some_and(|list| list.len() > 8 || list.iter().any(|n| n.chars().count() > 64))
        {
            return Err(Rejection::field(field, "has more than 8 names or one over 64 characters"));
        }
    }
    channels::check_names(body)
}
