//! Conventions that no lint knows: who may use whom, where a technology lives, what files look like.

mod crates;
mod dependencies;
mod files;
mod settings;

use std::path::{Path, PathBuf};

/// The checkout.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every file of the project below `folder`, by its path from the root; built and kept things and
/// those of git are not the project's.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                if !["target", ".git", ".local"].contains(&name.as_str()) {
                    folders.push(entry.path());
                }
            } else if name != ".git" {
                let path = entry.path().strip_prefix(root()).unwrap().to_owned();
                found.push(path.into_os_string().into_string().unwrap());
            }
        }
    }
    found.sort();
    found
}

/// The same, with one ending.
fn files_ending(ending: &str) -> Vec<String> {
    let mut found = files("");
    found.retain(|path| path.ends_with(ending));
    found
}

pub(super) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails with all findings at once, so that one run tells all there is to do.
fn assert_none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}
