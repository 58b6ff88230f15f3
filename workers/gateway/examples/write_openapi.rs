//! Writes the gateway's OpenAPI document to the file named by the first argument.

fn main() -> std::io::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "schemas/http/openapi.json".to_owned());
    std::fs::write(path, format!("{:#}\n", fleet_gateway::document()))
}
