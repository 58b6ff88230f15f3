//! `fleet`, the operators' command.

use std::process::ExitCode;

fn main() -> ExitCode {
    fleet_ops::run()
}
