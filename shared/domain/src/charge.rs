//! An operator's SMS charge, as data (contracts, section 3).

use serde::{Deserialize, Serialize};

use crate::{Connector, Order, Product};

/// What an operator's SMS charge says of us, and how its answers are read. The connector's secret is
/// the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoAccount {
    /// `campaign:<hex>`: the service.
    pub campaign: String,
    /// `partner:<uuid>`: the merchant.
    pub merchant: String,
    /// `production` or `test`: charges of any other are not believed.
    pub environment: String,
    /// The user of Basic auth.
    pub user: String,
    /// What stands on the customer's bill.
    pub description: String,
    /// The words of `status` by which `check_transaction` says that the buyer was charged.
    #[serde(default = "MoAccount::usual_accepting")]
    pub accepting: Vec<String>,
    /// The words by which it says that the buyer was not. Any other says neither.
    #[serde(default = "MoAccount::usual_refusing")]
    pub refusing: Vec<String>,
}

/// What SMS charges say of what is bought: of a product where it has words of its own, of an order all of
/// it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoOfProduct {
    /// The service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// What stands on the customer's bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl MoAccount {
    /// No page gives the word of success, so all that were seen are taken.
    #[must_use]
    pub fn usual_accepting() -> Vec<String> {
        ["CHARGED", "success"].map(str::to_owned).into()
    }

    /// Whether this word says that the buyer was charged, where no account says more.
    #[must_use]
    pub fn usually_accepts(word: &str) -> bool {
        holds(&Self::usual_accepting(), word)
    }

    /// The words of a refusal where nothing is said.
    #[must_use]
    pub fn usual_refusing() -> Vec<String> {
        vec!["error".to_owned()]
    }

    /// Whether this word says that the buyer was charged.
    #[must_use]
    pub fn accepts(&self, word: &str) -> bool {
        holds(&self.accepting, word)
    }

    /// Whether this word says that the buyer was not charged.
    #[must_use]
    pub fn refuses(&self, word: &str) -> bool {
        holds(&self.refusing, word)
    }
}

impl MoOfProduct {
    /// True where the connector's words hold.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.campaign.is_none() && self.description.is_none()
    }
}

impl Connector {
    /// What an SMS charge for this order says; `None` where there is no account. What was said at the
    /// order's acceptance stays, whatever is imported since: its notification says the same.
    #[must_use]
    pub fn mo_account(&self, order: &Order) -> Option<MoAccount> {
        let mut account = self.mo.clone()?;
        let said = order.details.mo.clone().unwrap_or_default();
        account.campaign = said.campaign.unwrap_or(account.campaign);
        account.description = said.description.unwrap_or(account.description);
        Some(account)
    }

    /// What new SMS charges of a product say; `None` where there is no account.
    #[must_use]
    pub fn mo_of(&self, product: &Product) -> Option<MoOfProduct> {
        let (own, account) = (product.mo.clone(), self.mo.as_ref()?);
        Some(MoOfProduct {
            campaign: own.campaign.or_else(|| Some(account.campaign.clone())),
            description: own.description.or_else(|| Some(account.description.clone())),
        })
    }
}

/// Words are compared without case and blanks around them.
pub(crate) fn holds(words: &[String], word: &str) -> bool {
    let word = word.trim().to_lowercase();
    !word.is_empty() && words.iter().any(|known| known.trim().to_lowercase() == word)
}
