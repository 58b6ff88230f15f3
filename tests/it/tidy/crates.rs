use std::collections::BTreeMap;
use std::process::Command;

use fleet_domain::{Adapter, Party, ResultChannel};
use serde::Deserialize;

use super::{assert_none, read, root};

/// Who may use whom. Nobody else may be used by anybody; an edge that is not here is an error.
const EDGES: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("telemetry", &[]),
    ("contracts", &["domain"]),
    ("engine", &["contracts", "domain", "telemetry"]),
    ("broker", &["contracts", "domain", "telemetry"]),
    ("store", &["outbound", "contracts", "domain", "telemetry"]),
    ("outbound", &["contracts", "domain", "telemetry"]),
    ("boot", &["engine", "broker", "store", "outbound", "contracts", "domain", "telemetry"]),
    (
        "testkit",
        &[
            "boot",
            "engine",
            "broker",
            "store",
            "outbound",
            "contracts",
            "domain",
            "telemetry",
            "simulator",
        ],
    ),
    ("reservation", SHARED),
    ("dispensing", SHARED),
    ("result-delivery", SHARED),
    ("fraud-reporting", SHARED),
    ("gateway", SHARED),
    ("ops", SHARED),
    // What it expects is its own; how an app pays is the outside world's.
    ("load", LOAD),
    // It is the outside world: what it knows of the fleet it knows from the contract's text.
    ("simulator", &[]),
    ("it", &[]),
    // The workers' own steps run in its simulated histories.
    (
        "faults",
        &[
            "testkit",
            "boot",
            "engine",
            "outbound",
            "store",
            "contracts",
            "domain",
            "reservation",
            "dispensing",
            "result-delivery",
            "fraud-reporting",
        ],
    ),
];
const SHARED: &[&str] =
    &["boot", "engine", "broker", "store", "outbound", "contracts", "domain", "telemetry"];
const LOAD: &[&str] = &["simulator", "store", "contracts", "domain"];

/// One crate knows each technology; tests may look at it from outside.
const TECHNOLOGIES: &[(&str, &[&str])] = &[
    ("lapin", &["broker", "testkit", "load"]),
    ("sqlx", &["store", "testkit", "load", "faults"]),
    ("reqwest", &["outbound", "testkit", "load", "simulator"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("config", &["boot"]),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) manifest_path: String,
    pub(super) dependencies: Vec<Dependency>,
    features: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) rename: Option<String>,
    pub(super) kind: Option<String>,
    features: Vec<String>,
}

pub(super) fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Metadata>(&output.stdout).unwrap().packages
}

pub(super) fn short(name: &str) -> &str {
    name.strip_prefix("fleet-").unwrap_or(name)
}

#[test]
fn crates_use_only_whom_the_layout_allows() {
    let allowed: BTreeMap<_, _> = EDGES.iter().copied().collect();
    let mut findings = Vec::new();
    for package in packages() {
        let user = short(&package.name).to_owned();
        let Some(edges) = allowed.get(user.as_str()) else {
            findings.push(format!("{user} is not in the list of crates"));
            continue;
        };
        for dependency in &package.dependencies {
            let Some(used) = dependency.name.strip_prefix("fleet-") else { continue };
            let in_tests = dependency.kind.as_deref() == Some("dev");
            // Tests may be helped by the testkit and the simulator; the fleet tests and drills see all.
            let help = in_tests
                && (["it", "faults"].contains(&user.as_str())
                    || ["testkit", "simulator"].contains(&used));
            if !help && !edges.contains(&used) {
                findings.push(format!("{user} uses {used}"));
            }
        }
    }
    assert_none(&findings, "an edge that tests/it/tidy/crates.rs does not allow");
}

#[test]
fn one_crate_knows_each_technology() {
    let mut findings = Vec::new();
    for package in packages() {
        let user = short(&package.name);
        for dependency in &package.dependencies {
            let row = TECHNOLOGIES.iter().find(|(name, _)| *name == dependency.name);
            let Some((technology, users)) = row else { continue };
            let in_tests = dependency.kind.as_deref() == Some("dev");
            if !in_tests && !users.contains(&user) {
                findings.push(format!("{user} depends on {technology}"));
            }
        }
    }
    assert_none(&findings, "a technology outside the crate that is made for it");
}

/// Programs are built without the testkit, and a build of everything for service has no debug
/// assertions: `fleet-boot` does not compile with crash points then.
#[test]
fn only_the_testkit_turns_crash_points_on() {
    let mut users = Vec::new();
    for package in packages() {
        let user = short(&package.name).to_owned();
        for (feature, enables) in &package.features {
            if enables.iter().any(|enabled| enabled.contains("crashpoints")) {
                users.push(format!("{user}: feature {feature}"));
            }
        }
        for dependency in &package.dependencies {
            if dependency.features.iter().any(|feature| feature == "crashpoints") {
                users.push(user.clone());
            }
        }
    }
    assert_eq!(users, ["testkit"]);
    let boot = read("shared/boot/src/program.rs");
    let guard =
        "#[cfg(not(debug_assertions))]\nconst _: () = assert!(!fleet_telemetry::HAS_CRASH_POINTS";
    assert!(boot.contains(guard), "a build for service may have crash points");
}

#[test]
fn every_crate_takes_the_lints_and_the_versions_of_the_workspace() {
    let mut findings = Vec::new();
    for package in packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        if !manifest.contains("[lints]\nworkspace = true") {
            findings.push(format!("{}: no [lints] workspace = true", package.name));
        }
        let (_, dependencies) = manifest.split_once("ependencies]\n").unwrap_or_default();
        for line in dependencies.lines().take_while(|line| *line != "[lints]") {
            if line.contains(" = ") && !line.contains("workspace = true") {
                findings.push(format!("{}: {line}", package.name));
            }
        }
    }
    assert_none(&findings, "a manifest that goes its own way");
}

#[test]
fn a_connector_is_one_file_and_one_row_in_a_list() {
    let names = |party| Adapter::all_of(party).iter().map(|a| a.name().to_owned()).collect();
    let results = ResultChannel::ALL.map(|channel| channel.name().to_owned());
    let folders: [(&str, Vec<String>); 4] = [
        ("workers/reservation/src/sources", names(Party::Bank)),
        ("workers/dispensing/src/suppliers", names(Party::Supplier)),
        ("workers/fraud-reporting/src/desks", names(Party::Desk)),
        ("workers/result-delivery/src/channels", [names(Party::Channel), results.into()].concat()),
    ];
    let mut findings = Vec::new();
    for (folder, rows) in folders {
        let module = read(&format!("{folder}/mod.rs"));
        let mut rows: Vec<String> = rows.iter().map(|name| name.replace('-', "_")).collect();
        let mut files: Vec<_> = std::fs::read_dir(root().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
            .filter(|name| name != "mod" && name != "tests")
            .collect();
        rows.sort();
        files.sort();
        if rows != files {
            findings.push(format!("{folder}: files {files:?}, but the list says {rows:?}"));
        }
        for name in files {
            if !module.contains(&format!("{name}::")) {
                findings.push(format!("{folder}/{name}.rs is never called"));
            }
        }
    }
    assert_none(&findings, "a connector that is not in its list");
}
