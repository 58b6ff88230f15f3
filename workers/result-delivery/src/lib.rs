//! The result-delivery worker: tells clients how their purchases ended.

pub mod channels;
mod compose;
mod deliver;
mod plan;

pub use compose::{PROGRAM, compose};
pub use deliver::{Acknowledged, Deliver};
