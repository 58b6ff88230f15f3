//! Percentiles.

use serde::Serialize;

/// Milliseconds at some percentiles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Latency {
    pub(crate) count: usize,
    pub(crate) p50_ms: u64,
    pub(crate) p95_ms: u64,
    pub(crate) p99_ms: u64,
    pub(crate) max_ms: u64,
}

impl Latency {
    pub(crate) fn of(mut milliseconds: Vec<u64>) -> Self {
        milliseconds.sort_unstable();
        let count = milliseconds.len();
        // The smallest value that at least so many percent do not exceed.
        let at = |percent: usize| {
            let rank = count.saturating_mul(percent).div_ceil(100);
            milliseconds.get(rank.saturating_sub(1)).copied().unwrap_or(0)
        };
        Self { count, p50_ms: at(50), p95_ms: at(95), p99_ms: at(99), max_ms: at(100) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let all = Latency::of((1..=100).rev().collect());
        assert_eq!((all.p50_ms, all.p95_ms, all.p99_ms, all.max_ms), (50, 95, 99, 100));
        let one = Latency::of(vec![7]);
        assert_eq!((one.p50_ms, one.max_ms, one.count), (7, 7, 1));
        assert_eq!(Latency::of(Vec::new()), Latency::default());
    }
}
