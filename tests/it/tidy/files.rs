use super::{assert_none, files, files_ending, read};

const LINES_MAX: usize = 500;
const MAIN_LINES_MAX: usize = 50;

#[test]
fn no_source_file_is_long_and_every_main_fits_a_page() {
    let mut findings = Vec::new();
    for path in files_ending(".rs") {
        let worker_main = path.starts_with("workers/") && path.ends_with("src/main.rs");
        let max = if worker_main { MAIN_LINES_MAX } else { LINES_MAX };
        let lines = read(&path).lines().count();
        if lines > max {
            findings.push(format!("{path}: {lines} lines, {max} allowed"));
        }
    }
    assert_none(&findings, "a file that should be split");
}

#[test]
fn work_left_for_later_has_a_name_to_it() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let mut findings = Vec::new();
    for path in text_files() {
        for (number, line) in read(&path).lines().enumerate() {
            for mark in marks {
                let mut rest = line.split(mark);
                rest.next();
                if rest.any(|after| !after.starts_with('(') && !joined(after)) {
                    findings.push(format!("{path}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    assert_none(&findings, "work left for later without the name of who does it");
}

/// Part of a longer word.
fn joined(after: &str) -> bool {
    after.starts_with(|next: char| next.is_alphanumeric() || next == '_')
}

#[test]
fn no_test_is_switched_off() {
    let marks = [concat!("#[ign", "ore"), concat!("#[cfg(any", "())]")];
    let mut findings = Vec::new();
    for path in files_ending(".rs") {
        let text = read(&path);
        findings.extend(
            marks.iter().filter(|mark| text.contains(**mark)).map(|mark| format!("{path}: {mark}")),
        );
    }
    assert_none(&findings, "a test that does not run");
}

#[test]
fn messages_of_errors_are_lower_case_without_a_full_stop() {
    let mut findings = Vec::new();
    for path in files_ending(".rs") {
        for (number, line) in read(&path).lines().enumerate() {
            let Some((_, rest)) = line.split_once("#[error(\"") else { continue };
            let message = rest.split_once("\")]").map_or(rest, |(message, _)| message);
            let mut letters = message.chars();
            let (first, second) = (letters.next(), letters.next());
            // An abbreviation (HTTP, URL) may begin one.
            let sentence = first.is_some_and(char::is_uppercase)
                && second.is_some_and(|letter| letter.is_lowercase() || letter == ' ');
            if sentence || message.ends_with('.') {
                findings.push(format!("{path}:{}: {message}", number + 1));
            }
        }
    }
    assert_none(&findings, "a message that cannot stand in the middle of a sentence");
}

/// Files fetch nothing from a named host: clients know their registries by themselves.
#[test]
fn no_file_names_the_host_of_a_registry() {
    let hosts = [
        concat!("crates", ".io"),
        concat!("npmjs", ".org"),
        concat!("pypi", ".org"),
        concat!("deb.debian", ".org"),
        concat!("docker", ".io"),
        concat!("ghcr", ".io"),
        concat!("quay", ".io"),
        concat!("gcr", ".io"),
    ];
    let mut findings = Vec::new();
    for path in text_files() {
        let text = read(&path);
        findings.extend(
            hosts.iter().filter(|host| text.contains(**host)).map(|host| format!("{path}: {host}")),
        );
    }
    assert_none(&findings, "the host of a registry");
}

#[test]
fn documents_describe_what_is_and_are_no_diaries() {
    let names = ["status", "progress", "plan", "notes", "diary", "journal", "todo", "changelog"];
    let mut findings = Vec::new();
    for path in files_ending(".md") {
        let name = path.rsplit('/').next().unwrap_or(&path).to_lowercase();
        if names.iter().any(|start| name.starts_with(start)) {
            findings.push(path.clone());
        }
        for line in read(&path).lines() {
            let heading = line.strip_prefix('#').map(|rest| rest.trim_start_matches('#').trim());
            if heading.is_some_and(begins_with_a_date) {
                findings.push(format!("{path}: {line}"));
            }
        }
    }
    assert_none(&findings, "a document that tells what happened when");
}

/// As 2026-01-31 does.
fn begins_with_a_date(text: &str) -> bool {
    let shape: String = text
        .chars()
        .take(10)
        .map(|letter| if letter.is_ascii_digit() { '9' } else { letter })
        .collect();
    shape == "9999-99-99"
}

#[test]
fn scripts_stop_at_the_first_failure_and_end_no_process_by_name() {
    let by_name = [concat!("p", "kill"), concat!("kill", "all")];
    let mut scripts = files_ending(".sh");
    scripts.push(".ci/run".to_owned());
    let mut findings = Vec::new();
    for path in scripts {
        let text = read(&path);
        if text.starts_with("#!") && !text.contains("\nset -euo pipefail\n") {
            findings.push(format!("{path}: no `set -euo pipefail`"));
        }
        if by_name.iter().any(|command| text.contains(command)) {
            findings.push(format!("{path}: ends processes by their name"));
        }
    }
    assert_none(&findings, "a script that does more than it should");
}

/// Everything that a person reads; the lock file is cargo's.
fn text_files() -> Vec<String> {
    let endings = [".rs", ".sql", ".md", ".toml", ".sh", ".yaml", ".yml", ".json", ".conf"];
    let mut found = files("");
    found.retain(|path| {
        endings.iter().any(|ending| path.ends_with(ending))
            || ["Makefile", ".ci/run"].contains(&path.as_str())
    });
    found
}
