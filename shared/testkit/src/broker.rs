//! A virtual host of its own for each test that needs a real broker.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, Method, Url};
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

/// Names the broker: an administrator's `amqp://` url.
pub const BROKER_URL: &str = "FLEET_TEST_BROKER_URL";
/// Names its management API: `http://user:password@host:port`.
pub const BROKER_ADMIN_URL: &str = "FLEET_TEST_BROKER_ADMIN_URL";
/// A command prefix that is `rabbitmqctl` for that node.
pub const RABBITMQCTL: &str = "FLEET_TEST_RABBITMQCTL";

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A virtual host that is deleted when this is dropped.
#[derive(Debug)]
pub struct TestVhost {
    name: String,
    amqp: Url,
    admin: Url,
    http: Client,
    /// It was there before.
    stays: bool,
}

impl TestVhost {
    /// The virtual host `fleet`, which the broker makes of its definitions at each boot. Only for a
    /// test that has the broker to itself.
    ///
    /// # Errors
    /// Without the environment of `make test`.
    pub fn of_the_fleet() -> Result<Self> {
        rustls::crypto::ring::default_provider().install_default().ok();
        Self::named("fleet".to_owned(), true)
    }

    /// Makes a new, empty virtual host.
    ///
    /// # Errors
    /// Without the environment of `make test`, or when the broker does not do it.
    pub async fn create() -> Result<Self> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let name = format!("test-{}", Uuid::new_v4());
        let vhost = Self::named(name, false)?;
        vhost.ask(Method::PUT, &["vhosts", &vhost.name], None).await?;
        let user = vhost.amqp.username().to_owned();
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        vhost.ask(Method::PUT, &["permissions", &vhost.name, &user], Some(all)).await?;
        Ok(vhost)
    }

    fn named(name: String, stays: bool) -> Result<Self> {
        let mut amqp = Url::parse(&variable(BROKER_URL)?).context("the broker's url")?;
        amqp.set_path(&name);
        let admin = Url::parse(&variable(BROKER_ADMIN_URL)?).context("the management url")?;
        let http = Client::builder().timeout(REQUEST_TIMEOUT).build()?;
        Ok(Self { name, amqp, admin, http, stays })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The administrator's url of it.
    #[must_use]
    pub fn url(&self) -> SecretString {
        self.amqp.as_str().into()
    }

    /// Another user's url of it.
    ///
    /// # Errors
    /// When the broker's url cannot have a user.
    pub fn url_for(&self, user: &str, password: &str) -> Result<SecretString> {
        let mut url = self.amqp.clone();
        let changed = url.set_username(user).and_then(|()| url.set_password(Some(password)));
        ensure!(changed.is_ok(), "the broker's url has no place for a user");
        Ok(url.as_str().into())
    }

    /// Loads definitions written for the virtual host `fleet` into this one. Users are the
    /// broker's, not the virtual host's: they stay.
    ///
    /// # Errors
    /// When the broker refuses them.
    pub async fn import_definitions(&self, definitions: &str) -> Result<()> {
        let mut definitions: Value = serde_json::from_str(definitions)?;
        for (section, entries) in definitions.as_object_mut().context("no object")?.iter_mut() {
            let key = if section == "vhosts" { "name" } else { "vhost" };
            for entry in entries.as_array_mut().context("no list")? {
                if let Some(vhost) = entry.get_mut(key) {
                    *vhost = json!(self.name);
                }
            }
        }
        self.ask(Method::POST, &["definitions"], Some(definitions)).await.map(drop)
    }

    /// Deletes a queue.
    ///
    /// # Errors
    /// When the broker does not do it.
    pub async fn delete_queue(&self, queue: &str) -> Result<()> {
        self.ask(Method::DELETE, &["queues", &self.name, queue], None).await.map(drop)
    }

    /// Deletes the binding of a queue to a key of an exchange.
    ///
    /// # Errors
    /// When the broker does not do it.
    pub async fn delete_binding(&self, exchange: &str, queue: &str, key: &str) -> Result<()> {
        let path = ["bindings", &self.name, "e", exchange, "q", queue, key];
        self.ask(Method::DELETE, &path, None).await.map(drop)
    }

    /// What the management API says about a queue: some seconds old.
    ///
    /// # Errors
    /// When there is no such queue.
    pub async fn queue(&self, queue: &str) -> Result<Value> {
        self.ask(Method::GET, &["queues", &self.name, queue], None).await
    }

    /// The names of its `queues`, `policies` or `exchanges`.
    ///
    /// # Errors
    /// When the broker does not tell.
    pub async fn names_of(&self, what: &str) -> Result<Vec<String>> {
        names(&self.ask(Method::GET, &[what, &self.name], None).await?)
    }

    /// The names of all the broker's users.
    ///
    /// # Errors
    /// When the broker does not tell.
    pub async fn users(&self) -> Result<Vec<String>> {
        names(&self.ask(Method::GET, &["users"], None).await?)
    }

    /// Has the broker close every connection to this virtual host; their number.
    ///
    /// # Errors
    /// When the broker does not do it.
    pub async fn close_connections(&self) -> Result<usize> {
        let open = self.ask(Method::GET, &["vhosts", &self.name, "connections"], None).await?;
        let open = open.as_array().context("no list")?;
        let names = open.iter().filter_map(|one| one.get("name").and_then(Value::as_str));
        let mut closed: usize = 0;
        for name in names {
            // It may be gone by itself in the meantime.
            if self.ask(Method::DELETE, &["connections", name], None).await.is_ok() {
                closed = closed.saturating_add(1);
            }
        }
        Ok(closed)
    }

    /// Runs `rabbitmqctl` at the node.
    ///
    /// # Errors
    /// When it fails, with what it printed.
    pub async fn rabbitmqctl(&self, arguments: &str) -> Result<String> {
        let command = format!("{} {arguments}", variable(RABBITMQCTL)?);
        let child = tokio::process::Command::new("sh")
            .args(["-c", &command])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(60), child).await??;
        ensure!(
            output.status.success(),
            "rabbitmqctl {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    async fn ask(&self, method: Method, path: &[&str], body: Option<Value>) -> Result<Value> {
        ask(&self.http, &self.admin, method, path, body).await
    }
}

