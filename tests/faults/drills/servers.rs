//! The drill's own Postgres and RabbitMQ: killed, and started again on their data.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fleet_testkit::fleet::until;
use tokio::process::Command;

/// From SIGKILL to the end of a process.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// A server that can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Postgres,
    Rabbitmq,
}

impl Server {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Rabbitmq => "rabbitmq",
        }
    }
}

/// The servers that `deploy/local/drill.sh` started.
#[derive(Debug)]
pub(crate) struct Servers {
    script: PathBuf,
    postgres_pid: PathBuf,
    rabbitmq_pid: PathBuf,
}

impl Servers {
    /// # Errors
    /// Without the environment of `make drill`: nobody else's servers are ever killed.
    pub(crate) fn of_the_drill() -> Result<Self> {
        variable("FLEET_DRILL")?;
        Ok(Self {
            script: variable("FLEET_TEST_SERVERS")?.into(),
            postgres_pid: variable("FLEET_TEST_PG_PID_FILE")?.into(),
            rabbitmq_pid: variable("FLEET_TEST_RABBITMQ_PID_FILE")?.into(),
        })
    }

    /// The main processes of both, as far as they run.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let pid = |file| std::fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok();
        [&self.postgres_pid, &self.rabbitmq_pid].into_iter().filter_map(pid).collect()
    }

    /// SIGKILL of its main process: the postmaster, or the broker's only one.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) async fn kill(&self, server: Server) -> Result<()> {
        let file = match server {
            Server::Postgres => &self.postgres_pid,
            Server::Rabbitmq => &self.rabbitmq_pid,
        };
        let text = std::fs::read_to_string(file).context("the server's pid file")?;
        let pid = text.lines().next().unwrap_or_default().trim().to_owned();
        let folder = file.parent().context("a folder")?.display().to_string();
        let ours = command_line(&pid).is_some_and(|line| line.contains(&folder));
        ensure!(ours, "{} does not run as process {pid}", server.name());
        let killed = Command::new("kill").args(["-KILL", &pid]).status().await?;
        ensure!(killed.success(), "{} could not be killed", server.name());
        let gone = async || command_line(&pid).is_none_or(|line| !line.contains(&folder));
        until(GONE_WITHIN, &format!("{} to end after SIGKILL", server.name()), gone).await;
        Ok(())
    }

    /// Starts it on what its data folder holds, and waits until it serves.
    ///
    /// # Errors
    /// When it does not come up, with what was printed.
    pub(crate) async fn start(&self, server: Server) -> Result<()> {
        let ran = Command::new(&self.script)
            .args(["start", server.name()])
            .stdin(Stdio::null())
            .output()
            .await?;
        let told = [ran.stdout, ran.stderr].concat();
        ensure!(ran.status.success(), "{}", String::from_utf8_lossy(&told));
        Ok(())
    }

    /// Removes everything that the broker has stored.
    ///
    /// # Errors
    /// When there is nothing.
    pub(crate) fn delete_the_brokers_data(&self) -> Result<()> {
        let folder = self.rabbitmq_pid.parent().map(|folder| folder.join("db"));
        let folder = folder.context("the broker's folder")?;
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())
    }
}

/// What runs as this process, if anything does.
fn command_line(pid: &str) -> Option<String> {
    let bytes = std::fs::read(Path::new("/proc").join(pid).join("cmdline")).ok()?;
    let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
    (!line.is_empty()).then_some(line)
}

fn variable(name: &str) -> Result<String> {
    #[expect(clippy::disallowed_methods, reason = "a drill has no settings, only its environment")]
    std::env::var(name).with_context(|| format!("{name} is not set: run `make drill`"))
}
