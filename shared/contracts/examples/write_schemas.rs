//! Writes the generated schemas below the folder named by the first argument.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let root = std::env::args().nth(1).unwrap_or_else(|| "schemas".to_owned());
    for (path, schema) in fleet_contracts::json_schemas() {
        let text = serde_json::to_string_pretty(&schema).map_err(std::io::Error::other)?;
        std::fs::write(Path::new(&root).join(path), format!("{text}\n"))?;
    }
    Ok(())
}
