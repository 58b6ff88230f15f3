//! Programs that end themselves at a crash point.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::process::Extra;
use super::{LOOK_EVERY, PATIENCE, TestFleet, lock};

const SIGKILL: i32 = 9;

impl TestFleet {
    /// Starts a process that ends itself at a crash point such as `reserve/claim.after:1`, and waits
    /// until it is ready or has ended. Its end is expected.
    pub async fn start_armed(&self, program: &str, point: &str) -> usize {
        let settings = |instance: &str| self.settings_file(program, instance);
        let extra = Extra { crash_point: Some(point), ends: true, ..Extra::default() };
        let index = self.launch_with(program, settings, extra);
        tokio::select! {
            () = self.until_ready(index) => {}
            () = async {
                while self.exit_of(index).is_none() {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            } => {}
        }
        index
    }

    /// Runs a command that kills itself at a crash point, and nowhere else.
    pub async fn run_armed(&self, program: &str, arguments: &[&str], point: &str) {
        let settings = |instance: &str| self.settings_file(program, instance);
        let extra = Extra { arguments, crash_point: Some(point), ends: true };
        let index = self.launch_with(program, settings, extra);
        // A command may have thousands of rows to go through before it comes there.
        let what = format!("{program} to come to {point}");
        self.until_within(PATIENCE * 4, &what, async || self.exit_of(index).is_some()).await;
        let status = self.exit_of(index).expect("it had ended a moment ago");
        assert_eq!(status.signal(), Some(SIGKILL), "{status}: {}", self.log_of(index));
    }

    /// Waits until an armed process has killed itself at its point.
    pub async fn until_crashed(&self, index: usize) {
        let status = self.until_ended(index).await;
        let log = self.log_of(index);
        assert!(log.contains("crash point reached"), "{status} elsewhere: {log}");
        assert_eq!(status.signal(), Some(SIGKILL), "{status}: {log}");
    }

    /// Waits until a process has ended; how it did.
    pub async fn until_ended(&self, index: usize) -> ExitStatus {
        let name = lock(&self.processes)[index].name.clone();
        self.until(&format!("the end of {name}"), async || self.exit_of(index).is_some()).await;
        self.exit_of(index).expect("it had ended a moment ago")
    }
}
