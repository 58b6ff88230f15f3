//! Mutations: a defence of the engine or of the task functions that is taken away, and the tests
//! that must then fail. The list is `mutations.toml`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

/// One defence taken away.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    /// What it is called in the drill.
    pub name: String,
    /// What the defence is there for.
    pub defence: String,
    /// Changes of the sources.
    pub edits: Vec<Edit>,
    /// Tests that must fail: `<binary> <path>`, binary `lib` for the testkit's unit tests. For the fleet
    /// tests of `it` the programs are built too.
    pub caught_by: Vec<String>,
}

/// A text that stands once in a file, and what takes its place.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Path from the root of the checkout.
    pub file: String,
    /// What stands there; once, and nowhere else in the file.
    pub find: String,
    /// What takes its place.
    pub replace: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutation: Vec<Mutation>,
}

/// The checkout.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All of them.
///
/// # Errors
/// When `mutations.toml` cannot be read or says something else.
pub fn list() -> Result<Vec<Mutation>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("mutations.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let list: List = toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(list.mutation)
}

impl Mutation {
    /// The tests that must fail, by their binary.
    ///
    /// # Errors
    /// When one of them names no binary.
    pub fn tests(&self) -> Result<Vec<(&str, &str)>> {
        ensure!(!self.caught_by.is_empty(), "{}: caught by nothing", self.name);
        let split = |test: &'_ String| match test.split_once(' ') {
            Some(_) => Ok(()),
            None => bail!("{}: {test:?} is not `<binary> <path>`", self.name),
        };
        self.caught_by.iter().try_for_each(split)?;
        Ok(self.caught_by.iter().filter_map(|test| test.split_once(' ')).collect())
    }

    /// The files below a root with the defence taken away: path and new text.
    ///
    /// # Errors
    /// When a text to be replaced does not stand exactly once in its file.
    pub fn mutants(&self, root: &Path) -> Result<Vec<(PathBuf, String)>> {
        let mut files: Vec<(PathBuf, String)> = Vec::new();
        for Edit { file, find, replace } in &self.edits {
            let path = root.join(file);
            let known = files.iter().position(|(known, _)| *known == path);
            let text = match known {
                Some(at) => files.remove(at).1,
                None => std::fs::read_to_string(&path).with_context(|| file.clone())?,
            };
            let count = text.matches(find.as_str()).count();
            ensure!(count == 1, "{}: {count} times in {file}: {find:?}", self.name);
            files.push((path, text.replace(find.as_str(), replace)));
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::{list, root};

    #[test]
    fn every_mutation_finds_its_text_once_and_names_who_catches_it() {
        let list = list().unwrap();
        assert!(list.len() > 8, "only {} mutations", list.len());
        for mutation in &list {
            let mutants = mutation.mutants(&root()).unwrap();
            for (path, text) in mutants {
                assert_ne!(std::fs::read_to_string(&path).unwrap(), text, "{}", mutation.name);
            }
            mutation.tests().unwrap();
        }
        let names: std::collections::BTreeSet<_> = list.iter().map(|one| &one.name).collect();
        assert_eq!(names.len(), list.len(), "two mutations have one name");
    }
}
