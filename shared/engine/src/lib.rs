//! The engine that every worker runs: receive hints, take permits, claim, call outside, decide,
//! commit, publish. It never sees a broker, a database or a transport, and it never decides what an
//! answer means: that is a step's.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "instants, durations and small counters; money is never added up here"
)]

mod beat;
mod claimer;
mod clock;
mod commit;
pub mod connectors;
mod exchange;
mod lane;
mod messages;
mod pace;
mod ports;
mod publish;
mod runner;
mod sent;
mod settings;
mod step;
pub mod waiting;
mod window;

pub use commit::hints_of;
pub use ports::{
    Committed, DirectoryWatch, HintSink, Published, ReceivedHint, StoreFault, TaskStore,
};
pub use publish::publish_or_put_back;
pub use runner::Engine;
pub use sent::{mark_sent, mark_tried};
pub use settings::{EngineSettings, LEASE_EXTRA};
pub use step::{Attempt, CallError, Ended, Learnt, LookUp, Refusal, Step};
