//! `--check`: everything that can be known before a program runs. It asks what the program will use,
//! with the functions that it will use, and leaves nothing behind.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;
use fleet_domain::{AddressPolicy, Connector, Directory, Party};
use fleet_store::{Store, StoreError};
use secrecy::ExposeSecret;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Settings;
use crate::program::Program;

/// Connections that Postgres keeps for itself and for a person.
const KEPT_FREE: u32 = 8;
/// A name that is not found by then is warned of.
const RESOLVED_WITHIN: Duration = Duration::from_secs(5);
/// Whether anybody listens is known by then.
const CONNECTED_WITHIN: Duration = Duration::from_secs(2);

/// What is wrong with a set-up, each by the key that mends it.
#[derive(Debug, thiserror::Error)]
#[error("{}", .problems.join("\n  "))]
pub(crate) struct SetUp {
    problems: Vec<String>,
    /// True when nothing but this process' settings has to be mended.
    pub(crate) of_settings: bool,
}

pub(crate) async fn check(program: Program, settings: &Settings) -> anyhow::Result<()> {
    let store = settings.open_store(program.name)?;
    let mut problems = Vec::new();
    let mut warnings = 0;
    match database(&store, settings).await? {
        Ok(directory) => {
            let grace = too_little_grace(program, settings, &directory);
            if !grace.is_empty() {
                return Err(SetUp { problems: grace, of_settings: true }.into());
            }
            problems.extend(connector_problems(program, &directory));
            let warned = warnings_of(program, settings, &directory).await;
            warned.iter().for_each(|warning| tracing::warn!("{warning}"));
            warnings = warned.len();
        }
        Err(problem) => problems.push(problem),
    }
    let access = fleet_broker::check_access(&settings.broker(program.name), program.reads).await;
    problems.extend(access.iter().map(|problem| format!("broker.url: {problem}")));
    if !problems.is_empty() {
        return Err(SetUp { problems, of_settings: false }.into());
    }
    tracing::info!(warnings, "checked, all well");
    Ok(())
}

/// The directory of a database that this process can work with, or what is wrong with it.
async fn database(store: &Store, settings: &Settings) -> anyhow::Result<Result<Directory, String>> {
    // Before anything of ours is called: another schema does not have it.
    match store.check_schema().await {
        Ok(()) => {}
        Err(error @ StoreError::Schema(_)) => return Err(error).context("database.url"),
        Err(error) => {
            let closed = closed_port(settings.database.url.expose_secret()).await;
            return Ok(Err(format!(
                "database.url: {}",
                closed.unwrap_or_else(|| error.to_string())
            )));
        }
    }
    let (max, open) = (store.max_connections().await?, store.open_connections().await?);
    let needed = open.saturating_add(settings.database.pool_max);
    if needed > max.saturating_sub(KEPT_FREE) {
        return Ok(Err(format!(
            "database.pool_max: {open} connections are open and this process may open {} more, \
             but max_connections is {max} and {KEPT_FREE} stay free; lower pool_max or raise it",
            settings.database.pool_max
        )));
    }
    let directory = store.load_directory().await.context("the directory cannot be loaded")?;
    Ok(Ok(directory))
}

/// The pool only says that it waited in vain; this says for what.
async fn closed_port(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let (host, port) = (url.host_str()?.to_owned(), url.port().unwrap_or(5432));
    let connecting = tokio::net::TcpStream::connect((host.as_str(), port));
    let problem = match timeout(CONNECTED_WITHIN, connecting).await {
        Ok(Ok(_open)) => return None,
        Ok(Err(error)) => error.to_string(),
        Err(_elapsed) => "nobody answers".to_owned(),
    };
    Some(format!(
        "{host}:{port} cannot be connected to ({problem}): is it the right host and port?"
    ))
}

