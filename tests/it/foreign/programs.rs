//! Python and Node with what `tests/foreign` names.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::tidy::{read, root};

/// How long a program may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "tests are no program with settings")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where `deploy/local/install.sh` put everything.
pub(super) fn installed() -> PathBuf {
    let mut hash = Sha256::new();
    for file in ["requirements.txt", "package.json"] {
        hash.update(read(&format!("tests/foreign/{file}")));
    }
    let name = &hex::encode(hash.finalize())[..12];
    let cache = variable("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(variable("HOME").unwrap_or_default()).join(".cache"),
        PathBuf::from,
    );
    let folder = cache.join("purchase-fleet/foreign").join(name);
    let ready = folder.join("ready").is_file();
    assert!(ready, "{} is not there: run deploy/local/install.sh", folder.display());
    folder
}

/// The code of README.md in a language that has this text in it.
pub(super) fn readme(language: &str, with: &str) -> String {
    let readme = read("README.md");
    let mut blocks = readme.split("\n```");
    let found = blocks.find_map(|block| {
        let code = block.strip_prefix(language)?.strip_prefix('\n')?;
        code.contains(with).then(|| format!("{code}\n"))
    });
    found.unwrap_or_else(|| panic!("README.md has no block of {language} with {with}"))
}

/// A folder with the programs of `tests/foreign` and README.md's verifier, removed when dropped.
pub(super) struct Workshop(PathBuf);

impl Workshop {
    pub(super) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("fleet-foreign-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let workshop = Self(folder);
        for file in std::fs::read_dir(root().join("tests/foreign")).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), workshop.0.join(file.file_name())).unwrap();
        }
        workshop.write("fleet_verify.py", &readme("python", "def open_verifysign"));
        workshop.write("fleet_verify.mjs", &readme("js", "function openVerifysign"));
        let modules = installed().join("node_modules");
        std::os::unix::fs::symlink(modules, workshop.0.join("node_modules")).unwrap();
        workshop
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    /// Python with what was installed for it.
    pub(super) fn python(&self) -> Command {
        self.program(&installed().join("venv/bin/python"))
    }

    /// The command that runs a file by its ending.
    fn command(&self, file: &str) -> Command {
        let mut command = match file.rsplit('.').next().unwrap() {
            "py" => self.python(),
            "mjs" => self.program(Path::new("node")),
            "sh" => self.program(Path::new("bash")),
            other => panic!("who runs .{other}?"),
        };
        command.arg(file);
        command
    }

    /// A program that gets nobody's proxy or settings.
    fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let path = variable("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("PYTHONDONTWRITEBYTECODE", "1");
        command.current_dir(&self.0).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a file to its end; what it printed.
    pub(super) async fn run(&self, file: &str, arguments: &[&str]) -> String {
        let output = self.command(file).args(arguments).output();
        let output = tokio::time::timeout(PATIENCE, output).await;
        let output = output.unwrap_or_else(|_late| panic!("{file} does not end")).unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{file}: {}\n{error}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a file to its end; its last line as JSON.
    pub(super) async fn told(&self, file: &str, arguments: &[&str]) -> Value {
        let text = self.run(file, arguments).await;
        json(text.lines().last().unwrap_or_default())
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

pub(super) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_error| panic!("no JSON: {text}"))
}

/// A receiver that runs; it ends with its input, which it loses with this.
pub(super) struct Receiver {
    pub(super) port: u64,
    lines: Lines<BufReader<ChildStdout>>,
    input: ChildStdin,
    _child: Child,
}

impl Receiver {
    pub(super) async fn start(workshop: &Workshop, file: &str, settings: &Value) -> Self {
        let mut command = workshop.command(file);
        command.arg(settings.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let input = child.stdin.take().unwrap();
        let mut receiver = Self { port: 0, lines, input, _child: child };
        receiver.port = receiver.next().await["port"].as_u64().unwrap();
        receiver
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Tells it where the gateway is.
    pub(super) async fn meet(&mut self, gateway: &str) {
        self.input.write_all(format!("{gateway}\n").as_bytes()).await.unwrap();
    }

    /// What it says of the next request.
    pub(super) async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.unwrap_or_else(|_late| panic!("the receiver got nothing")).unwrap();
        json(&line.unwrap_or_else(|| panic!("the receiver has ended")))
    }
}
