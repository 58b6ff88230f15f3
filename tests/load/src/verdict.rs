//! Whether a purchase ended as its script says, by the fleet's word and by the world's record.

use crate::lookup::Found;
use crate::mix::{Expected, Payer, Scenario};
use crate::order::Order;
use crate::run::{Answer, Sent};
use crate::send_amqp::Reply;
use crate::watch::Seen;

/// What became of one purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Ended as it must.
    Good,
    /// Never accepted, and nothing happened for it.
    NotAccepted(String),
    /// Something is wrong.
    Bad(String),
}

/// Judges one purchase.
pub(crate) fn judge(
    order: &Order,
    sent: &Sent,
    reply: Option<&Reply>,
    found: &Found,
    seen: &Seen,
) -> Verdict {
    let rejected = match (&sent.answer, reply) {
        (Answer::Rejected { code, cause }, _) => Some(format!("rejected with {code}, {cause}")),
        (_, Some(reply)) if reply.outcome != "accepted" => {
            let (code, message) = (&reply.response_code, &reply.response_message);
            Some(format!("{} with {code}: {message}", reply.outcome))
        }
        _ => None,
    };
    if let Some(cause) = rejected {
        return Verdict::Bad(cause);
    }
    let status = match found {
        Found::Status(status) => status,
        Found::NoAnswer(cause) => return Verdict::Bad(format!("the look-up fails: {cause}")),
        Found::Unknown => return unknown(sent, seen),
    };
    let expected = order.case.expected;
    if status != expected.status() {
        return Verdict::Bad(format!("status {status}, must be {}", expected.status()));
    }
    let told_success = seen.told.as_deref() == Some("0000");
    match &seen.told {
        None if !expected.has_result() => {}
        Some(code) if !expected.has_result() => {
            return Verdict::Bad(format!("the client was told {code}, and should not be"));
        }
        None => return Verdict::Bad("the client has no result".to_owned()),
        Some(code) if told_success != (expected == Expected::Success) => {
            return Verdict::Bad(format!("the client was told {code}"));
        }
        Some(_) => {}
    }
    for (kind, must_be) in effects(order) {
        let count = seen.count(kind);
        if count != must_be {
            return Verdict::Bad(format!("{count} of {kind}, must be {must_be}"));
        }
    }
    Verdict::Good
}

/// A purchase that the fleet does not know was never accepted, or is lost.
fn unknown(sent: &Sent, seen: &Seen) -> Verdict {
    if !seen.counts.is_empty() {
        return Verdict::Bad("the fleet does not know it, and it had effects".to_owned());
    }
    match &sent.answer {
        Answer::None { cause } => Verdict::NotAccepted(cause.clone()),
        Answer::Accepted { .. } | Answer::Confirmed | Answer::Rejected { .. } => {
            Verdict::Bad("accepted and lost".to_owned())
        }
    }
}

/// How often each effect must have happened.
const fn effects(order: &Order) -> [(&'static str, u64); 4] {
    let (reserve, capture, cancel, vend) = match order.case.expected {
        // The merchant hands its goods over itself.
        Expected::Success if matches!(order.case.payer, Payer::Card) => (1, 1, 0, 0),
        Expected::Success | Expected::Undelivered => (1, 1, 0, 1),
        Expected::Parked => (1, 0, 0, 1),
        Expected::RefusedByBank => (0, 0, 0, 0),
        Expected::RefusedBySupplier => (1, 0, 1, 0),
    };
    match order.scenario {
        Scenario::WeReserve => {
            [("reserve", reserve), ("capture", capture), ("cancel", cancel), ("vend", vend)]
        }
        Scenario::ClientReserved => [("reserve", 0), ("capture", 0), ("cancel", 0), ("vend", vend)],
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::order::{Offers, orders};

    fn order(expected: Expected, scenario: Scenario) -> Order {
        let mut rng = StdRng::seed_from_u64(5);
        let fits = |order: &Order| order.case.expected == expected && order.scenario == scenario;
        let offers = Offers { amqp: false, asked: false };
        orders(&mut rng, "load-abc", 2_000, offers).into_iter().find(fits).unwrap()
    }

    fn sent(answer: Answer) -> Sent {
        Sent { at: chrono::Utc::now(), took: Duration::ZERO, answer }
    }

    fn accepted() -> Sent {
        sent(Answer::Accepted { code: "0000".to_owned(), raas_txn_ref: "ref".to_owned() })
    }

    fn seen(told: &str, kinds: &[&str]) -> Seen {
        let counts = kinds.iter().map(|kind| ((*kind).to_owned(), 1)).collect();
        Seen { counts, told: Some(told.to_owned()), result_at: None }
    }

    #[test]
    fn a_purchase_is_good_only_with_its_status_its_result_and_its_effects() {
        let order = order(Expected::Success, Scenario::WeReserve);
        let good = seen("0000", &["reserve", "vend", "capture", "result"]);
        let success = Found::Status("SUCCESS".to_owned());
        assert_eq!(judge(&order, &accepted(), None, &success, &good), Verdict::Good);
        let wrong = [
            (Found::Status("PENDING".to_owned()), good.clone()),
            (Found::Unknown, good.clone()),
            (success.clone(), seen("2201", &["reserve", "vend", "capture", "result"])),
            (success.clone(), seen("0000", &["reserve", "capture", "result"])),
            (success.clone(), seen("0000", &["reserve", "vend", "result"])),
            (success, Seen { told: None, ..good }),
        ];
        for (found, seen) in wrong {
            let verdict = judge(&order, &accepted(), None, &found, &seen);
            assert!(matches!(verdict, Verdict::Bad(_)), "{found:?} {seen:?}");
        }
    }

    #[test]
    fn a_refusal_by_the_supplier_gives_held_funds_back() {
        let order = order(Expected::RefusedBySupplier, Scenario::WeReserve);
        let failed = Found::Status("FAILED".to_owned());
        let good = seen("2213", &["reserve", "cancel", "result"]);
        assert_eq!(judge(&order, &accepted(), None, &failed, &good), Verdict::Good);
        let held = seen("2213", &["reserve", "result"]);
        assert!(matches!(judge(&order, &accepted(), None, &failed, &held), Verdict::Bad(_)));
    }

    #[test]
    fn an_accepted_purchase_that_nobody_knows_is_lost_and_an_unanswered_one_is_not() {
        let order = order(Expected::Success, Scenario::ClientReserved);
        let nothing = Seen::default();
        let lost = judge(&order, &accepted(), None, &Found::Unknown, &nothing);
        assert_eq!(lost, Verdict::Bad("accepted and lost".to_owned()));
        let unanswered = sent(Answer::None { cause: "refused".to_owned() });
        let verdict = judge(&order, &unanswered, None, &Found::Unknown, &nothing);
        assert_eq!(verdict, Verdict::NotAccepted("refused".to_owned()));
    }
}
