//! Takes each defence of `mutations.toml` away in a copy of the checkout, and runs the tests that must
//! then fail: a check that stays green without its defence proves nothing.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use fleet_faults::mutations::{self, Mutation};
use tokio::time::Instant;

/// A test that a missing defence keeps from ending has failed.
const TEST_LIMIT: Duration = Duration::from_secs(90);
/// A build of the mutated crates.
const BUILD_LIMIT: Duration = Duration::from_secs(900);

/// One line for the summary. Only the named ones, if any are named.
pub(crate) fn run(only: &[String]) -> Result<String> {
    let mut list = mutations::list()?;
    let unknown = |name: &&String| !list.iter().any(|one| one.name == **name);
    if let Some(name) = only.iter().find(unknown) {
        bail!("there is no mutation {name}");
    }
    list.retain(|one| only.is_empty() || only.contains(&one.name));
    let copy = Copy::make()?;
    println!("unchanged, every named test passes");
    let mut all: Vec<&str> =
        list.iter().flat_map(|one| &one.caught_by).map(String::as_str).collect();
    all.sort_unstable();
    all.dedup();
    for test in all {
        let (binary, name) = test.split_once(' ').context("a test without its binary")?;
        let verdict = copy.test(binary, name)?;
        ensure!(verdict == Verdict::Passed, "{test}: {verdict:?} with nothing changed");
    }
    let mut missed = Vec::new();
    let began = Instant::now();
    for (number, mutation) in list.iter().enumerate() {
        let left =
            began.elapsed() / u32::try_from(number.max(1))? * u32::try_from(list.len() - number)?;
        let eta = if number == 0 { String::new() } else { format!(", {} s left", left.as_secs()) };
        println!("{}/{}{eta} {}: {}", number + 1, list.len(), mutation.name, mutation.defence);
        missed.extend(copy.caught(mutation)?);
    }
    if !missed.is_empty() {
        bail!("still green without its defence: {}", missed.join(", "));
    }
    Ok(format!("{} defences taken away, each one caught by name", list.len()))
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed,
    /// Did not end in time.
    Hung,
}

/// A copy of what git knows of the checkout, with a target directory of its own that is kept.
struct Copy {
    root: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn make() -> Result<Self> {
        let from = mutations::root().canonicalize()?;
        let root = from.join(".local/drill/mutants");
        let target = from.join(".local/drill/mutants-target");
        if root.exists() {
            std::fs::remove_dir_all(&root)?;
        }
        let listed = Command::new("git").arg("-C").arg(&from).args(["ls-files", "-z"]).output()?;
        ensure!(listed.status.success(), "git names no files of {}", from.display());
        let listed = String::from_utf8(listed.stdout)?;
        for file in listed.split('\0').filter(|file| !file.is_empty()) {
            let (source, copy) = (from.join(file), root.join(file));
            // Removed and not yet committed.
            if !source.exists() {
                continue;
            }
            std::fs::create_dir_all(copy.parent().context("a file without a folder")?)?;
            std::fs::copy(&source, &copy).with_context(|| file.to_owned())?;
        }
        Ok(Self { root, target })
    }

    /// Changes the sources, runs the tests and puts the sources back; the tests that stay green.
    fn caught(&self, mutation: &Mutation) -> Result<Vec<String>> {
        let mutants = mutation.mutants(&self.root)?;
        let mut originals = BTreeMap::new();
        for (path, text) in &mutants {
            originals.insert(path, std::fs::read_to_string(path)?);
            std::fs::write(path, text)?;
        }
        let mut missed = Vec::new();
        for (binary, name) in mutation.tests()? {
            let verdict = self.test(binary, name)?;
            println!("    {verdict:?}: {name}");
            if verdict == Verdict::Passed {
                missed.push(format!("{} ({name})", mutation.name));
            }
        }
        for (path, text) in originals {
            std::fs::write(path, &text)?;
        }
        Ok(missed)
    }

    fn test(&self, binary: &str, name: &str) -> Result<Verdict> {
        if binary == "it" {
            let programs = ["build", "--locked", "--workspace", "--bins"];
            let (built, text) = self.cargo(&programs, BUILD_LIMIT)?;
            ensure!(built == Some(true), "the mutant does not build:\n{text}");
        }
        // Of the whole workspace, so that all builds share one set of features.
        let target: &[&str] = match binary {
            "lib" => &["--package", "fleet-testkit", "--lib"],
            _ => &["--workspace", "--test", binary],
        };
        let test = [&["test", "--locked"], target].concat();
        let (built, text) = self.cargo(&[&test[..], &["--no-run"]].concat(), BUILD_LIMIT)?;
        ensure!(built == Some(true), "the mutant does not build:\n{text}");
        let (passed, text) =
            self.cargo(&[&test[..], &["--", "--exact", name]].concat(), TEST_LIMIT)?;
        let ran = text.contains(&format!("test {name} ... "));
        match passed {
            None => Ok(Verdict::Hung),
            Some(_) if !ran => bail!("there is no test {name} in {binary}:\n{text}"),
            Some(true) => Ok(Verdict::Passed),
            Some(false) => Ok(Verdict::Failed),
        }
    }

    /// Runs cargo: whether it succeeded (`None` when its time was over), and what it said.
    fn cargo(&self, arguments: &[&str], limit: Duration) -> Result<(Option<bool>, String)> {
        let (mut reader, writer) = std::io::pipe()?;
        let mut child = Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .spawn()?;
        // It has ended when nobody of it can say anything any more.
        let (tell, told) = std::sync::mpsc::channel();
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            drop(tell.send(reader.read_to_string(&mut text).map(|_| text)));
        });
        let in_time = told.recv_timeout(limit).ok();
        let status = if in_time.is_some() {
            Some(child.wait()?.success())
        } else {
            let group = format!("-{}", child.id());
            Command::new("kill").args(["-KILL", "--", &group]).status()?;
            child.wait()?;
            None
        };
        let text = in_time.or_else(|| told.recv().ok()).context("what cargo said")??;
        reading.join().ok().context("the reader of what cargo said")?;
        Ok((status, text))
    }
}
