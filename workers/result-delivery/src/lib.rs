//! The result-delivery worker: tells clients how their purchases ended.

pub mod channels;
mod compose;
mod deliver;

pub use compose::{PROGRAM, compose};
pub use deliver::{Acknowledged, DELIVER_FOR, Deliver};
