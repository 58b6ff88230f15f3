//! The fraud-reporting worker.

use std::process::ExitCode;

fn main() -> ExitCode {
    fleet_boot::run(fleet_fraud_reporting::PROGRAM, fleet_fraud_reporting::compose)
}
