//! The fraud-reporting worker: tells the fraud desk how purchases ended, and asks it
//! about tokens before anything is charged.

mod compose;
pub mod desks;
mod report;
mod validate;

pub use compose::{PROGRAM, compose};
pub use report::ReportOutcome;
pub use validate::ValidateToken;
