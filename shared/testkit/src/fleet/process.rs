//! One program of the fleet as a process of its own, with its log in a file.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

/// Beside a program's settings: whom it trusts in place of the system's authorities, PEM.
pub(super) const AUTHORITIES: &str = "authorities.pem";
/// A program that is to end by itself and has not by then serves, where it should have refused to.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// A running program, or one that was.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) name: String,
    pub(super) log: PathBuf,
    child: Child,
    /// Its end was asked for, or is expected from the start.
    ended: bool,
}

/// What not every process is started with.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extra<'a> {
    pub(super) arguments: &'a [&'a str],
    pub(super) crash_point: Option<&'a str>,
    /// Its end is expected.
    pub(super) ends: bool,
}

/// Where cargo puts the programs: beside the folder of the test's own executable.
fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own executable");
    let folder = own.parent().and_then(Path::parent).expect("a test lies in target/<profile>/deps");
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build --workspace --bins` with the profile of the tests",
        path.display()
    );
    path
}

/// Nothing of the caller's own settings reaches a program under test.
pub(super) fn command(name: &str, settings: &Path) -> Command {
    let mut command = Command::new(program(name));
    command.env_clear().arg("--settings").arg(settings).stdin(Stdio::null());
    let authorities = settings.with_file_name(AUTHORITIES);
    if authorities.is_file() {
        command.env("SSL_CERT_FILE", authorities);
    }
    command
}

/// Runs a program to its end.
pub(super) async fn run(name: &str, settings: &Path, arguments: &[&str]) -> Output {
    run_in(name, settings, &[], arguments).await
}

/// As [`run`], with these variables in its environment.
pub(super) async fn run_in(
    name: &str,
    settings: &Path,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> Output {
    let mut command = tokio::process::Command::from(command(name, settings));
    command.args(arguments).envs(environment.iter().copied()).kill_on_drop(true);
    let ran = timeout(ENDS_WITHIN, command.output()).await;
    let ran = ran.unwrap_or_else(|_elapsed| panic!("{name} {arguments:?} does not end"));
    ran.unwrap_or_else(|error| panic!("{name} cannot be run: {error}"))
}

impl Process {
    /// Starts `name` with a settings file; `instance` tells processes of one program apart.
    pub(super) fn start(name: &str, instance: &str, settings: &Path, extra: Extra<'_>) -> Self {
        let log = settings.with_extension("log");
        let file = File::create(&log).expect("a log file");
        let again = file.try_clone().expect("the same log file");
        let mut command = command(name, settings);
        command.args(extra.arguments);
        if let Some(point) = extra.crash_point {
            command.env("FLEET_CRASHPOINT", point);
        }
        let child = command
            .stdout(again)
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Self { name: instance.to_owned(), log, child, ended: extra.ends }
    }

    /// The numbers of `kill`.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its log so far.
    pub(super) fn text(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Where its admin port listens, once it has started.
    pub(super) fn admin(&self) -> Option<SocketAddr> {
        let started = |line: &Value| line["message"] == "started";
        let line = lines(&self.text()).into_iter().find(started)?;
        line["admin.listen"].as_str()?.parse().ok()
    }

    /// SIGKILL, and its end.
    pub(super) fn kill(&mut self) {
        self.ended = true;
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Another signal, by its pid.
    pub(super) fn signal(&mut self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{} is gone already", self.name);
    }

    /// SIGTERM; its end is expected from now on.
    pub(super) fn ask_to_stop(&mut self) {
        self.ended = true;
        self.signal("-TERM");
    }

    /// Its end is expected from now on.
    pub(super) const fn expect_end(&mut self) {
        self.ended = true;
    }

    /// How it ended, if it has.
    pub(super) fn exit(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Its end was asked for.
    pub(super) const fn is_ended(&self) -> bool {
        self.ended
    }

    /// How it ended without being asked to.
    pub(super) fn crash(&mut self) -> Option<ExitStatus> {
        if self.ended { None } else { self.exit() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The lines of a log that are JSON.
pub(super) fn lines(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
