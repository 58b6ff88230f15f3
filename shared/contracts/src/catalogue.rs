//! What is sold, on which terms, and whose numbers are whose (contracts, section 1).

use fleet_domain::{Amounts, Country, Operator, Product};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The reply of the Financial Terms Lookup; all amounts in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FinancialTermsReply {
    /// ISO 4217.
    pub currency_code: String,
    /// Without the fee.
    pub purchase_amount: i64,
    /// What is to be reserved: amount and fee.
    pub reserve_amount: i64,
    /// What the supplier is asked for.
    pub vend_amount: i64,
    /// What Transact may name as `feeAmount`.
    pub fee_amount: i64,
    /// What the client settles with us.
    pub settlement_amount: i64,
    /// The client's part of what is reserved.
    pub client_share_amount: i64,
    /// Which terms these are: client (or `*`), product and version; version 0 is the product's own fee,
    /// where no terms were agreed.
    pub lookup_reference: String,
}

impl FinancialTermsReply {
    /// The reply for a product's amounts.
    #[must_use]
    pub fn of(product: &Product, amounts: &Amounts) -> Self {
        Self {
            currency_code: product.currency.code().to_owned(),
            purchase_amount: amounts.purchase_amount,
            reserve_amount: amounts.reserve_amount,
            vend_amount: amounts.vend_amount,
            fee_amount: amounts.fee_amount,
            settlement_amount: amounts.agreed.settlement_amount,
            client_share_amount: amounts.agreed.client_share_amount,
            lookup_reference: amounts.agreed.reference.clone(),
        }
    }
}

/// One entry of the Product Lookup's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductEntry {
    /// The product as clients see it.
    pub public_product: PublicProduct,
}

/// A product as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicProduct {
    /// `productId`.
    pub id: i64,
    /// For people.
    pub name: String,
    /// The number of its type.
    pub product_type_id: i64,
    /// `airtime`, `electricity`, `bill`, `lotto`, `data`.
    pub product_type_name: String,
    /// For buyers.
    pub description: String,
    /// For small screens.
    pub short_description: String,
    /// Whose goods they are.
    pub vendor_id: i64,
    /// For people.
    pub vendor_name: String,
    /// The channels on which it is sold; empty = all.
    pub channels: Vec<i32>,
    /// ISO 4217.
    pub currency_code: String,
    /// Minor units.
    pub min_amount: i64,
    /// Minor units.
    pub max_amount: i64,
    /// False when it cannot be bought at the moment.
    pub active: bool,
}

impl ProductEntry {
    /// The entry of a product.
    #[must_use]
    pub fn of(product: &Product, active: bool) -> Self {
        let text = |text: &str, other: &str| {
            if text.is_empty() { other.to_owned() } else { text.to_owned() }
        };
        Self {
            public_product: PublicProduct {
                id: product.id.0,
                name: product.name.clone(),
                product_type_id: product.product_type_id,
                product_type_name: product.product_type.clone(),
                description: text(&product.description, &product.name),
                short_description: text(&product.short_description, &product.name),
                vendor_id: product.vendor_id,
                vendor_name: product.vendor.clone(),
                channels: product.channels.clone(),
                currency_code: product.currency.code().to_owned(),
                min_amount: product.min_amount,
                max_amount: product.max_amount,
                active,
            },
        }
    }
}

/// The reply of the MNO Lookup.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MnoReply {
    /// Digits, the calling code first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msisdn: Option<String>,
    /// Its country's calling code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_calling_code: Option<i32>,
    /// ISO 3166-1 alpha-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    /// The operator's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_code: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_name: Option<String>,
    /// The number of this look-up.
    pub lookup_ref: String,
    /// `0000`, or why not.
    pub response_code: String,
    /// For people.
    pub response_message: String,
}

impl std::fmt::Debug for MnoReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MnoReply")
            .field("lookup_ref", &self.lookup_ref)
            .field("response_code", &self.response_code)
            .finish_non_exhaustive()
    }
}

impl MnoReply {
    /// No operator, and why.
    #[must_use]
    pub fn failed(lookup_ref: String, code: &str, message: &str) -> Self {
        Self {
            msisdn: None,
            country_calling_code: None,
            country_code: None,
            operator_code: None,
            operator_name: None,
            lookup_ref,
            response_code: code.to_owned(),
            response_message: message.to_owned(),
        }
    }

    /// The operator of a number.
    #[must_use]
    pub fn found(lookup_ref: String, msisdn: String, code: i32, operator: &Operator) -> Self {
        Self {
            msisdn: Some(msisdn),
            country_calling_code: Some(code),
            country_code: Some(operator.country.clone()),
            operator_code: Some(operator.code.clone()),
            operator_name: Some(operator.name.clone()),
            ..Self::failed(lookup_ref, crate::codes::OK, "Success")
        }
    }
}

/// One entry of the country prefixes' list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CountryPrefix {
    /// For people.
    pub country_name: String,
    /// The calling code.
    pub dialing_prefix: i32,
    /// ISO 3166-1 alpha-2.
    pub country_code: String,
}

impl From<&Country> for CountryPrefix {
    fn from(country: &Country) -> Self {
        Self {
            country_name: country.name.clone(),
            dialing_prefix: country.calling_code,
            country_code: country.code.clone(),
        }
    }
}
