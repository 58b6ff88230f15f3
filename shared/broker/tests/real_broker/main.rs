//! The crate against a real broker, one virtual host a test.

mod acks;
mod blocked;
mod definitions;
mod recovery;
mod returns;
mod round_trip;
mod support;
