//! The fraud-reporting worker: tells the fraud desk how purchases ended.

mod compose;
pub mod desks;
mod report;

pub use compose::{PROGRAM, compose};
pub use report::ReportOutcome;
