//! The dispensing worker: has suppliers dispense, and clears up what got lost.

mod compose;
mod dispense;
pub mod suppliers;

pub use compose::{PROGRAM, compose};
pub use dispense::Dispense;
