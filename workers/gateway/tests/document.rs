//! The document, its file, the router and the README say the same.

use std::path::Path;

use fleet_gateway::document;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap_or_default()
}

#[test]
fn the_file_is_the_served_document() {
    let text = format!("{:#}\n", document());
    let file = read("schemas/http/openapi.json");
    assert!(text == file, "schemas/http/openapi.json is stale: run `make schemas`");
}

#[test]
fn every_path_stands_in_the_readme() {
    let document = document();
    let readme = read("README.md");
    let (_, table) = readme.split_once("| path | API |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    for path in document["paths"].as_object().unwrap().keys() {
        // The table may name a parameter in its own way.
        let (begin, _) = path.split_once('{').unwrap_or((path, ""));
        assert!(table.contains(&format!("`{begin}")), "{path} is not in README.md's table");
    }
}