impl Drop for TestVhost {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        // A test's own runtime may be ending: this needs one of its own.
        std::thread::scope(|scope| {
            let deleting = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let http = Client::builder().timeout(REQUEST_TIMEOUT).build()?;
                let path = ["vhosts", &self.name];
                runtime.block_on(ask(&http, &self.admin, Method::DELETE, &path, None))
            });
            if let Ok(Err(error)) = deleting.join() {
                tracing::warn!(vhost = self.name, %error, "test vhost not deleted");
            }
        });
    }
}

async fn ask(
    http: &Client,
    admin: &Url,
    method: Method,
    path: &[&str],
    body: Option<Value>,
) -> Result<Value> {
    let mut url = admin.clone();
    let Ok(mut segments) = url.path_segments_mut() else { bail!("no base for paths") };
    segments.pop_if_empty().push("api").extend(path);
    drop(segments);
    let what = format!("{method} {}", url.path());
    let mut request = http.request(method, url);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.with_context(|| what.clone())?;
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status.is_success(), "{what}: {status} {text}");
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn names(list: &Value) -> Result<Vec<String>> {
    let list = list.as_array().context("no list")?.iter();
    Ok(list.filter_map(|one| Some(one.get("name")?.as_str()?.to_owned())).collect())
}

fn variable(name: &str) -> Result<String> {
    #[expect(clippy::disallowed_methods, reason = "tests have no settings, only their environment")]
    std::env::var(name).with_context(|| format!("{name} is not set: run `make test`"))
}
