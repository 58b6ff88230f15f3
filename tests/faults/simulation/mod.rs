//! Histories of a whole fleet in one thread.
//!
//! The workers' own steps run on the fleet's own engine, over the model of the task table, a broker and
//! outside parties in memory, on a clock that jumps from event to event. One seed decides everything, so one seed is one history: who dies or freezes where, which
//! statement, hint or answer is lost, late or doubled, what a supplier confirms when. Afterwards the
//! parties' own records are compared with the books.

mod asked;
mod broker;
mod carrier;
mod coverage;
mod directory;
mod history;
mod judge;
mod knobs;
mod parties;
mod process;
mod script;
mod world;

pub use coverage::{Coverage, MUST_BE_REACHED};
pub use history::{Ended, run};
pub use knobs::Knobs;
