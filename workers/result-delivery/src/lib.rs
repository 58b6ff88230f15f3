//! The result-delivery worker: tells clients how their purchases ended, and buyers and recipients
//! where they are to be told.

pub mod channels;
mod compose;
mod deliver;
mod notify;
mod plan;

pub use compose::{PROGRAM, compose};
pub use deliver::{Acknowledged, Deliver};
pub use notify::Notify;
