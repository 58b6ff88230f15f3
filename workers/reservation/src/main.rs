//! The reservation worker.

use std::process::ExitCode;

fn main() -> ExitCode {
    fleet_boot::run(fleet_reservation::PROGRAM, fleet_reservation::compose)
}
