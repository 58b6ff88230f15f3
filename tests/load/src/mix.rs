//! What is bought and how it goes: the sample products, and scripts of the simulator with the end
//! that each must have. The expectations are this program's own.

use rand::RngExt;
use rand::rngs::StdRng;
use serde::Serialize;

/// How a purchase must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Expected {
    /// Dispensed; held funds captured.
    Success,
    /// The bank refuses: nothing is held, nothing vended.
    RefusedByBank,
    /// The supplier refuses: nothing vended; held funds cancelled.
    RefusedBySupplier,
    /// Dispensed, held funds captured, and the client's endpoint is gone: no result arrives.
    Undelivered,
    /// The answer to the vend is lost for good: parked for a person, the hold stays.
    Parked,
}

impl Expected {
    /// The `transactionStatus` that a look-up tells.
    pub(crate) const fn status(self) -> &'static str {
        match self {
            Self::Success | Self::Undelivered => "SUCCESS",
            Self::Parked => "PENDING",
            Self::RefusedByBank | Self::RefusedBySupplier => "FAILED",
        }
    }
}

impl Expected {
    /// Whether a result must reach the client.
    pub(crate) const fn has_result(self) -> bool {
        match self {
            Self::Success | Self::RefusedByBank | Self::RefusedBySupplier => true,
            Self::Undelivered | Self::Parked => false,
        }
    }
}

/// Who reserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scenario {
    /// The client has reserved.
    ClientReserved,
    /// We reserve at the bank.
    WeReserve,
}

/// How the buyer's money comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Payer {
    /// The scenario says it: a bank, or the client's own reservation.
    Held,
    /// An operator asks the buyer by SMS.
    Sms,
    /// The buyer pays by card, on a page.
    Card,
    /// The buyer pays by card, in an app.
    Device,
}

/// A sample product.
#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) id: i64,
    pub(crate) currency: &'static str,
    pub(crate) min: i64,
    pub(crate) max: i64,
}

const AIRTIME: Product = Product { id: 101, currency: "ZAR", min: 200, max: 100_000 };
const DATA: Product = Product { id: 102, currency: "ZAR", min: 500, max: 50_000 };
const ELECTRICITY: Product = Product { id: 201, currency: "ZAR", min: 1_000, max: 500_000 };
const LOTTO: Product = Product { id: 301, currency: "KWD", min: 100, max: 50_000 };

/// What a merchant sells by card.
const PAYMENT: Product = Product { id: 801, currency: "USD", min: 1, max: 100_000_000 };

/// Suppliers with look-up.
const LOOK_UP: &[Product] = &[AIRTIME, ELECTRICITY];
/// A supplier that confirms by callback.
const CALLBACK: &[Product] = &[DATA];
/// A supplier with neither, whose code map knows the barred codes.
const PLAIN: &[Product] = &[LOTTO];
const NOT_PLAIN: &[Product] = &[AIRTIME, ELECTRICITY, DATA];
const APP: &[Product] = &[AIRTIME];
const CARD: &[Product] = &[PAYMENT];
const ANY: &[Product] = &[AIRTIME, DATA, ELECTRICITY, LOTTO];

/// One way in which a purchase may go.
#[derive(Debug)]
pub(crate) struct Case {
    /// The simulator's script; empty for none.
    pub(crate) script: &'static str,
    pub(crate) name: &'static str,
    /// How often, against the sum of all weights.
    weight: u32,
    pub(crate) expected: Expected,
    products: &'static [Product],
    /// Only where we reserve.
    needs_bank: bool,
    pub(crate) payer: Payer,
}

const fn case(
    (script, name): (&'static str, &'static str),
    weight: u32,
    expected: Expected,
    products: &'static [Product],
) -> Case {
    // Without a result the parties know the client's reference from the bank's call alone.
    let needs_bank = matches!(script.as_bytes(), [b'9', b'1', ..]) || !expected.has_result();
    Case { script, name, weight, expected, products, needs_bank, payer: Payer::Held }
}

const fn asked(
    payer: Payer,
    script: (&'static str, &'static str),
    weight: u32,
    expected: Expected,
    products: &'static [Product],
) -> Case {
    Case { payer, ..case(script, weight, expected, products) }
}

/// Where a source asks the buyer first.
pub(crate) const ASKED: &[Case] = &[
    asked(Payer::Sms, ("", "ok"), 300, Expected::Success, ANY),
    asked(Payer::Sms, ("9701", "pin_expired"), 50, Expected::RefusedByBank, ANY),
    asked(Payer::Sms, ("9702", "pin_used_then_charged"), 50, Expected::Success, ANY),
    asked(Payer::Sms, ("9704", "pin_not_found_then_charged"), 50, Expected::Success, ANY),
    asked(Payer::Sms, ("9705", "mo_insufficient_funds"), 50, Expected::RefusedByBank, ANY),
    asked(Payer::Sms, ("9717", "mo_effect_then_500"), 50, Expected::Success, ANY),
    asked(Payer::Card, ("", "ok"), 300, Expected::Success, CARD),
    asked(Payer::Card, ("9801", "card_declined"), 50, Expected::RefusedByBank, CARD),
    asked(Payer::Card, ("9803", "card_success_quoted"), 50, Expected::Success, CARD),
    asked(Payer::Device, ("", "ok"), 200, Expected::Success, APP),
    asked(Payer::Device, ("9901", "sale_declined"), 50, Expected::RefusedByBank, APP),
    asked(Payer::Device, ("9905", "sale_told_processing"), 50, Expected::Success, APP),
    asked(Payer::Device, ("9907", "sale_untold"), 50, Expected::Success, APP),
    asked(Payer::Card, ("9810", "card_effect_then_500"), 50, Expected::Success, CARD),
];

