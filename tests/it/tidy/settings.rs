use super::{assert_none, read};

const DEFAULTS: &str = "deploy/settings/default.toml";

#[test]
fn every_setting_says_above_it_what_it_is_for() {
    let text = read(DEFAULTS);
    let mut findings = Vec::new();
    let mut keys = 0;
    let mut before = "";
    for line in text.lines() {
        let table = line.starts_with('[');
        if !table && line.contains(" = ") && !line.starts_with('#') {
            keys += 1;
            if !before.starts_with('#') {
                findings.push(line.to_owned());
            }
        }
        before = line;
    }
    assert!(keys > 10, "{DEFAULTS} has only {keys} keys");
    assert_none(&findings, "a setting without its reason");
}

#[test]
fn alerts_ask_for_metrics_that_exist() {
    let text = read("deploy/alerts/fleet.yaml");
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let metrics: Vec<&str> = words.filter(|word| word.starts_with("fleet_")).collect();
    assert!(metrics.len() > 5, "{metrics:?}");
    let known = |name: &&&str| fleet_telemetry::METRIC_NAMES.contains(*name);
    let unknown: Vec<String> =
        metrics.iter().filter(|name| !known(name)).map(|name| (*name).to_owned()).collect();
    assert_none(&unknown, "an alert on no metric");
}

/// The sample set-up is written for the ports that a first checkout gets.
#[test]
fn the_sample_set_up_and_the_scripts_speak_of_the_same_ports() {
    let servers = read("deploy/local/servers.sh");
    assert!(servers.contains("base=${base:-${remembered:-21500}}"), "another default base");
    let port = |name: &str| -> i32 {
        let (_, rest) = servers.split_once(&format!("{name}=$((base ")).unwrap();
        let (offset, _) = rest.split_once("))").unwrap();
        21_500 + offset.replace(' ', "").parse::<i32>().unwrap()
    };
    let compose = read("deploy/compose.yaml");
    for (variable, name) in [
        ("FLEET_POSTGRES_PORT", "pg_port"),
        ("FLEET_AMQP_PORT", "amqp_port"),
        ("FLEET_MANAGEMENT_PORT", "management_port"),
        ("FLEET_PROMETHEUS_PORT", "prometheus_port"),
    ] {
        let default = format!("${{{variable}:-{}}}", port(name));
        assert!(compose.contains(&default), "deploy/compose.yaml has no {default}");
    }
    let simulator = format!("http://127.0.0.1:{}/", port("simulator_port"));
    assert!(read("deploy/local/sample/connectors.toml").contains(&simulator), "{simulator}");
    let gateway = format!("\"127.0.0.1:{}\"", port("gateway_port"));
    assert!(read("deploy/settings/local.toml").contains(&gateway), "{gateway}");
}
