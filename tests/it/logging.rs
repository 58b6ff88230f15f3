//! What stands behind a program's standard error may be full, or read by nobody: that costs log lines,
//! which are counted, and nothing else.

use std::fs::File;
use std::io::Write;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use fleet_testkit::TestFleet;
use fleet_testkit::fleet::purchase;

/// On a machine that others use too.
const LONG: Duration = Duration::from_secs(60);

async fn page(fleet: &TestFleet, admin: &str, path: &str) -> Option<String> {
    let answer = fleet.http().get(format!("http://{admin}{path}")).send().await.ok()?;
    answer.error_for_status().ok()?.text().await.ok()
}

async fn dropped(fleet: &TestFleet, admin: &str) -> u64 {
    let text = page(fleet, admin, "/metrics").await.unwrap_or_default();
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix("fleet_log_lines_dropped_total "));
    line.and_then(|count| count.parse().ok()).unwrap_or_default()
}

/// It starts, takes purchases in until so many lines are lost, and ends in order.
async fn works(fleet: &TestFleet, admin: &str, mut child: Child, lines: u64) {
    let ready = async || page(fleet, admin, "/ready").await.is_some();
    fleet.until_within(LONG, "it to be ready", ready).await;
    let taken = async || fleet.http().get(fleet.url("/")).send().await.is_ok();
    fleet.until_within(LONG, "it to listen", taken).await;
    for _ in 0..20 {
        fleet.transact(&purchase("0000")).await.accepted();
    }
    let lost = async || dropped(fleet, admin).await >= lines;
    fleet.until_within(LONG, "lost lines to be counted", lost).await;
    assert!(child.try_wait().unwrap().is_none(), "it has not ended by itself");
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
    // Whoever reads its log, or nobody.
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    let ended = tokio::time::timeout(LONG, ended).await;
    let status: ExitStatus = ended.unwrap().unwrap();
    assert_eq!(status.code(), Some(0), "in order");
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_behind_the_log_costs_lines_and_nothing_else() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let (mut command, admin) = fleet.command("gateway", "info");
    let child = command.stdout(Stdio::null()).stderr(full()).spawn().unwrap();
    works(&fleet, &admin, child, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_that_nobody_reads_keeps_nothing_waiting() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let (mut command, admin) = fleet.command("gateway", "info");
    let (reader, writer) = std::io::pipe().unwrap();
    let mut other = writer.try_clone().unwrap();
    // Another writer takes what room there is, until the pipe is gone.
    let filling = std::thread::spawn(move || while other.write_all(&[b'x'; 4096]).is_ok() {});
    let child = command.stdout(Stdio::null()).stderr(writer).spawn().unwrap();
    drop(command);
    works(&fleet, &admin, child, 0).await;
    drop(reader);
    filling.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_word_that_cannot_be_said_changes_no_exit_code() {
    let fleet = TestFleet::builder().workers(&[]).start().await;
    let nobody = "0198f000-0000-7000-8000-000000000000";
    let ends = [
        ("fleet", vec!["purchase", "show", nobody], 1),
        ("fleet", vec!["purchase", "show", "no-uuid"], 2),
        ("gateway", vec!["--nonsense"], 2),
        ("gateway", vec!["--check", "--settings", "/nowhere"], 2),
    ];
    for (program, arguments, code) in ends {
        let (mut command, _) = fleet.command(program, "info");
        command.args(&arguments).stdout(full()).stderr(full());
        let status = command.status().unwrap();
        assert_eq!(status.code(), Some(code), "{program} {arguments:?}");
    }
}
