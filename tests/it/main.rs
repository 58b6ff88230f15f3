//! Fleet tests.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "all of this binary is tests; clippy sees only functions marked as such"
)]

mod answers;
mod bad_requests;
mod callbacks;
mod charge_first;
mod crowds;
mod dead_letters;
mod delivery;
mod facts;
mod forged_hints;
mod fraud;
mod identity;
mod kills;
mod programs;
mod purchase;
mod results;
mod tidy;
mod unknown;
mod verify;
