//! The supplier interface (contracts, section 1, "Supplier interface").

use fleet_domain::{Job, Private};
use schemars::JsonSchema;
use serde::Serialize;

use crate::told::{FromTold, Told, Unreadable, read_told};

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
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VendReply {
    /// The vend that it speaks of; only confirmations must name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vend_ref: Option<String>,
    /// `0000`, pending, or why not.
    pub response_code: String,
    /// For people; never logged.
    #[serde(default)]
    pub response_message: String,
    /// The supplier's reference.
    #[serde(default)]
    pub supplier_ref: Option<String>,
    /// The voucher, where the product has one.
    #[serde(default)]
    pub token: Option<String>,
    /// Minor units.
    #[serde(default)]
    #[schemars(schema_with = "crate::number::optional_schema")]
    pub vend_amount: Option<i64>,
    /// A `vendAmount` was there that is none.
    #[serde(skip)]
    pub odd_amount: bool,
}

impl FromTold for VendReply {
    fn from_told(told: &Told) -> Result<Self, Unreadable> {
        let vend_amount = told.minor("vendAmount");
        Ok(Self {
            vend_ref: told.text("vendRef").ok().flatten(),
            response_code: told.code("responseCode")?,
            response_message: told.words("responseMessage"),
            supplier_ref: told.reference("supplierRef"),
            token: told.text("token")?,
            odd_amount: vend_amount.is_err(),
            vend_amount: vend_amount.unwrap_or_default(),
        })
    }
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
    /// [`Unreadable`] for what leaves open whether it was vended, or what.
    pub fn from_bytes(body: &[u8]) -> Result<Self, Unreadable> {
        read_told(body)
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
