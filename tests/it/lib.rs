//! The fleet tests stand in `main.rs`.
