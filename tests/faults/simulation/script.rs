//! What the parties do with one purchase: drawn once, when they first hear of it.

use std::time::Duration;

use super::world::World;

/// What a bank says to *reserve funds*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Funds {
    Takes,
    /// Says "not decided" so often, then takes.
    TakesLater(u32),
    Refuses,
}

/// What a supplier says to a vend, by the vend's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vend {
    Does,
    RefusesForGood,
    RefusesThis,
    RefusesAlways,
    /// Pending for so many look-ups, then done or refused.
    Pending(u32, bool),
}

/// What a supplier that confirms does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Confirms {
    pub(super) done: bool,
    pub(super) after: Duration,
    pub(super) times: u32,
    /// Says the opposite as well, which is a lie.
    pub(super) contradicts: bool,
    /// Under a reference of nobody.
    pub(super) misnames: bool,
    pub(super) never: bool,
}

/// What a buyer does who is asked to pay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buyer {
    pub(super) pays: bool,
    /// How long that takes; longer than anybody waits for it, perhaps.
    pub(super) after: Duration,
    /// How often the source tells it.
    pub(super) tells: u32,
    /// The source tells nothing of its own accord, where it may be asked or nothing was paid.
    pub(super) unheard: bool,
    /// Before that, somebody else tells of a charge that never was.
    pub(super) forged: bool,
    /// Who has not paid pays later, and the source says both; of who has paid it says the opposite.
    pub(super) turns: bool,
}

/// The script of one purchase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Script {
    pub(super) funds: Funds,
    pub(super) buyer: Buyer,
    pub(super) vend: Vend,
    pub(super) confirms: Confirms,
    pub(super) settles: bool,
    pub(super) refunds: bool,
    pub(super) acknowledges_after: u32,
    pub(super) texts_after: u32,
    pub(super) desk_takes_after: u32,
    pub(super) token_is_valid: bool,
}

impl Script {
    pub(super) fn draw(world: &World) -> Self {
        let unwilling = world.knobs.unwilling;
        let some =
            |per_mille: u32| world.chance(unwilling) && world.below(1_000) < u64::from(per_mille);
        let few = |most: u64| u32::try_from(world.below(most)).unwrap_or(0);
        let funds = if some(200) {
            Funds::Refuses
        } else if some(200) {
            Funds::TakesLater(few(3))
        } else {
            Funds::Takes
        };
        let vend = if some(200) {
            Vend::RefusesForGood
        } else if some(200) {
            Vend::RefusesThis
        } else if some(100) {
            Vend::RefusesAlways
        } else if some(250) {
            Vend::Pending(few(4), world.below(3) > 0)
        } else {
            Vend::Does
        };
        let confirms = Confirms {
            done: !some(300),
            after: world.millis(0, if some(500) { 30_000 } else { 1_500 }),
            times: 1_u32.saturating_add(few(3)),
            contradicts: some(150),
            misnames: some(100),
            never: some(100),
        };
        let buyer = Buyer {
            pays: !some(250),
            after: world.millis(0, if some(300) { 90_000 } else { 1_500 }),
            tells: 1_u32.saturating_add(few(3)),
            unheard: some(200),
            forged: some(300),
            turns: some(400),
        };
        Self {
            funds,
            buyer,
            vend,
            confirms,
            settles: !some(80),
            refunds: !some(200),
            acknowledges_after: if some(400) { few(4) } else { 0 },
            texts_after: if some(400) { few(4) } else { 0 },
            desk_takes_after: if some(400) { few(4) } else { 0 },
            token_is_valid: !some(200),
        }
    }
}
