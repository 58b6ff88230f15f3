//! Financial terms: who gets what of a purchase. Integers only, and nothing is lost between shares.
//!
//! The fee is rounded half up to the minor unit ([`FeeRule`]). The client's share is rounded down,
//! once, and is never more than what is reserved; the vendor's share is the rest. So
//! `client_share_amount + vendor_share_amount == reserve_amount`, exactly.

use serde::{Deserialize, Serialize};

use crate::{ClientId, Directory, FeeRule, Product, ProductId};

/// One version of what was agreed on for a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Whose; `None` = every client without terms of its own.
    pub client: Option<ClientId>,
    /// For which product.
    pub product: ProductId,
    /// Grows with each change; the newest counts.
    pub version: i32,
    /// The fee in place of the product's.
    pub fee: Option<FeeRule>,
    /// What the client gets.
    pub client_share: ShareRule,
    /// Whether the client keeps its share or gets it back.
    pub settlement: Settlement,
    /// False = as if there were none.
    pub active: bool,
}

/// A client's share: a fixed part, one of the purchase amount, one of the fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShareRule {
    /// Minor units.
    pub fixed: i64,
    /// Hundredths of a percent of the purchase amount.
    pub basis_points: i64,
    /// Hundredths of a percent of the fee.
    pub fee_basis_points: i64,
}

impl Default for ShareRule {
    /// The whole fee, and nothing of the amount.
    fn default() -> Self {
        Self { fixed: 0, basis_points: 0, fee_basis_points: 10_000 }
    }
}

impl ShareRule {
    /// The share, rounded down and at most what is reserved; `None` when it does not fit.
    fn share_of(self, purchase_amount: i64, fee: i64, reserved: i64) -> Option<i64> {
        let of_amount = purchase_amount.checked_mul(self.basis_points)?;
        let of_fee = fee.checked_mul(self.fee_basis_points)?;
        let parts = of_amount.checked_add(of_fee)?.checked_div(10_000)?;
        Some(self.fixed.checked_add(parts)?.min(reserved))
    }
}

/// What the client settles with us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// Everything that was reserved; its share is paid back later.
    #[default]
    Gross,
    /// What is left after its share.
    Net,
}

impl Settlement {
    /// The word in tables and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gross => "gross",
            Self::Net => "net",
        }
    }
}

/// The amounts of one purchase under the terms of an instant, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amounts {
    /// `purchaseAmount`, without the fee.
    pub purchase_amount: i64,
    /// `feeAmount`.
    pub fee_amount: i64,
    /// `reserveAmount`: amount and fee.
    pub reserve_amount: i64,
    /// `vendAmount`: what the supplier is asked for.
    pub vend_amount: i64,
    /// How it is shared.
    pub agreed: Agreed,
}

/// What a purchase keeps of the terms that held when it was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    /// Which terms: client (or `*`), product and version; version 0 is the product's own rule.
    pub reference: String,
    /// `settlementAmount`.
    pub settlement_amount: i64,
    /// `clientShareAmount`.
    pub client_share_amount: i64,
    /// `vendorShareAmount`.
    pub vendor_share_amount: i64,
}

impl Agreed {
    /// Without terms: the fee is the client's share, the amount the vendor's.
    #[must_use]
    pub fn without_terms(product: ProductId, purchase_amount: i64, fee: i64) -> Self {
        Self {
            reference: format!("*.{product}.0"),
            settlement_amount: purchase_amount.saturating_add(fee),
            client_share_amount: fee,
            vendor_share_amount: purchase_amount,
        }
    }
}

impl Directory {
    /// The terms of a client for a product: its own, or those of everybody.
    #[must_use]
    pub fn terms_of(&self, client: ClientId, product: ProductId) -> Option<&Terms> {
        let active = |owner| self.terms.get(&(owner, product)).filter(|terms| terms.active);
        active(Some(client)).or_else(|| active(None))
    }

    /// The amounts of a purchase that is accepted now; `None` when they do not fit.
    #[must_use]
    pub fn amounts(
        &self,
        client: ClientId,
        product: &Product,
        purchase_amount: i64,
    ) -> Option<Amounts> {
        let terms = self.terms_of(client, product.id);
        let rule = terms.and_then(|terms| terms.fee).unwrap_or(product.fee);
        let fee_amount = rule.fee_of(purchase_amount)?;
        let reserve_amount = purchase_amount.checked_add(fee_amount)?;
        let agreed = match terms {
            None => Agreed::without_terms(product.id, purchase_amount, fee_amount),
            Some(terms) => terms.agreed(purchase_amount, fee_amount, reserve_amount)?,
        };
        let vend_amount = purchase_amount;
        Some(Amounts { purchase_amount, fee_amount, reserve_amount, vend_amount, agreed })
    }
}

