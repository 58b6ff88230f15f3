//! What drills and tests share: simulated histories, and the list of defences that are removed one by
//! one to see that a test tells of each.

pub mod mutations;
pub mod simulation;
