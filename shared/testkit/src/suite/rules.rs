//! The list of all rules.

/// One test per rule; `$make` is an async function that returns what must live as long as the test,
/// and a store. Or, with `run`, all of them one after the other, in a `$round` that has a store for each.
#[macro_export]
macro_rules! task_store_suite {
    ($make:ident) => {
        $crate::task_store_suite!(all test $make);
    };
    (run $round:ident) => {
        $crate::task_store_suite!(all run $round);
    };
    (all $how:ident $with:ident) => {
        $crate::task_store_suite!(@ $how $with, claims:
            a_first_claim_starts_and_counts_one,
            a_claim_after_an_unanswered_one_resumes_and_tells_until_when_it_may_have_left,
            a_claim_past_its_start_is_expired_and_marks_nothing_as_sent,
            an_expired_claim_with_something_out_still_tells_since_when,
            a_running_task_is_busy_until_its_lease_is_over,
            a_waiting_task_is_not_due_and_a_parked_one_is_parked,
            a_finished_or_unknown_task_is_gone,
            a_task_of_another_lane_is_left_alone_and_its_lane_told,
            a_claim_run_again_with_its_own_token_gives_its_first_verdict,
            a_claim_run_again_after_the_start_is_over_still_gives_its_first_verdict,
            claims_count_over_crashes_and_a_commit_ends_the_count,
            a_task_twice_in_one_group_is_refused,
            one_group_gets_one_verdict_per_ask_in_their_order,
            a_queued_task_is_claimed_whatever_its_due_time_says,
            each_claim_of_a_group_has_its_own_lease,
            a_claim_that_may_ask_nobody_takes_only_what_may_end_and_writes_nothing_else,
            a_result_whose_time_is_up_may_end_without_asking,
        );
        $crate::task_store_suite!(@ $how $with, commits:
            a_commit_writes_its_track_and_ends_the_task,
            the_same_commit_again_is_already_done,
            a_commit_without_a_claim_is_late,
            a_lost_answer_moves_the_track_and_keeps_what_may_be_out,
            what_was_not_sent_puts_back_what_was_out_before,
            an_attempt_that_never_committed_may_be_out_until_its_lease_ends,
            a_task_waits_until_an_instant_whenever_the_commit_comes,
            a_reference_moves_only_with_a_new_one,
            tries_are_kept_counted_and_restarted,
            follow_ups_and_deliveries_that_exist_are_left_as_they_are,
            a_delivery_counts_only_attempts_that_were_sent,
            a_report_row_keeps_what_was_reported,
            a_parked_task_tells_its_class_cause_and_money,
            a_case_is_opened_by_the_commit_that_says_so_and_once,
            a_task_to_be_done_at_once_is_queued_again,
            every_commit_writes_one_journal_row_with_its_reference_number,
        );
        $crate::task_store_suite!(@ $how $with, facts:
            a_fact_wakes_a_waiting_task,
            a_fact_wakes_a_parked_task_and_closes_its_case,
            a_fact_leaves_a_queued_or_running_task_where_it_is,
            the_second_copy_of_a_fact_is_a_no_op,
            a_claim_reads_the_newest_facts_first,
            a_fact_in_between_wins_over_an_answer_that_knows_nothing,
            a_fact_in_between_keeps_the_overtaken_answer_as_a_fact,
            an_overtaken_look_up_never_says_that_nothing_is_out,
            a_definite_answer_wins_over_a_fact_in_between,
            a_definite_wait_is_cut_short_by_a_fact_in_between,
            a_late_answer_is_kept_as_a_fact_for_whoever_holds_the_task,
            a_late_unknown_answer_still_moves_the_track,
            a_late_answer_after_the_end_that_says_the_same_is_a_no_op,
            a_late_success_after_a_failure_opens_a_case,
            a_success_that_came_in_before_a_failure_was_committed_opens_a_case,
            a_second_vend_that_took_effect_opens_a_case,
            a_fact_that_lost_against_another_opens_a_case_when_the_task_ends,
            other_goods_under_the_same_vend_open_a_case,
            a_refusal_after_the_goods_are_out_opens_a_case,
            a_fact_about_no_purchase_is_unmatched,
        );
        $crate::task_store_suite!(@ $how $with, tellers:
            a_fact_of_another_connector_than_the_purchase_names_wakes_nothing,
            a_contrary_fact_of_another_connector_opens_no_case,
            a_second_fact_is_a_copy_only_when_it_says_the_same,
            a_right_fact_after_one_that_did_not_fit_is_matched,
            a_fact_of_nobody_that_comes_again_and_fits_by_now_becomes_the_purchases,
            of_a_sources_facts_of_nobody_the_newest_are_kept,
        );
        $crate::task_store_suite!(@ $how $with, unsigned:
            of_a_flood_of_unsigned_facts_the_first_and_the_newest_are_kept,
            what_was_asked_about_in_vain_gives_way_first,
            what_was_asked_is_known_though_a_fact_came_in_between,
            what_was_asked_counts_for_the_source_though_its_fact_gave_way_meanwhile,
            what_was_paid_for_never_gives_way_and_a_flood_after_it_is_one_case,
            signed_facts_are_read_first_and_never_give_way,
        );
        $crate::task_store_suite!(@ $how $with, clock:
            a_waiting_task_is_queued_when_it_is_due_and_not_before,
            the_clock_never_touches_a_task_that_goes_its_normal_way,
            a_running_task_is_looked_at_again_when_its_lease_is_over,
            a_parked_task_is_brought_up_once_a_day,
            a_hint_is_lost_when_the_watermark_is_past_it,
            a_hint_is_lost_when_queue_and_workers_are_empty,
            a_hint_is_not_lost_while_a_worker_has_unclaimed_tasks,
            a_hint_is_lost_after_ten_minutes_whatever_is_said,
            a_silent_process_says_nothing_about_hints,
            the_clock_respects_room_and_the_oldest_go_first,
            lanes_that_are_not_named_are_not_looked_at,
            rows_that_only_look_due_do_not_use_up_the_room,
            put_back_takes_only_queued_tasks,
            free_puts_everything_back_as_it_was,
            free_and_put_back_leave_other_claims_alone,
            a_lane_without_room_tells_that_more_is_due_and_is_not_written,
        );
        $crate::task_store_suite!(@ $how $with, permits:
            what_all_processes_use_is_never_above_the_limit,
            what_one_does_not_use_goes_to_whoever_asks,
            each_gets_its_share_and_the_rest_is_not_left_lying,
            one_permit_stays_where_it_is_used_and_moves_on_when_it_is_not,
            a_dead_process_counts_until_its_calls_have_ended,
            what_a_process_names_no_more_is_free_at_once,
            a_beat_that_comes_in_after_a_later_one_takes_nothing_away,
            a_changed_limit_counts_from_the_next_beat_on,
            permits_at_hand_are_shared_while_nobody_needs_them,
            one_process_probes_at_a_time_and_others_keep_their_permits,
            a_lane_that_nobody_knows_has_no_permits,
            calls_are_booked_at_the_lanes_rate_over_all_processes,
        );
        $crate::task_store_suite!(@ $how $with, notify:
            a_message_is_claimed_with_what_was_frozen_and_beside_its_result,
            a_message_counts_attempts_and_ends_in_its_row,
            a_message_past_its_day_leaves_no_more,
            a_notification_is_stored_once_with_its_task,
            a_reference_with_another_content_is_a_conflict_and_stores_nothing,
            another_clients_purchase_is_not_found,
            a_purchase_has_so_many_notifications_and_no_more,
        );
        $crate::task_store_suite!(@ $how $with, turns:
            a_client_with_much_that_waits_takes_its_turn_as_others_do,
            a_single_place_goes_round,
            of_many_clients_each_has_its_turn,
            without_a_broker_a_hint_is_lost_once_it_is_late,
        );
        $crate::task_store_suite!(@ $how $with, tokens:
            two_purchases_on_one_token_never_report_at_the_same_time,
            two_reports_on_one_token_in_one_group_are_claimed_one_after_the_other,
            the_report_that_waits_the_longest_is_next_whoever_comes_in_between,
            a_token_whose_promise_is_not_taken_is_free_again,
            a_dead_claim_gives_its_token_free_when_its_lease_is_over,
            a_claim_given_back_gives_its_token_free,
            a_report_that_waits_by_plan_is_not_woken_by_another,
            a_success_on_a_token_is_never_turned_back,
            a_success_counts_from_its_claim_on,
            a_token_has_one_week_from_its_making_whoever_names_it,
            the_same_token_at_another_desk_is_another_token,
            what_the_desk_says_of_a_token_is_kept_with_it,
            a_validation_writes_the_reserve_track_only_while_it_stands_there,
        );
        $crate::task_store_suite!(@ $how $with, intake:
            a_similar_purchase_waits_until_the_one_in_flight_has_ended,
            a_failed_purchase_and_one_of_long_ago_keep_nobody_away,
            the_same_reference_again_is_never_similar_to_itself,
            of_two_similar_ones_in_one_batch_the_first_is_stored,
            only_clients_that_want_it_are_kept_from_similar_purchases,
        );
        $crate::task_store_suite!(@ $how $with, charges:
            one_charge_of_a_source_pays_for_one_purchase,
            a_purchase_whose_buyer_was_asked_can_become_unknown_and_charged,
            what_is_told_after_a_charge_or_after_its_end_opens_a_case_or_nothing,
            what_a_card_gateway_tells_after_the_end_of_a_sale_opens_a_case,
        );
        $crate::task_store_suite!(@ $how $with, money:
            a_hold_is_resolved_once_and_the_group_is_refused,
            a_refused_group_leaves_no_trace_and_its_parts_can_be_written_alone,
            a_settlement_is_decided_once,
            the_books_of_a_captured_purchase_are_complete,
            what_was_owed_and_is_paid_back_stands_in_the_books_as_both,
        );
    };
    (@ test $make:ident, $module:ident: $($name:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                let (_guard, store) = $make().await;
                $crate::suite::$module::$name(store).await;
            }
        )+
    };
    // Of an empty database each; and floods, which ask nothing that others do not.
    (@ run $round:ident, intake: $($name:ident),+ $(,)?) => {};
    (@ run $round:ident, tellers: $($name:ident),+ $(,)?) => {};
    (@ run $round:ident, unsigned: $($name:ident),+ $(,)?) => {};
    (@ run $round:ident, turns: $($name:ident),+ $(,)?) => {};
    (@ run $round:ident, $module:ident: $($name:ident),+ $(,)?) => {
        $( $round.rule($crate::suite::$module::$name($round.store())).await; )+
    };
}
