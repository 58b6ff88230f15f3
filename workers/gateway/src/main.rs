//! The gateway.

use std::process::ExitCode;

fn main() -> ExitCode {
    fleet_boot::run(fleet_gateway::PROGRAM, fleet_gateway::compose)
}