impl Terms {
    /// Client (or `*`), product and version.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}.{}.{}", self.owner(), self.product, self.version)
    }

    /// The client's number, or `*`.
    #[must_use]
    pub fn owner(&self) -> String {
        self.client.map_or_else(|| "*".to_owned(), |client| client.to_string())
    }

    fn agreed(&self, purchase_amount: i64, fee: i64, reserved: i64) -> Option<Agreed> {
        let client_share_amount = self.client_share.share_of(purchase_amount, fee, reserved)?;
        let vendor_share_amount = reserved.checked_sub(client_share_amount)?;
        let settlement_amount = match self.settlement {
            Settlement::Gross => reserved,
            Settlement::Net => vendor_share_amount,
        };
        let reference = self.reference();
        Some(Agreed { reference, settlement_amount, client_share_amount, vendor_share_amount })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Currency;

    fn product(fee: FeeRule) -> Product {
        Product {
            id: ProductId(101),
            name: "Airtime".to_owned(),
            product_type: "airtime".to_owned(),
            product_type_id: 17,
            description: String::new(),
            short_description: String::new(),
            vendor_id: 1,
            vendor: String::new(),
            channels: Vec::new(),
            supplier: "supplier".to_owned(),
            currency: Currency::from_code("ZAR").unwrap(),
            min_amount: 1,
            max_amount: 999_999_999_999,
            fee,
            mo: crate::MoOfProduct::default(),
            desk: None,
            active: true,
        }
    }

    fn terms(client: Option<i64>, version: i32) -> Terms {
        Terms {
            client: client.map(ClientId),
            product: ProductId(101),
            version,
            fee: None,
            client_share: ShareRule { fixed: 0, basis_points: 250, fee_basis_points: 5_000 },
            settlement: Settlement::Net,
            active: true,
        }
    }

    fn directory(all: Vec<Terms>) -> Directory {
        let mut directory = Directory::default();
        for one in all {
            directory.terms.insert((one.client, one.product), one);
        }
        directory
    }

    #[test]
    fn a_clients_own_terms_go_before_everybodys_and_the_products_rule_comes_last() {
        let product = product(FeeRule { fixed: 50, basis_points: 0 });
        let mut own = terms(Some(1), 3);
        own.fee = Some(FeeRule { fixed: 10, basis_points: 0 });
        let both = directory(vec![own.clone(), terms(None, 2)]);
        let amounts = |directory: &Directory, client| {
            directory.amounts(ClientId(client), &product, 1_000).unwrap()
        };
        let first = amounts(&both, 1);
        assert_eq!((first.fee_amount, first.reserve_amount), (10, 1_010));
        assert_eq!(first.agreed.reference, "1.101.3");
        assert_eq!(first.agreed.client_share_amount, 30, "25 of the amount, 5 of the fee");
        assert_eq!(first.agreed.settlement_amount, 980);
        let other = amounts(&both, 2);
        assert_eq!((other.fee_amount, other.agreed.reference.as_str()), (50, "*.101.2"));

        own.active = false;
        let withdrawn = directory(vec![own]);
        let third = amounts(&withdrawn, 1);
        assert_eq!((third.fee_amount, third.agreed.reference.as_str()), (50, "*.101.0"));
        assert_eq!(third.agreed.client_share_amount, 50);
        assert_eq!(third.agreed.vendor_share_amount, 1_000);
        assert_eq!(third.agreed.settlement_amount, 1_050);
    }

    #[test]
    fn a_share_is_rounded_down_once_and_never_more_than_what_is_reserved() {
        let rule = ShareRule { fixed: 0, basis_points: 5_000, fee_basis_points: 5_000 };
        assert_eq!(rule.share_of(1, 1, 2), Some(1), "two halves are one");
        assert_eq!(rule.share_of(1, 0, 1), Some(0), "a half is nothing");
        let greedy = ShareRule { fixed: 500, ..rule };
        assert_eq!(greedy.share_of(100, 0, 100), Some(100));
    }

    proptest! {
        #[test]
        fn shares_add_up_to_what_is_reserved_and_nothing_overflows(
            amount in 1..=999_999_999_999_i64,
            fee in (0..=999_999_999_999_i64, 0..=10_000_i64),
            share in (0..=999_999_999_999_i64, 0..=10_000_i64, 0..=10_000_i64),
            net: bool,
        ) {
            let product = product(FeeRule { fixed: fee.0, basis_points: fee.1 });
            let mut terms = terms(None, 1);
            terms.client_share =
                ShareRule { fixed: share.0, basis_points: share.1, fee_basis_points: share.2 };
            terms.settlement = if net { Settlement::Net } else { Settlement::Gross };
            let amounts = directory(vec![terms]).amounts(ClientId(7), &product, amount);
            let amounts = amounts.expect("limits of an import always fit");
            let agreed = &amounts.agreed;
            let all = Some(amounts.reserve_amount);
            prop_assert_eq!(amount.checked_add(amounts.fee_amount), all);
            let client_share = agreed.client_share_amount;
            prop_assert_eq!(client_share.checked_add(agreed.vendor_share_amount), all);
            prop_assert!(client_share >= 0 && agreed.vendor_share_amount >= 0);
            let kept = if net { client_share } else { 0 };
            prop_assert_eq!(agreed.settlement_amount.checked_add(kept), all);
        }

        #[test]
        fn no_numbers_at_all_make_the_arithmetic_panic(
            amount: i64, fixed: i64, points: i64, share: i64, of_amount: i64, of_fee: i64,
        ) {
            let product = product(FeeRule { fixed, basis_points: points });
            let mut terms = terms(None, 1);
            terms.client_share =
                ShareRule { fixed: share, basis_points: of_amount, fee_basis_points: of_fee };
            let amounts = directory(vec![terms]).amounts(ClientId(7), &product, amount);
            if let Some(amounts) = amounts {
                let agreed = amounts.agreed;
                let sum = agreed.client_share_amount.checked_add(agreed.vendor_share_amount);
                prop_assert_eq!(sum, Some(amounts.reserve_amount));
            }
        }
    }
}
