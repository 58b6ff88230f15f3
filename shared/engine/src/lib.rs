//! The engine that every worker runs: receive hints, take permits, claim, call outside, decide,
//! commit, publish. It never sees a broker, a database or a transport, and it never decides what an
//! answer means: that is a step's.

mod ports;
mod step;
pub mod waiting;

pub use ports::{
    ClaimGroup, DirectoryWatch, DueTask, Free, Heartbeat, HintSink, Published, ReceivedHint,
    StoreFault, TaskStore, Tick, TickReport,
};
pub use step::{Attempt, CallError, Ended, Learnt, LookUp, Refusal, Step};