/// Calls that a stop would cut off, each with what to set: their outcome would be unknown.
pub(crate) fn too_little_grace(
    program: Program,
    settings: &Settings,
    directory: &Directory,
) -> Vec<String> {
    let grace = settings.grace();
    let seconds = grace.as_secs();
    let mut problems = Vec::new();
    let own = match program.calls {
        // Of accounts only, and for no longer than this.
        Party::Supplier if program.reads.is_empty() => {
            return Vec::new();
        }
        Party::Channel => Some(settings.outbound.deliver_deadline_ms),
        Party::Bank | Party::Supplier | Party::Desk => None,
    };
    if let Some(own) = own.filter(|own| Duration::from_millis(*own) > grace) {
        problems.push(format!(
            "shutdown.grace_seconds is {seconds}, but a result may take \
             outbound.deliver_deadline_ms = {own}: raise the one to {}, or lower the other",
            own.div_ceil(1000)
        ));
    }
    let mut slow: Vec<&Connector> = directory
        .connectors
        .values()
        .filter(|connector| connector.party == program.calls && connector.call_deadline > grace)
        .collect();
    slow.sort_by(|a, b| a.name.cmp(&b.name));
    problems.extend(slow.into_iter().map(|connector| {
        let deadline = connector.call_deadline.as_millis();
        format!(
            "shutdown.grace_seconds is {seconds}, but a call of connector {} may take \
             call_deadline_ms = {deadline}: raise the one to {}, or lower the other",
            connector.name,
            deadline.div_ceil(1000)
        )
    }));
    problems
}

/// Refuses to start where a stop would cut calls off.
pub(crate) fn enough_grace(
    program: Program,
    settings: &Settings,
    directory: &Directory,
) -> Result<(), SetUp> {
    let problems = too_little_grace(program, settings, directory);
    if problems.is_empty() { Ok(()) } else { Err(SetUp { problems, of_settings: true }) }
}

fn called(program: Program, directory: &Directory) -> impl Iterator<Item = &Connector> {
    let mut connectors: Vec<&Connector> = directory
        .connectors
        .values()
        .filter(|connector| connector.party == program.calls && connector.active)
        .collect();
    connectors.sort_by(|a, b| a.name.cmp(&b.name));
    connectors.into_iter()
}

/// Connectors that no call could ever leave for: a row of another build, or from before a rule.
fn connector_problems(program: Program, directory: &Directory) -> Vec<String> {
    let mut problems = Vec::new();
    for connector in called(program, directory) {
        let name = &connector.name;
        if let fleet_domain::Adapter::Unknown(word) = &connector.adapter {
            problems.push(format!(
                "connector {name}: adapter {word} is none that this build has: import it anew, or \
                 start the newer build"
            ));
        }
        let policy = AddressPolicy::of_connector(connector.plain_http);
        if let Err(blocked) = policy.check_url(&connector.base_url) {
            problems.push(format!("connector {name}: base_url: {blocked}"));
        }
    }
    problems
}

/// What may be well again before it is needed.
async fn warnings_of(program: Program, settings: &Settings, directory: &Directory) -> Vec<String> {
    let mut warnings = Vec::new();
    for (one, other) in directory.sharing_a_credential() {
        warnings.push(format!(
            "clients {one} and {other} have one key or secret, and it is refused for both"
        ));
    }
    if let (Party::Channel, Ok(policy)) = (program.calls, settings.to_clients()) {
        for client in directory.clients.values().filter(|client| client.active) {
            for (channel, url) in &client.channels {
                if let Err(blocked) = policy.check_url(url) {
                    warnings.push(format!("client {}: channels.{channel}: {blocked}", client.id));
                }
            }
        }
    }
    warnings.sort();
    warnings.extend(unresolved(program, directory).await);
    warnings
}

/// Connectors whose hosts have no address now.
async fn unresolved(program: Program, directory: &Directory) -> BTreeSet<String> {
    let mut lookups = JoinSet::new();
    for connector in called(program, directory) {
        let Ok(url) = url::Url::parse(&connector.base_url) else { continue };
        let Some(host) = url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned()) else {
            continue;
        };
        let (name, port) = (connector.name.clone(), url.port_or_known_default().unwrap_or(443));
        lookups.spawn(async move {
            let found = timeout(RESOLVED_WITHIN, tokio::net::lookup_host((host.as_str(), port)));
            let problem = match found.await {
                Ok(Ok(mut addresses)) => {
                    if addresses.next().is_some() {
                        return None;
                    }
                    "it has no address".to_owned()
                }
                Ok(Err(error)) => error.to_string(),
                Err(_elapsed) => "nobody answered in time".to_owned(),
            };
            Some(format!("connector {name}: base_url: host {host} is not found ({problem})"))
        });
    }
    lookups.join_all().await.into_iter().flatten().collect()
}
