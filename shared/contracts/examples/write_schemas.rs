//! Writes the generated files below the folder named by the first argument.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let root = std::env::args().nth(1).unwrap_or_else(|| "schemas".to_owned());
    for (path, text) in fleet_contracts::files() {
        std::fs::write(Path::new(&root).join(path), text)?;
    }
    Ok(())
}
