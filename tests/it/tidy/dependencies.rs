use std::collections::BTreeSet;

use super::crates::{Package, packages, short};
use super::{assert_none, files, read, root};

/// Named for what they turn on in a crate that others use.
const FOR_A_FEATURE: &[(&str, &str)] = &[("testkit", "fleet-telemetry")];

/// The sources of a member's library and programs, and those of its tests, examples and the tests
/// beside its code.
struct Sources {
    own: String,
    tests: String,
    build: String,
}

fn sources(package: &Package) -> Sources {
    let manifest = std::path::Path::new(&package.manifest_path);
    let folder = manifest.parent().unwrap().strip_prefix(root()).unwrap().to_str().unwrap();
    let mut sources = Sources { own: String::new(), tests: String::new(), build: String::new() };
    for path in files(folder).iter().filter(|path| path.ends_with(".rs")) {
        let text = without_comments(&read(path));
        let inside = path.strip_prefix(folder).unwrap().trim_start_matches('/');
        let is_tests = inside
            .split('/')
            .any(|part| ["tests", "examples", "benches", "tests.rs"].contains(&part));
        if inside == "build.rs" {
            sources.build.push_str(&text);
        } else if is_tests {
            sources.tests.push_str(&text);
        } else {
            // Tests beside the code are the end of its file.
            let (own, tests) = text.split_once("#[cfg(test)]\nmod tests {").unwrap_or((&text, ""));
            sources.own.push_str(own);
            sources.tests.push_str(tests);
        }
    }
    sources
}

fn without_comments(text: &str) -> String {
    let code = |line: &str| line.split_once("//").map_or(line, |(code, _)| code).to_owned() + "\n";
    text.lines().map(code).collect()
}

/// Whether a path begins with the crate's name.
fn names(text: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        let begins = match before.strip_suffix("::") {
            Some(before) => !before.ends_with(|c| is_word(c) || c == '>'),
            None => !before.ends_with(|c| is_word(c) || c == '.' || c == ':'),
        };
        let is_imported = before.ends_with("use ") || before.ends_with("extern crate ");
        begins && (after.starts_with("::") || (is_imported && !after.starts_with(is_word)))
    })
}

#[test]
fn a_member_names_no_crate_that_its_sources_never_use() {
    let mut findings = Vec::new();
    for package in packages() {
        let sources = sources(&package);
        let user = short(&package.name);
        for dependency in &package.dependencies {
            let name = dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_");
            let is_used = match dependency.kind.as_deref() {
                None => names(&sources.own, &name),
                Some("build") => names(&sources.build, &name),
                Some(_) => names(&sources.tests, &name) || names(&sources.own, &name),
            };
            if !is_used && !FOR_A_FEATURE.contains(&(user, dependency.name.as_str())) {
                let kind = dependency.kind.as_deref().unwrap_or("normal");
                findings.push(format!("{user}: {} ({kind})", dependency.name));
            }
        }
    }
    assert_none(&findings, "a dependency that nothing uses, or only tests do");
}

#[test]
fn the_workspace_and_readme_name_the_crates_that_members_use_and_no_others() {
    let named = packages().into_iter().flat_map(|package| package.dependencies);
    let named = named.map(|dependency| dependency.name);
    let used: BTreeSet<String> = named.filter(|name| !name.starts_with("fleet-")).collect();
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let offered = manifest["workspace"]["dependencies"].as_table().unwrap().keys();
    let offered: BTreeSet<String> =
        offered.filter(|name| !name.starts_with("fleet-")).cloned().collect();
    let readme = read("README.md");
    let (_, table) = readme.split_once("\n## Dependencies\n").unwrap();
    let mut told = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        // What stands in brackets is about the crate before it.
        let mut cell = row.split('|').nth(1).unwrap().to_owned();
        while let (Some(from), Some(to)) = (cell.find('('), cell.find(')')) {
            cell.replace_range(from..=to, "");
        }
        told.extend(cell.split(',').map(|name| name.trim().to_owned()));
    }
    let mut findings = Vec::new();
    for (place, named) in [("Cargo.toml", &offered), ("README's table", &told)] {
        findings.extend(used.difference(named).map(|name| format!("{place} misses {name}")));
        findings
            .extend(named.difference(&used).map(|name| format!("nothing uses {name} of {place}")));
    }
    assert_none(&findings, "a list of crates that is not true");
}

#[test]
fn a_name_in_a_comment_a_word_or_a_module_is_no_use() {
    let text = "use hex::encode;\n#[tokio::test]\n// axum::serve\nlet my_url::x = crate::url::y;\n\
                pub use ::bytes::Buf;\nuse anyhow as a;\na.rand::b; Vec::<u8>::uuid::c\n";
    let text = without_comments(text);
    for (name, is_used) in [
        ("hex", true),
        ("tokio", true),
        ("axum", false),
        ("url", false),
        ("bytes", true),
        ("anyhow", true),
        ("rand", false),
        ("uuid", false),
    ] {
        assert_eq!(names(&text, name), is_used, "{name}");
    }
}
