//! Inputs from the field, by number: what other fleets met, three forms of each.

mod answers;
mod requests;

pub(crate) use answers::{buy, result_of};
