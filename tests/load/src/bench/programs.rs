//! The simulator and the four workers of one round, as processes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::servers::Servers;

/// The workers, in the order of a purchase.
pub(super) const WORKERS: [&str; 4] =
    ["reservation", "dispensing", "result-delivery", "fraud-reporting"];
/// A program is there within this time, and gone.
const PATIENCE: Duration = Duration::from_secs(40);
const LOOK_APART: Duration = Duration::from_millis(50);

/// Where programs and their files are.
#[derive(Debug, clap::Args)]
pub(crate) struct Places {
    /// The built programs.
    #[arg(long)]
    programs: PathBuf,
    /// The settings of every program.
    #[arg(long)]
    settings: PathBuf,
    /// Clients, products, connectors and plans to import.
    #[arg(long)]
    directory: PathBuf,
    /// Logs go here.
    #[arg(long)]
    logs: PathBuf,
    /// The simulator's port, which the directory names.
    #[arg(long)]
    simulator_port: u16,
    /// The workers' admin ports begin here.
    #[arg(long)]
    admin_port: u16,
}

/// Programs that run; they are killed when this is dropped.
pub(super) struct Programs(Vec<(&'static str, Child)>);

impl Places {
    /// Makes the schema and imports the directory.
    ///
    /// # Errors
    /// When `fleet` refuses.
    pub(super) async fn prepare(&self, servers: &Servers) -> anyhow::Result<()> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.directory).context("--directory")? {
            files.push(entry?.path());
        }
        let [migrate, import] = [vec!["migrate".into()], vec!["import".into()]];
        for arguments in [migrate, [import, files].concat()] {
            let mut command = self.program("fleet", "prepare")?;
            command.args(&arguments).env("FLEET__DATABASE__URL", servers.database());
            let status = command.status().await?;
            anyhow::ensure!(status.success(), "fleet {arguments:?} failed, see {:?}", self.logs);
        }
        Ok(())
    }

    /// Starts the simulator; it answers at once, and so do its parties.
    ///
    /// # Errors
    /// When it does not come up.
    pub(super) async fn simulator(&self, http: &reqwest::Client) -> anyhow::Result<Programs> {
        let mut command = self.command("simulator", "simulator")?;
        let listen = format!("127.0.0.1:{}", self.simulator_port);
        command.args(["--listen", &listen, "--latency-ms", "0..0"]);
        // Nobody calls back in these purchases.
        command.args(["--gateway", "http://127.0.0.1:9"]);
        let mut programs = Programs(vec![("simulator", command.spawn().context("simulator")?)]);
        let began = Instant::now();
        let url = self.simulator_url("live");
        while !http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            programs.all_run()?;
            anyhow::ensure!(began.elapsed() < PATIENCE, "the simulator does not come up");
            sleep(LOOK_APART).await;
        }
        Ok(programs)
    }

    /// Starts the four workers; they may not be ready yet.
    ///
    /// # Errors
    /// When one cannot be started.
    pub(super) fn workers(
        &self,
        servers: &Servers,
        settings: &BTreeMap<&'static str, String>,
    ) -> anyhow::Result<Programs> {
        let mut programs = Vec::new();
        for (worker, port) in WORKERS.into_iter().zip(self.admin_port..) {
            let mut command = self.program(worker, worker)?;
            command
                .env("FLEET__DATABASE__URL", servers.database())
                .env("FLEET__BROKER__URL", servers.broker(worker))
                .env("FLEET__ADMIN__LISTEN", format!("127.0.0.1:{port}"))
                .envs(settings);
            programs.push((worker, command.spawn().with_context(|| worker.to_owned())?));
        }
        Ok(Programs(programs))
    }

    /// Starts a gateway.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn gateway(&self, servers: &Servers, port: u16) -> anyhow::Result<Programs> {
        let mut command = self.program("gateway", "gateway")?;
        command
            .env("FLEET__DATABASE__URL", servers.database())
            .env("FLEET__BROKER__URL", servers.broker("gateway"))
            .env("FLEET__GATEWAY__LISTEN", format!("127.0.0.1:{port}"))
            .env("FLEET__ADMIN__LISTEN", format!("127.0.0.1:{}", self.admin_port));
        Ok(Programs(vec![("gateway", command.spawn().context("gateway")?)]))
    }

    pub(super) fn simulator_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.simulator_port)
    }

    /// Where a worker shows its metrics.
    pub(super) fn metrics_urls(&self) -> impl Iterator<Item = (&'static str, String)> {
        let ports = WORKERS.into_iter().zip(self.admin_port..);
        ports.map(|(worker, port)| (worker, format!("http://127.0.0.1:{port}/metrics")))
    }

    /// A program of the fleet.
    fn program(&self, name: &str, log: &str) -> anyhow::Result<Command> {
        let mut command = self.command(name, log)?;
        command.arg("--settings").arg(&self.settings);
        Ok(command)
    }

    fn command(&self, name: &str, log: &str) -> anyhow::Result<Command> {
        let path: &Path = &self.logs;
        let path = path.join(format!("{log}.log"));
        let log = File::options().create(true).append(true).open(&path);
        let log = log.with_context(|| path.display().to_string())?;
        let mut command = Command::new(self.programs.join(name));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        Ok(command)
    }
}

impl Programs {
    /// Their names and processes.
    pub(super) fn pids(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.0.iter().filter_map(|(name, child)| Some((*name, child.id()?)))
    }

    /// Waits until one takes connections there.
    ///
    /// # Errors
    /// When none does.
    pub(super) async fn until_listening(&mut self, port: u16) -> anyhow::Result<()> {
        let began = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            self.all_run()?;
            anyhow::ensure!(began.elapsed() < PATIENCE, "nobody listens on port {port}");
            sleep(LOOK_APART).await;
        }
        Ok(())
    }

    /// # Errors
    /// Names one that has ended.
    pub(super) fn all_run(&mut self) -> anyhow::Result<()> {
        for (name, child) in &mut self.0 {
            if let Some(status) = child.try_wait()? {
                anyhow::bail!("{name} has ended: {status}");
            }
        }
        Ok(())
    }

    /// Stops them in order, and waits for it.
    ///
    /// # Errors
    /// Names one that does not end, or not well.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        for (_, pid) in self.pids() {
            let mut kill = Command::new("sh");
            kill.args(["-c", &format!("kill -TERM {pid}")]);
            anyhow::ensure!(kill.status().await?.success(), "process {pid} cannot be stopped");
        }
        for (name, child) in &mut self.0 {
            let status = timeout(PATIENCE, child.wait()).await;
            let status = status.with_context(|| format!("{name} does not stop"))??;
            anyhow::ensure!(status.success(), "{name} ended with {status}");
        }
        Ok(())
    }
}
