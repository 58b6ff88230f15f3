//! Set-ups that cannot work are refused by name: rows of an import, what `--check` finds, settings.

mod imports;
mod keys;
