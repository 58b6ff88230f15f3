//! Nothing but drills: see `drills/main.rs`, run by `make drill`.
