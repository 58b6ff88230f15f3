//! Files of an import: TOML and CSV, each row with its place, so that every error names its row.

mod cells;
mod csv;
mod read;
mod write;

pub(crate) use read::{Problem, Sections, read};
pub(crate) use write::{Format, flat, write};
