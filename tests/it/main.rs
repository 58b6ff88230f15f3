//! Fleet tests.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "all of this binary is tests; clippy sees only functions marked as such"
)]

mod access_tokens;
mod account_validation;
mod answers;
mod authenticate;
mod bad_requests;
mod buyers;
mod callbacks;
mod card_numbers;
mod card_payment;
mod card_sale;
mod cases;
mod certificates;
mod charge_first;
mod crashes;
mod crowds;
mod database_away;
mod dead_letters;
mod delivery;
mod directory;
mod facts;
mod figures;
mod financial_terms;
mod foreign;
mod forged;
mod forged_hints;
mod framing;
mod fraud;
mod gate;
mod identity;
mod in_flight;
mod kills;
mod limits;
mod logging;
mod long_texts;
mod maintenance;
mod mno_lookup;
mod mo_charge;
mod notification;
mod operators;
mod outside;
mod overload;
mod pending;
mod product_lookup;
mod programs;
mod purchase;
mod queue_gone;
mod replay;
mod replies;
mod results;
mod sandbox;
mod setups;
mod tellers;
mod tidy;
mod turns;
mod unknown;
mod unmatched;
mod verify;
mod walkthrough;
