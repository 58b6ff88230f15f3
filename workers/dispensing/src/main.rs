//! The dispensing worker.

use std::process::ExitCode;

fn main() -> ExitCode {
    fleet_boot::run(fleet_dispensing::PROGRAM, fleet_dispensing::compose)
}
