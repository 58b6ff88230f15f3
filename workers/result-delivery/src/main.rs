//! The result-delivery worker.

use std::process::ExitCode;

fn main() -> ExitCode {
    fleet_boot::run(fleet_result_delivery::PROGRAM, fleet_result_delivery::compose)
}
