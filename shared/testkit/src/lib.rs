//! What tests share: private databases and vhosts, a model of the task table in memory, and the suite
//! that both must pass. Nothing of it is part of a worker.

pub mod broker;
pub mod certificates;
pub mod fleet;
pub mod memory;
pub mod postgres;
pub mod samples;
pub mod suite;

pub use fleet::TestFleet;
pub use memory::MemoryStore;
pub use postgres::{PostgresTasks, TestDatabase};
