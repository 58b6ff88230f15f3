//! What processes use, as Linux counts it in `/proc`.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context;

/// Linux counts CPU time for programs in hundredths of a second.
const TICK_US: u64 = 10_000;

/// One process of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    parent: u32,
    /// Its own time and that of its children which have ended.
    ticks: u64,
}

/// CPU time of the whole machine since its start, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) busy_us: u64,
    pub(super) all_us: u64,
}

/// All processes at one moment.
#[derive(Debug)]
pub(super) struct Processes(BTreeMap<u32, Row>);

impl Processes {
    /// # Errors
    /// Where there is no `/proc`.
    pub(super) fn now() -> anyhow::Result<Self> {
        let mut rows = BTreeMap::new();
        for entry in fs::read_dir("/proc").context("/proc, which only Linux has")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            // One that has just ended is no longer there.
            let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
            rows.extend(row(&stat).map(|row| (pid, row)));
        }
        Ok(Self(rows))
    }

    /// CPU time of a process and all below it, in microseconds.
    pub(super) fn tree_us(&self, root: u32) -> u64 {
        let mut ticks = 0_u64;
        let mut left = vec![root];
        while let Some(pid) = left.pop() {
            ticks = ticks.saturating_add(self.0.get(&pid).map_or(0, |row| row.ticks));
            left.extend(self.0.iter().filter(|(_, row)| row.parent == pid).map(|(pid, _)| *pid));
        }
        ticks.saturating_mul(TICK_US)
    }
}

impl Machine {
    /// # Errors
    /// Where there is no `/proc`.
    pub(super) fn now() -> anyhow::Result<Self> {
        machine(&fs::read_to_string("/proc/stat")?).context("/proc/stat is unreadable")
    }

    pub(super) const fn since(self, before: Self) -> Self {
        Self {
            busy_us: self.busy_us.saturating_sub(before.busy_us),
            all_us: self.all_us.saturating_sub(before.all_us),
        }
    }
}

/// Reads `/proc/PID/stat`. The name, in parentheses, may hold anything.
fn row(stat: &str) -> Option<Row> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let parent = fields.get(1)?.parse().ok()?;
    let times = fields.get(11..15)?.iter().map(|ticks| ticks.parse::<u64>());
    Some(Row { parent, ticks: times.sum::<Result<_, _>>().ok()? })
}

/// Reads `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal.
fn machine(stat: &str) -> Option<Machine> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).flat_map(str::parse).collect();
    let all: u64 = ticks.iter().sum();
    let idle: u64 = ticks.get(3..5)?.iter().sum();
    let us = |ticks: u64| ticks.saturating_mul(TICK_US);
    Some(Machine { busy_us: us(all.saturating_sub(idle)), all_us: us(all) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_counts_itself_and_its_children_that_have_ended() {
        let stat = "7 (odd ) name) S 3 7 7 0 -1 4194560 1 2 3 4 100 20 30 4 20 0 1 0 99";
        assert_eq!(row(stat), Some(Row { parent: 3, ticks: 154 }));
        assert_eq!(row("7 (cut"), None);
    }

    #[test]
    fn a_tree_is_everything_below_its_root() {
        let row = |parent, ticks| Row { parent, ticks };
        let rows = [(2, row(1, 1)), (3, row(2, 10)), (4, row(3, 100)), (5, row(1, 1_000))];
        assert_eq!(Processes(rows.into()).tree_us(2), 111 * TICK_US);
    }

    #[test]
    fn waiting_for_a_disk_is_idle() {
        let stat = "cpu  10 1 5 80 3 2 1 4 0 0\ncpu0 1 1 1 1\n";
        let machine = machine(stat).unwrap();
        assert_eq!((machine.busy_us, machine.all_us), (23 * TICK_US, 106 * TICK_US));
    }
}
