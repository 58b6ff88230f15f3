//! The simulator, called over HTTP as the fleet calls it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod callbacks;
mod card;
mod control;
mod device;
mod documents;
mod gateway;
mod listeners;
mod operator;
mod parties;
mod sale;
mod sale_fleet;
mod world;
