//! Wrong settings of the real programs: each is told by key, by value unless it is a secret, and with
//! what to do; all of them at once, before anything is connected to.

use fleet_testkit::TestFleet;
use secrecy::ExposeSecret;

use super::with;

/// One wrong set-up.
enum Wrong {
    /// A key of the file.
    Key(&'static str, toml::Value),
    /// A variable of the environment.
    Variable(&'static str, &'static str),
}

use Wrong::{Key, Variable};

fn key(name: &'static str, value: impl Into<toml::Value>) -> Wrong {
    Key(name, value.into())
}

/// Each with what it must be told.
fn cases() -> Vec<(Wrong, &'static str)> {
    vec![
        (key("log.filter", "inof"), "log.filter must be levels such as \"info\""),
        (key("log.filter", "fleet=shout"), ", not \"fleet=shout\" ("),
        (key("log.filter", 7), "log.filter must be levels such as \"info\" or"),
        (key("log.format", "yaml"), "log.format must be \"json\" or \"text\", not \"yaml\" ("),
        (Variable("FLEET__LOG__FORMAT", "JSON"), "log.format must be \"json\" or \"text\", not"),
        (
            key("database.url", "mysql://user:topsecret@host/db"),
            "database.url must be postgres://user:password@host:port/name: it begins with mysql://",
        ),
        (key("database.url", "topsecret@127.0.0.1:5432/x"), "database.url must be postgres://"),
        (key("database.url", vec!["topsecret"]), "database.url must be a text in quotes ("),
        (key("database.url", ""), "database.url is missing (or set FLEET__DATABASE__URL)"),
        (
            key("admin.listen", 9090),
            "admin.listen must be an address with a port, such as \"127.0.0.1:9090\", not 9090 (",
        ),
        (
            Variable("FLEET__ADMIN__LISTEN", "9090"),
            "such as \"127.0.0.1:9090\", not \"9090\" (FLEET__ADMIN__LISTEN)",
        ),
        (key("gateway.listen", "localhost"), "gateway.listen must be an address with a port"),
        (key("database.pool_max", "many"), "database.pool_max must be 1 to 100, not \"many\" ("),
        (
            Variable("FLEET__DATABASE__POOL_MAX", "many"),
            "database.pool_max must be 1 to 100, not \"many\" (FLEET__DATABASE__POOL_MAX)",
        ),
        (Variable("FLEET__DATABASE__POOL_MAX", "0"), "database.pool_max must be 1 to 100, not 0"),
        (key("engine.linger_ms", 1.5), "engine.linger_ms must be 0 to 100, not 1.5 ("),
        (key("broker.insecure", "yes"), "broker.insecure must be true or false, not \"yes\" ("),
        (
            Variable("FLEET__BROKER__INSECURE", "maybe"),
            "broker.insecure must be true or false, not \"maybe\" (FLEET__BROKER__INSECURE)",
        ),
        (key("engine.window_task", 7), "engine.window_task is no setting ("),
        (
            Variable("FLEET__ENGINE__WINDOW_TASK", "7"),
            "(FLEET__ENGINE__WINDOW_TASK): did you mean engine.window_tasks?",
        ),
        (key("databse.url", "topsecret"), "): did you mean database.url?"),
        (Variable("FLEET__ENGINE", "5"), "it is a section of keys such as engine."),
        (
            key("broker.url", "amqp://user:topsecret@broker.example.com/fleet"),
            "broker.url: the broker's url is plain text to another host: use amqps or set",
        ),
        (
            key("broker.url", "amqps://guest:topsecret@broker.example.com/fleet"),
            "broker.url: the broker's user is guest on another host",
        ),
        (key("broker.url", "http://topsecret"), "broker.url: the broker's url is no amqp"),
        (key("broker.url", ""), "broker.url is missing (or set FLEET__BROKER__URL)"),
        (key("keys.lookup", "topsecret"), "keys.lookup must be 64 hex digits (openssl rand"),
        (
            Variable("FLEET__KEYS__CURRENT", "topsecret"),
            "keys.current must be 0 to 65535 (FLEET__KEYS__CURRENT)",
        ),
        (key("keys.current", 9), "keys.current is 9, but keys.data.9 is missing"),
        (
            key("outbound.allowed_networks", vec!["10.0.0.0/99"]),
            "outbound.allowed_networks: 10.0.0.0/99 is not a network such as 10.0.0.0/8",
        ),
        (
            key("outbound.allowed_networks", "10.0.0.0/8"),
            "outbound.allowed_networks must be a list of texts, not \"10.0.0.0/8\" (",
        ),
        (key("gateway.public_url", "pay.example"), "must be an http or https URL without a slash"),
        (key("shutdown.grace_seconds", 0), "shutdown.grace_seconds must be 1 to 600, not 0 ("),
    ]
}

/// Settings that are right.
fn right(fleet: &TestFleet) -> toml::Table {
    let broker = fleet.vhost().url();
    with(fleet.settings().clone(), "broker.url", broker.expose_secret())
}

/// What a program says of its settings, and nothing else it may say.
async fn told(
    fleet: &TestFleet,
    program: &str,
    file: &str,
    environment: &[(&str, &str)],
) -> String {
    let arguments: &[&str] = if program == "fleet" { &["summary"] } else { &["--check"] };
    let output = fleet.run_in(program, file, environment, arguments).await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{program}: {file} {environment:?}: {text}");
    assert!(!text.contains("topsecret"), "a secret is printed: {text}");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_setting_is_told_by_key_value_and_remedy() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let programs = ["gateway", "reservation", "dispensing", "result-delivery", "fraud-reporting"];
    assert!(cases().len() >= 20);
    for ((wrong, wanted), program) in cases().into_iter().zip(programs.into_iter().cycle()) {
        let right = right(&fleet);
        let (settings, environment) = match wrong {
            Key(name, value) => (with(right, name, value), Vec::new()),
            Variable(name, value) => (right, vec![(name, value)]),
        };
        let file = toml::to_string(&settings).unwrap();
        let text = told(&fleet, program, &file, &environment).await;
        assert!(text.contains(wanted), "{program}\nshould be told: {wanted}\nis told: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_wrong_with_the_settings_is_told_at_once() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let mut settings = right(&fleet);
    for (name, value) in [
        ("admin.listen", toml::Value::from(9090)),
        ("log.filter", "loud".into()),
        ("database.url", "mysql://user:topsecret@host/db".into()),
        ("engine.windows", 7.into()),
        ("keys.lookup", "topsecret".into()),
    ] {
        settings = with(settings, name, value);
    }
    let file = toml::to_string(&settings).unwrap();
    for program in ["gateway", "dispensing", "fleet"] {
        let environment = [("FLEET__GATEWAY__REQUESTS_MAX", "many")];
        let text = told(&fleet, program, &file, &environment).await;
        for key in [
            "admin.listen must be",
            "log.filter must be",
            "database.url must be",
            "engine.windows is no setting",
            "keys.lookup must be",
            "gateway.requests_max must be 1 to 100000, not \"many\"",
        ] {
            assert!(text.contains(key), "{program}: {key}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_read_is_named_and_no_line_of_it_is_repeated() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    for (file, line) in [
        ("[database]\nurl = \"postgres://x:topsecret\n", "line 2: "),
        ("[database]\nurl = topsecret\n", "line 2: "),
        ("[keys]\nlookup = \"topsecret\"\nlookup = \"topsecret\"\n", "line 3: "),
    ] {
        let text = told(&fleet, "gateway", file, &[]).await;
        assert!(text.contains(line), "{file}: {text}");
    }
    for path in ["/nowhere/fleet.toml", "/", "/dev/null/fleet.toml"] {
        let output = fleet.run_at("gateway", path, &["--check"]).await;
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{path}: {text}");
        assert!(text.contains(&format!("--settings {path} cannot be read: ")), "{path}: {text}");
    }
}
