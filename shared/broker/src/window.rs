//! Which deliveries of a channel are answered, and which of them one acknowledgement can cover.
//!
//! Tags count up from 1. An acknowledgement with `multiple` covers all tags up to its own, so it
//! may only name a tag below which everything is answered; and the broker ends the channel when a
//! tag is named twice, so it has to be one that was not yet sent.

use std::collections::BTreeSet;

use tokio::time::Instant;

/// The most tags that are remembered behind one that is late.
const SENT_MAX: usize = 65_536;

/// The answers of one channel.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Every tag below is answered and sent.
    settled: u64,
    /// Acknowledged, not yet sent.
    acked: BTreeSet<u64>,
    /// Sent one by one, above `settled`.
    sent: BTreeSet<u64>,
    /// Since when something waits in `acked`.
    since: Option<Instant>,
    dropped: usize,
    /// Set once a tag is never to be answered: no `multiple` may cover it.
    one_by_one: bool,
}

impl Window {
    /// A tag to acknowledge.
    pub(crate) fn ack(&mut self, tag: u64) {
        self.acked.insert(tag);
        self.since.get_or_insert_with(Instant::now);
    }

    /// A tag whose own answer was sent.
    pub(crate) fn sent(&mut self, tag: u64) {
        if self.one_by_one {
            return;
        }
        self.sent.insert(tag);
        if self.sent.len() > SENT_MAX {
            self.stop_covering();
        }
    }

    /// A tag that will get no answer; the number of them so far.
    pub(crate) fn drop_unanswered(&mut self) -> usize {
        self.dropped = self.dropped.saturating_add(1);
        self.stop_covering();
        self.dropped
    }

    fn stop_covering(&mut self) {
        self.one_by_one = true;
        self.sent.clear();
    }

    /// The tag that may be sent with `multiple`, if there is one.
    pub(crate) fn cover(&mut self) -> Option<u64> {
        if self.one_by_one {
            return None;
        }
        let mut covered = None;
        loop {
            let next = self.settled.saturating_add(1);
            if self.acked.remove(&next) {
                covered = Some(next);
            } else if !self.sent.remove(&next) {
                break;
            }
            self.settled = next;
        }
        if self.acked.is_empty() {
            self.since = None;
        }
        covered
    }

    /// How many wait behind one that is late.
    pub(crate) fn waiting(&self) -> usize {
        self.acked.len()
    }

    /// Since when they wait.
    pub(crate) const fn waiting_since(&self) -> Option<Instant> {
        self.since
    }

    /// True when acknowledgements have to be sent one by one.
    pub(crate) const fn is_one_by_one(&self) -> bool {
        self.one_by_one
    }

    /// Those that wait, to be sent one by one now.
    pub(crate) fn take_waiting(&mut self) -> BTreeSet<u64> {
        self.since = None;
        let tags = std::mem::take(&mut self.acked);
        for tag in &tags {
            self.sent(*tag);
        }
        tags
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The broker's side of a channel.
    #[derive(Default)]
    struct Broker {
        outstanding: BTreeSet<u64>,
        acked: BTreeSet<u64>,
    }

    impl Broker {
        fn ack(&mut self, tag: u64, multiple: bool) {
            assert!(self.outstanding.remove(&tag), "unknown delivery tag {tag}");
            self.acked.insert(tag);
            if multiple {
                let later = self.outstanding.split_off(&tag);
                self.acked.append(&mut self.outstanding);
                self.outstanding = later;
            }
        }
    }

    #[test]
    fn answers_in_order_need_one_acknowledgement() {
        let mut window = Window::default();
        (1..=100).for_each(|tag| window.ack(tag));
        assert_eq!(window.cover(), Some(100));
        assert_eq!(window.cover(), None);
        assert_eq!(window.waiting_since(), None);
    }

    #[test]
    fn nothing_covers_a_dropped_tag() {
        let mut window = Window::default();
        window.ack(1);
        assert_eq!(window.cover(), Some(1));
        assert_eq!(window.drop_unanswered(), 1);
        window.ack(3);
        assert_eq!(window.cover(), None);
        assert!(window.is_one_by_one());
        assert_eq!(window.take_waiting(), BTreeSet::from([3]));
    }

    #[test]
    fn one_late_tag_does_not_make_the_window_grow_for_ever() {
        let mut window = Window::default();
        for tag in 2..200_000 {
            window.ack(tag);
            assert_eq!(window.cover(), None);
            assert_eq!(window.take_waiting().len(), 1);
            assert!(window.sent.len() <= SENT_MAX);
        }
        window.ack(1);
        assert_eq!(window.take_waiting(), BTreeSet::from([1]));
    }

    proptest! {
        /// 0 acknowledges, 1 rejects, 2 drops; now and then those that wait are sent one by one.
        #[test]
        fn the_broker_never_sees_a_tag_twice_and_gets_exactly_the_right_ones(
            order in Just((1..=60u64).collect::<Vec<_>>()).prop_shuffle(),
            answers in proptest::collection::vec((0..40u8, 0..10u8), 60),
        ) {
            let mut broker = Broker { outstanding: (1..=60).collect(), ..Broker::default() };
            let mut window = Window::default();
            let mut wanted = BTreeSet::new();
            for (tag, (answer, flush)) in order.into_iter().zip(answers) {
                match answer {
                    1 => {
                        prop_assert!(broker.outstanding.remove(&tag));
                        window.sent(tag);
                    }
                    2 => drop(window.drop_unanswered()),
                    _ => {
                        wanted.insert(tag);
                        window.ack(tag);
                    }
                }
                if let Some(tag) = window.cover() {
                    broker.ack(tag, true);
                }
                if flush == 0 {
                    window.take_waiting().into_iter().for_each(|tag| broker.ack(tag, false));
                }
            }
            window.take_waiting().into_iter().for_each(|tag| broker.ack(tag, false));
            prop_assert_eq!(broker.acked, wanted);
        }
    }
}
