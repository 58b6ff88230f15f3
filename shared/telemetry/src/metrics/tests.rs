use super::*;

fn record_everything() {
    let metrics = metrics();
    metrics.store_round_trip(Duration::from_millis(3));
    metrics.claim_verdict("reserve", "claimed", 4);
    metrics.commit_verdict("reserve", "committed", 5);
    metrics.exchange("reserve", "bank-a", "done", Duration::from_millis(120));
    metrics.group("claim", "reserve", 7);
    metrics.published("reserve", 8, 2);
    metrics.clock("reserve", 9, 1, 3);
    metrics.requested("created", 6);
    metrics.shed("purchase", "1001");
    metrics.unknown_fields(2);
    metrics.intake("http", "created");
    metrics.http_request("/purchases/{id}", "POST", "2xx", Duration::from_millis(30));
    metrics.broker_up("publish", true);
    metrics.in_flight("reserve", 12);
    metrics.unclaimed("reserve", 13);
    metrics.backlog("reserve", "due", 14);
    metrics.oldest_due_seconds("reserve", 2);
    metrics.unfinished_seconds("dispense", "success", 20);
    metrics.parked("unknown", 15);
    metrics.holds("past_half", 16);
    metrics.violations("M1", 17);
    metrics.money("ZAR", "held", 18);
    metrics.unmatched_facts(19);
    metrics.lane_hindered("dispense", "vendor", "unknown_adapter", true);
}

#[test]
fn the_list_of_names_is_all_that_is_ever_shown() {
    record_everything();
    let text = render();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let shown: Vec<&str> = types.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(shown, METRIC_NAMES);
}

#[test]
fn what_was_recorded_is_shown_with_its_labels_and_no_others() {
    record_everything();
    let text = render();
    for line in [
        "fleet_exchange_seconds_bucket{kind=\"reserve\",outcome=\"done\",owner=\"bank-a\",le=\"0.1\"} 0",
        "fleet_http_request_seconds_bucket{method=\"POST\",route=\"/purchases/{id}\",status=\"2xx\",le=\"0.02\"} 0",
        "fleet_group_tasks_bucket{kind=\"reserve\",operation=\"claim\",le=\"4\"} 0",
        "fleet_store_round_trip_seconds_bucket{le=\"0.002\"} 0",
        "fleet_broker_up{connection=\"publish\"} 1",
        "fleet_in_flight_tasks{kind=\"reserve\"} 12",
        "fleet_unclaimed_tasks{kind=\"reserve\"} 13",
        "fleet_backlog_tasks{kind=\"reserve\",state=\"due\"} 14",
        "fleet_oldest_due_seconds{kind=\"reserve\"} 2",
        "fleet_unfinished_seconds{kind=\"dispense\",waits_for=\"success\"} 20",
        "fleet_parked_tasks{class=\"unknown\"} 15",
        "fleet_holds{age=\"past_half\"} 16",
        "fleet_invariant_violations{code=\"M1\"} 17",
        "fleet_money_minor{currency=\"ZAR\",state=\"held\"} 18",
        "fleet_facts_unmatched 19",
        "fleet_shed_total{owner=\"1001\",sort=\"purchase\"} 1",
        "fleet_lane_hindered{cause=\"unknown_adapter\",kind=\"dispense\",owner=\"vendor\"} 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} not in\n{text}");
    }
}

#[test]
fn counters_add_up() {
    let metrics = metrics();
    metrics.claim_verdict("capture", "claimed", 4);
    metrics.claim_verdict("capture", "claimed", 5);
    metrics.commit_verdict("capture", "stale", 2);
    metrics.published("capture", 8, 2);
    metrics.clock("capture", 9, 1, 3);
    metrics.requested("refused", 6);
    metrics.intake("queue", "repeated");
    metrics.intake("queue", "repeated");
    let text = render();
    for line in [
        "fleet_claim_verdicts_total{kind=\"capture\",verdict=\"claimed\"} 9",
        "fleet_commit_verdicts_total{kind=\"capture\",verdict=\"stale\"} 2",
        "fleet_published_hints_total{kind=\"capture\",outcome=\"confirmed\"} 8",
        "fleet_published_hints_total{kind=\"capture\",outcome=\"left_to_clock\"} 2",
        "fleet_clock_tasks_total{kind=\"capture\",outcome=\"due\"} 9",
        "fleet_clock_tasks_total{kind=\"capture\",outcome=\"lost\"} 1",
        "fleet_clock_tasks_total{kind=\"capture\",outcome=\"reminded\"} 3",
        "fleet_requested_total{outcome=\"refused\"} 6",
        "fleet_intake_total{outcome=\"repeated\",way_in=\"queue\"} 2",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} not in\n{text}");
    }
}
