//! Fleet tests.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    reason = "all of this binary is tests; clippy sees only functions marked as such"
)]

mod kills;
mod purchase;
mod tidy;
mod unknown;
