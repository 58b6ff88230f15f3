//! The reservation worker: takes enqueued purchases in, reserves funds, captures, cancels or
//! refunds them, and keeps dead letters.

mod asked;
mod compose;
mod funds;
mod holds;
mod letters;
mod refund;
mod requested;
mod reserve;
mod settle;
pub mod sources;

pub use compose::{PROGRAM, compose};
pub use holds::watch_holds;
pub use letters::keep_letters;
pub use refund::Refund;
pub use requested::take_requests;
pub use reserve::Reserve;
pub use settle::Settle;
