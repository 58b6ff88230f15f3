//! The supplier interface (contracts, section 1, "Supplier interface").

use fleet_domain::{Job, Private};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The body of a vend.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the document's own")]
pub struct VendRequest<'a> {
    pub vend_ref: String,
    pub raas_txn_ref: String,
    pub product_id: i64,
    pub target_identifier: &'a str,
    pub amount: i64,
    pub currency_code: &'static str,
    pub source_identifier: &'a str,
}

impl std::fmt::Debug for VendRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VendRequest").field("vend_ref", &self.vend_ref).finish_non_exhaustive()
    }
}

impl<'a> VendRequest<'a> {
    /// The request of a job, under its vend number.
    #[must_use]
    pub fn of(job: &'a Job) -> Self {
        let order = &job.purchase.order;
        Self {
            vend_ref: order.vend_ref(job.task.ref_no),
            raas_txn_ref: order.id.to_string(),
            product_id: order.product.0,
            target_identifier: order.target.expose(),
            amount: order.purchase_amount,
            currency_code: order.currency.code(),
            source_identifier: order.source.expose(),
        }
    }
}

/// A supplier's answer to a vend, to a look-up, and in a confirmation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VendReply {
    /// The vend that it speaks of; only confirmations must name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vend_ref: Option<String>,
    /// `0000`, pending, or why not.
    #[serde(deserialize_with = "crate::plain::code")]
    pub response_code: String,
    /// For people; never logged.
    #[serde(default)]
    pub response_message: String,
    /// The supplier's reference.
    #[serde(default, deserialize_with = "crate::plain::reference")]
    pub supplier_ref: Option<String>,
    /// The voucher, where the product has one.
    #[serde(default)]
    pub token: Option<String>,
    /// Minor units.
    #[serde(default, deserialize_with = "crate::number::optional")]
    #[schemars(schema_with = "crate::number::optional_schema")]
    pub vend_amount: Option<i64>,
}

impl std::fmt::Debug for VendReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VendReply")
            .field("response_code", &self.response_code)
            .field("supplier_ref", &self.supplier_ref)
            .finish_non_exhaustive()
    }
}

impl VendReply {
    /// Reads a confirmation.
    ///
    /// # Errors
    /// serde's, for anything but an object of these fields.
    pub fn from_bytes(body: &[u8]) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let reply = crate::object::without(&[], &mut deserializer)?;
        deserializer.end()?;
        Ok(reply)
    }

    /// What it tells besides the words that its fact is found by: its own code, which several may map
    /// to one of the contract, and the goods.
    #[must_use]
    pub fn meaning(&self) -> Private {
        let voucher = self.token.as_deref().unwrap_or_default();
        let told = serde_json::json!([self.response_code, voucher, self.vend_amount]);
        Private::new(told.to_string())
    }

    /// The voucher under its cover.
    #[must_use]
    pub fn voucher(&self) -> Option<Private> {
        self.token.clone().filter(|token| !token.is_empty()).map(Private::new)
    }
}
