//! The engine's own loop over the model of the task table, a broker in memory and an outside world
//! in memory, with crashes, lost answers and refused rows injected. Needs no server.
//!
//! The task table's time moves only when a test moves it; nothing waits for the machine's clock but
//! for conditions. What must hold at every instant (a claim before a call, a commit before a hint, a
//! verdict before an acknowledgement, one effect per purchase) is checked while each test runs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "all of this binary is tests; clippy sees only functions marked as such"
)]

mod acks;
mod batches;
mod bench;
mod broker;
mod circuit;
mod claims;
mod commits;
mod crashes;
mod outside;
mod permits;
mod prefetch;
mod process;
mod shutdown;
