//! What every backend must keep, one promise a function, one file a verb.
//!
//! A backend runs it by handing [`conformance!`](crate::conformance!) a function that makes a [`World`]: a new, empty
//! store under a clock that stands still. Each promise becomes a test of its own name.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "promises fail by panicking; only tests are built with them"
)]

pub mod accept;
pub mod access;
pub mod audit;
pub mod census;
pub mod content;
pub mod credential_change;
pub mod events;
pub mod lease;
pub mod purge;
pub mod read;
pub mod record;
pub mod release;
pub mod sealed;
pub mod settings;
pub mod steer;
pub mod test_mail;
mod world;

pub use world::{UNBOUNDED, World, again, at, doubt, held_by, hold, seconds, secret_wrong, sent, token};

/// Makes a test of every promise. Give it the name of an `async fn() -> World` beside it.
#[macro_export]
macro_rules! conformance {
    ($world:ident) => {
        $crate::conformance! { $world;
            accept {
                an_accepted_message_reads_back_as_it_was_answered
                without_settings_nothing_is_accepted
                the_same_request_is_the_same_message
                a_request_id_with_other_content_is_refused
                a_replay_is_answered_after_the_settings_are_gone
                a_replay_tells_the_message_as_it_is_now
                concurrent_twins_are_one_message
                a_request_id_is_its_resellers_own
                what_was_accepted_before_is_told_without_storing
                a_message_makes_its_lane_due
                a_message_for_later_is_scheduled_and_its_lane_is_due_then
                a_message_does_not_hasten_a_held_lane
                a_message_does_not_hasten_a_waiting_lane
                a_full_queue_takes_nothing_new_and_still_tells_a_replay
                an_end_gives_its_place_in_the_queue_back
                many_are_accepted_together_or_not_at_all
                the_bounds_of_the_queue_hold_for_many_together
            }
            steer {
                what_waits_is_cancelled_and_stays_so
                what_is_on_its_way_or_in_doubt_is_not_cancelled
                what_another_may_have_sent_ends_in_doubt_whatever_its_policy
                a_retry_waits_again_with_a_fresh_expiry_and_its_history
                whatever_ended_unsent_can_be_retried_and_what_was_sent_cannot
                a_retry_is_now_unless_microsoft_asked_to_wait
                what_a_mailbox_was_asked_holds_when_the_settings_name_it_again
                who_lets_a_lane_go_on_ends_its_own_guess_and_not_what_microsoft_asked
                who_lets_a_lane_go_on_frees_what_was_set_aside_for_its_recipients
                a_full_queue_takes_no_retry
                without_its_content_nothing_is_retried
                a_paused_lane_sends_nothing_and_says_why
                resuming_lets_the_lane_go_on_and_probes_a_held_one_at_once
                the_holder_of_a_lane_hears_of_every_change_by_others
            }
            events {
                each_change_is_told_once_with_the_message_as_it_was
                a_reader_goes_on_after_what_it_has_seen
                a_lane_that_is_stopped_or_freed_is_told_once
                a_lanes_event_is_told_of_all_that_waited_then_whatever_became_of_it
                scheduled_mail_that_comes_due_in_a_stopped_lane_is_told_as_held
                the_events_of_all_resellers_come_in_the_order_of_their_commits
                a_position_that_no_event_can_have_is_not_taken
                a_database_that_was_restored_has_an_epoch_of_its_own_from_then_on
                events_of_the_past_go_and_whoever_missed_them_is_told
                changes_are_heard_after_their_commit
            }
            purge {
                unsent_content_goes_after_a_week_and_the_subject_stays
                cancelled_content_goes_after_a_minute
                what_was_retried_meanwhile_keeps_its_content
                history_goes_after_its_days_and_takes_nothing_unfinished_along
                a_request_id_is_known_for_a_day_after_its_messages_end
                a_step_takes_so_much_and_tells_that_there_is_more
            }
            read {
                another_resellers_message_is_not_found
                pages_go_from_the_newest_to_the_oldest
                all_given_labels_match
                a_waiting_message_of_a_held_lane_reads_as_held
                a_message_tells_when_it_is_likely_to_go_by_its_place_and_its_pace
                a_scheduled_message_is_held_only_once_its_time_has_come
                lists_filter_by_the_state_that_is_seen
                the_next_attempt_is_told_after_the_lanes_wait
            }
            lease {
                a_lane_has_one_holder
                a_lease_that_ran_out_may_be_taken
                a_lane_that_is_not_due_is_not_leased
                an_old_token_changes_nothing
                due_lanes_come_the_longest_due_first
                the_next_due_time_is_a_lanes_or_the_end_of_a_lease
                a_lease_tells_the_starts_of_the_last_minute
                a_lease_tells_the_open_attempts_of_an_earlier_holder
                a_lease_tells_the_resellers_own_pace
                a_lease_tells_the_recipients_of_the_last_day
                a_lane_that_was_given_back_goes_behind_those_that_wait
                lanes_of_a_cloud_can_be_passed_over
                a_lease_is_read_again_as_it_would_be_given_now
                a_lost_lease_is_not_read_again
                the_end_of_a_lease_counts_only_where_there_is_work
                messages_come_by_priority_then_due_time_then_id
                a_held_lane_still_tells_what_to_probe_with
            }
            release {
                an_empty_lane_is_due_when_woken
                a_lane_is_due_with_its_next_message
                a_held_lane_is_due_with_its_probe
                a_held_lane_is_due_for_an_expiry_before_its_probe
                a_paced_lane_is_due_after_its_pause
                a_lane_that_met_a_days_limit_is_looked_at_within_a_minute_for_limits_change
                other_settings_and_a_resumption_free_a_lane_of_its_pace
                an_open_attempt_makes_its_lane_due_at_its_deadline
                messages_end_when_their_time_runs_out
                a_held_message_expires_with_the_finding_of_the_hold
                a_message_in_doubt_does_not_expire_but_ends_unknown
            }
            record {
                an_attempt_is_written_down_before_the_call
                a_message_that_does_not_wait_is_not_started
                a_202_is_sent_and_its_content_is_gone
                only_a_202_is_sent
                a_failed_message_keeps_its_content
                a_deferred_message_waits_and_its_gaps_grow_only_where_they_count
                a_doubt_is_never_hidden_behind_another_end
                an_outcome_is_written_once
                an_outcome_told_twice_is_no_news
                a_late_202_lifts_any_end_and_is_kept_beside_the_first_outcome
                nothing_lowers_sent
                a_limit_makes_the_lane_wait
                the_lane_waits_as_long_as_microsoft_asks_whatever_the_outcome
                a_wait_that_was_asked_for_is_counted_from_the_answer_and_outlives_a_hold
                a_late_answer_is_obeyed_by_its_own_holder_only
                a_doubt_after_a_real_outcome_is_no_news
                a_late_refusal_is_kept_beside_the_doubt
                a_hold_keeps_the_message_first_and_spends_nothing
                a_hold_under_an_old_token_is_not_written
                a_hold_by_settings_that_were_replaced_is_not_written
                a_202_frees_a_held_lane_and_makes_the_settings_ready
                no_attempt_starts_with_settings_that_were_replaced
                an_operators_pause_is_ended_neither_by_a_202_nor_by_a_hold
                an_attempt_that_never_left_is_written_whole
            }
            test_mail {
                no_lane_touches_a_test_mail
                the_same_test_is_one_mail_as_it_is_now
                a_request_id_of_another_content_is_refused_to_a_test
                concurrent_twins_of_a_test_are_one_mail
                a_test_mail_needs_no_settings
                a_test_mail_counts_in_the_pace_of_its_mailbox
                a_test_mail_waits_for_what_binds_its_mailbox_on_any_replica
                an_abandoned_test_mail_is_left_to_the_lane_after_its_deadline
                a_failed_test_mail_is_not_tried_again_and_holds_nothing
            }
            settings {
                settings_read_back_as_they_were_put
                an_old_etag_puts_and_deletes_nothing
                a_federated_source_belongs_to_one_reseller
                an_etag_never_comes_twice
                a_put_frees_a_lane_that_broken_settings_held
                a_put_does_not_end_an_operators_pause
                a_put_gives_the_lane_its_new_mailbox
                a_mailbox_is_one_however_it_is_spelled
                a_passed_test_makes_settings_ready_unless_they_changed
                usage_counts_what_waits_and_what_was_sent_within_a_day
                lists_go_by_slug_and_filter
                settings_with_unfinished_messages_are_not_deleted_unasked
                a_deletion_cancels_what_waits_and_keeps_the_history
                nothing_in_flight_is_cancelled
                a_deletion_ends_what_is_in_doubt_as_unknown
            }
            access {
                a_key_reads_back_as_it_was_created
                a_revoked_key_stays_revoked_since_the_first_time
                use_is_noted_to_the_minute
                a_store_remembers_that_it_held_a_key
            }
            audit {
                a_change_is_told_with_who_made_it_from_where
                what_changed_nothing_is_not_told
                every_kind_of_change_is_told
                a_reseller_has_a_chain_of_its_own_and_nobody_has_one
                changes_at_the_same_time_follow_one_another
                events_are_listed_from_the_newest_page_by_page
                a_clock_that_went_back_turns_no_chain_around
            }
            content {
                what_lies_in_the_database_is_sealed_and_reads_back_as_it_was
                lists_and_events_are_opened
                many_together_and_a_test_are_sealed_too
                what_was_written_before_anything_was_sealed_stays_readable
                with_the_settings_the_data_key_goes_and_what_it_sealed_is_closed_for_good
                a_key_that_another_replica_took_away_seals_nothing_more
                a_data_key_is_wrapped_anew_only_while_it_is_as_it_was
            }
            sealed {
                a_database_belongs_to_the_first_key_that_seals_in_it
                ciphertext_is_found_by_reseller_and_version_only
                versions_put_before_are_pruned_but_one
                records_are_listed_by_reseller_and_version
                a_record_is_replaced_only_while_it_is_as_it_was
                a_key_ring_is_swapped_only_while_it_is_as_it_was
            }
            credential_change {
                a_change_that_began_is_due_until_it_is_ended
                a_closed_change_is_not_committed
                settings_are_put_only_while_their_change_is_there
                a_deletion_ends_changes_and_leaves_one_of_its_own
                a_change_that_is_due_waits_for_later_ones_of_its_reseller_and_a_day_at_most
                what_was_replaced_is_named_until_it_is_destroyed_and_waits_while_it_is_out_of_reach
                another_version_is_adopted_unless_the_settings_changed
            }
            census {
                the_backlog_counts_what_has_not_ended_by_the_state_that_is_seen
                a_lane_is_counted_in_the_state_that_stops_it_longest
                the_first_credential_to_end_is_told
            }
        }
    };
    ($world:ident; $($verb:ident { $($promise:ident)+ })+) => {
        $(mod $verb {
            $(#[tokio::test]
            async fn $promise() {
                $crate::conformance::$verb::$promise(&super::$world().await).await;
            })+
        })+
    };
}