/// The mix, in tenths of a percent: four fifths go well at once.
pub(crate) const CASES: &[Case] = &[
    case(("", "ok"), 800, Expected::Success, ANY),
    case(("9101", "bank_declines"), 20, Expected::RefusedByBank, ANY),
    case(("9105", "bank_account_not_mapped"), 8, Expected::RefusedByBank, ANY),
    case(("9102", "bank_slow_2s"), 8, Expected::Success, ANY),
    case(("9103", "bank_slow_8s"), 5, Expected::Success, ANY),
    case(("9104", "bank_slow_30s"), 2, Expected::Success, ANY),
    case(("9106", "bank_busy_twice"), 6, Expected::Success, ANY),
    case(("9108", "reserve_effect_then_reset"), 5, Expected::Success, ANY),
    case(("9121", "settle_effect_then_500"), 5, Expected::Success, ANY),
    case(("9122", "settle_effect_then_reset"), 5, Expected::Success, ANY),
    case(("9201", "vend_refused"), 20, Expected::RefusedBySupplier, ANY),
    case(("9202", "vend_2201_twice"), 7, Expected::Success, ANY),
    case(("9203", "pending_then_done"), 7, Expected::Success, NOT_PLAIN),
    case(("9204", "pending_then_refused"), 6, Expected::RefusedBySupplier, NOT_PLAIN),
    case(("9205", "vend_2225_once"), 6, Expected::Success, ANY),
    case(("9206", "vend_429"), 6, Expected::Success, ANY),
    case(("9207", "vend_slow_5s"), 6, Expected::Success, ANY),
    case(("9208", "vend_unknown_code"), 5, Expected::Success, LOOK_UP),
    case(("9210", "vend_effect_then_reset"), 5, Expected::Success, LOOK_UP),
    case(("9211", "vend_effect_then_500"), 5, Expected::Success, LOOK_UP),
    case(("9215", "vas_barred"), 5, Expected::RefusedBySupplier, PLAIN),
    case(("9302", "confirm_twice"), 6, Expected::Success, CALLBACK),
    case(("9303", "confirm_before_answer"), 6, Expected::Success, CALLBACK),
    case(("9304", "confirm_refused"), 6, Expected::RefusedBySupplier, CALLBACK),
    // Unknown: nobody can be asked, so a person must.
    case(("9251", "lost_vend_effect_hang"), 5, Expected::Parked, PLAIN),
    case(("9252", "lost_vend_effect_reset"), 5, Expected::Parked, PLAIN),
    // Late: dispensed, and then the supplier says otherwise.
    case(("9306", "confirm_contradicts"), 8, Expected::Success, CALLBACK),
    // Undelivered: the client's endpoint says that it is gone.
    case(("9402", "listener_410"), 8, Expected::Undelivered, ANY),
    case(("9401", "listener_500_twice"), 5, Expected::Success, ANY),
    case(("9403", "listener_slow_3s"), 5, Expected::Success, ANY),
    case(("9501", "desk_500_once"), 4, Expected::Success, ANY),
];

/// Draws one of these cases with its product and scenario.
pub(crate) fn draw(
    rng: &mut StdRng,
    cases: &'static [Case],
) -> (&'static Case, &'static Product, Scenario) {
    let sum: u32 = cases.iter().map(|case| case.weight).sum();
    let mut left = rng.random_range(0..sum.max(1));
    let drawn = cases.iter().find(|case| {
        let is_it = left < case.weight;
        left = left.saturating_sub(case.weight);
        is_it
    });
    let case = drawn.unwrap_or(OK);
    let at = rng.random_range(0..case.products.len().max(1));
    let product = case.products.get(at).unwrap_or(&AIRTIME);
    let we_reserve = case.needs_bank || case.payer != Payer::Held || rng.random_range(0..2) == 0;
    let scenario = if we_reserve { Scenario::WeReserve } else { Scenario::ClientReserved };
    (case, product, scenario)
}

/// A purchase that goes well at once at a supplier that answers at once.
pub(crate) const PLAIN_CASE: (&Case, &Product) = (OK, &AIRTIME);

const OK: &Case = &case(("", "ok"), 0, Expected::Success, LOOK_UP);

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn every_case_is_a_script_of_the_simulator_by_its_name() {
        for case in CASES.iter().chain(ASKED).filter(|case| !case.script.is_empty()) {
            let script = fleet_simulator::SCRIPTS.iter().find(|script| script.code == case.script);
            assert_eq!(script.map(|script| script.name), Some(case.name), "{}", case.script);
        }
    }

    #[test]
    fn four_fifths_go_well_at_once_and_every_case_is_drawn() {
        let sum: u32 = CASES.iter().map(|case| case.weight).sum();
        assert_eq!(sum, 1_000);
        let mut rng = StdRng::seed_from_u64(7);
        let drawn: Vec<_> = (0..20_000).map(|_| draw(&mut rng, CASES)).collect();
        for case in CASES {
            assert!(drawn.iter().any(|(other, _, _)| other.script == case.script), "{}", case.name);
        }
        let bank_only = drawn.iter().filter(|(case, _, _)| case.needs_bank);
        assert!(bank_only.clone().count() > 0);
        assert!(bank_only.clone().all(|(_, _, scenario)| *scenario == Scenario::WeReserve));
    }
}
