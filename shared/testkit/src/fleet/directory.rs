//! The directory of a test: the sample set-up, with every outside party at the test's simulator.

use std::path::{Path, PathBuf};

use fleet_domain::{AddressPolicy, LOOPBACK, PlanClass, TaskKind};
use fleet_store::{ClientRow, ConnectorRow, DirectoryImport, PlanRow};

/// Where the samples' outside parties stand.
const SAMPLE_SIMULATOR: &str = "http://127.0.0.1:21080";

/// The checkout.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of `deploy/local/sample`, at this simulator (an address without a slash at its end).
pub fn sample(simulator: &str) -> DirectoryImport {
    let mut import = DirectoryImport::default();
    for name in [
        "clients",
        "connectors",
        "plans",
        "products",
        "reasons",
        "templates",
        "blacklist",
        "terms",
        "numbering",
        "sandbox",
    ] {
        let path = root().join(format!("deploy/local/sample/{name}.toml"));
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let text = text.replace(SAMPLE_SIMULATOR, simulator);
        let rows = toml::from_str(&text);
        import = import.and(rows.unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    }
    // As the senders' settings say.
    import.to_clients = AddressPolicy::public_and(vec![LOOPBACK]);
    import
}

/// A client of the sample.
pub fn client(import: &mut DirectoryImport, id: i64) -> &mut ClientRow {
    let row = import.clients.iter_mut().find(|row| row.client_id == id);
    row.unwrap_or_else(|| panic!("the sample has no client {id}"))
}

/// A connector of the sample.
pub fn connector<'a>(import: &'a mut DirectoryImport, name: &str) -> &'a mut ConnectorRow {
    let row = import.connectors.iter_mut().find(|row| row.name == name);
    row.unwrap_or_else(|| panic!("the sample has no connector {name}"))
}

/// The waits of a plan for everybody.
pub(super) fn plan(
    import: &mut DirectoryImport,
    kind: TaskKind,
    class: PlanClass,
    delays_seconds: Vec<i64>,
) {
    import.plans.retain(|row| row.kind != kind || row.class != class);
    import.plans.push(PlanRow { kind, owner: "*".to_owned(), class, delays_seconds });
}
