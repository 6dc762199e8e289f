//! Interoperability with gunicorn 25.0.3, the last that speaks `json/1`, and with the newest, which speaks `gd/1`: their stock
//! clients and web servers against our arbiter, their workers under our arbiter, and our clients against the older one's arbiter. Everything is a real process on a real
//! socket.
//!
//! The Python side is in `tests/interop`; each of its drivers makes the checks that are named here, one by one.

mod arbiter;
pub mod driver;
mod gunicorn;
mod our_client;
mod running;

use arbiter::Arbiter;
use driver::{Version, drive_with};
use gunicorn::Gunicorn;
use tempfile::tempdir;

/// Runs a driver of gunicorn's stock client against an arbiter of ours that was started with `flags`.
fn stock_client(file: &str, flags: &[&str], checks: &[&str]) {
    stock_client_of(Version::Json, file, flags, checks);
}

/// The same, then with the newest gunicorn's.
fn stock_clients(file: &str, flags: &[&str], checks: &[&str]) {
    stock_client(file, flags, checks);
    stock_client_of(Version::Newest, file, flags, checks);
}

fn stock_client_of(version: Version, file: &str, flags: &[&str], checks: &[&str]) {
    let folder = tempdir().unwrap();
    let arbiter = Arbiter::start(folder.path(), flags);
    drive_with(version, file, &[("GUNICORN_DIRTY_SOCKET", arbiter.socket().to_str().unwrap())], checks);
    arbiter.stop();
}

#[test]
fn execute_with_the_stock_client() {
    stock_clients(
        "calls.py",
        &[],
        &[
            "the_environment_variable_finds_the_arbiter",
            "arguments_arrive_by_position_and_by_name",
            "no_arguments_are_no_arguments",
            "every_json_type_comes_back_as_it_was",
            "integers_of_any_size_come_back_exactly",
            "text_of_every_kind_comes_back_exactly",
            "the_order_of_members_is_kept",
            "sixty_levels_of_nesting_come_back",
            "a_keyword_argument_named_timeout_belongs_to_the_app",
            "many_calls_share_one_connection",
            "a_closed_client_connects_again",
            "large_arguments_reach_the_app",
            "large_results_reach_the_client",
            "a_coroutine_is_awaited",
            "an_app_keeps_its_state_between_calls",
        ],
    );
}

#[test]
fn streams_with_the_stock_client() {
    stock_clients(
        "streams.py",
        &[],
        &[
            "a_stream_yields_its_items_in_order",
            "an_async_generator_streams_the_same_way",
            "an_empty_stream_yields_nothing",
            "thousands_of_items_arrive_in_order",
            "items_arrive_when_they_are_made",
            "a_stream_that_fails_midway_yields_its_items_first",
            "a_stream_that_fails_leaves_the_connection_usable",
            "a_stream_and_a_call_take_turns_on_one_client",
            "the_stock_client_loses_a_plain_result_that_it_streams",
            "execute_on_a_stream_is_an_error_and_the_next_call_works",
            "a_stream_left_without_closing_costs_the_stock_client_one_call",
            "streams_left_with_a_close_free_their_workers",
            "streams_that_nobody_reads_hold_up_nobody_else",
        ],
    );
}

#[test]
fn the_stock_async_client() {
    stock_clients(
        "async_calls.py",
        &[],
        &[
            "a_call_returns_its_result",
            "the_client_of_the_context_finds_the_arbiter",
            "a_stream_yields_its_items_in_order",
            "an_empty_stream_yields_nothing",
            "a_stream_that_fails_midway_yields_its_items_first",
            "errors_have_their_class_and_attributes",
            "the_next_call_after_an_error_works",
            "execute_on_a_stream_is_an_error_and_the_next_call_works",
            "large_payloads_pass_both_ways",
            "fifty_clients_of_one_loop_get_their_own_answers",
            "the_two_workers_work_at_the_same_time",
            "a_call_given_up_by_its_caller_frees_client_and_worker",
            "two_calls_at_once_on_one_client_fail_as_they_do_with_gunicorn",
        ],
    );
}

#[test]
fn error_classes_in_the_stock_client() {
    stock_clients(
        "errors.py",
        &[],
        &[
            "an_exception_of_the_app_is_dirty_app_error",
            "a_built_in_app_sends_no_traceback",
            "an_unknown_action_is_dirty_app_error",
            "private_names_are_not_actions",
            "wrong_arguments_are_dirty_app_error",
            "an_unknown_app_is_dirty_app_not_found_error",
            "a_stream_of_an_unknown_app_is_dirty_app_not_found_error",
            "bytes_in_a_result_are_dirty_app_error",
            "nan_in_a_result_is_dirty_app_error",
            "nan_in_an_argument_is_dirty_protocol_error",
            "an_empty_action_is_dirty_protocol_error",
            "an_empty_app_path_is_dirty_protocol_error",
            "the_next_call_after_an_error_works",
            "a_call_given_up_by_its_caller_is_not_answered_to_the_next",
            "a_missing_socket_is_dirty_connection_error",
        ],
    );
}

#[test]
fn many_stock_clients_at_a_time() {
    stock_clients(
        "concurrency.py",
        &[],
        &[
            "threads_with_a_client_each_get_their_own_answers",
            "threads_with_the_client_of_the_thread_get_their_own_answers",
            "threads_that_share_one_client_get_their_own_answers",
            "processes_get_their_own_answers",
            "the_two_workers_work_at_the_same_time",
            "no_call_waits_behind_a_busy_worker_while_the_other_is_idle",
            "two_hundred_clients_connect_while_the_arbiter_is_stopped",
        ],
    );
}

#[test]
fn malformed_bytes_and_the_stock_client() {
    stock_client(
        "malformed.py",
        &[],
        &[
            "a_bad_frame_is_refused_and_the_connection_closed",
            "a_bad_frame_in_a_call_is_dirty_protocol_error_and_the_client_works_again",
            "a_truncated_frame_and_a_close_harm_nobody",
            "a_bad_message_is_refused_with_its_id_and_the_connection_lives",
            "a_request_byte_by_byte_is_a_request",
            "raw_utf8_and_unknown_members_are_welcome",
        ],
    );
}

#[test]
fn time_limits_and_the_stock_client() {
    stock_clients(
        "timeouts.py",
        &["--timeout", "0.8", "--cancel-grace", "0.3"],
        &[
            "a_call_over_the_limit_is_dirty_timeout_error",
            "a_stream_that_pauses_over_the_limit_is_dirty_timeout_error",
            "a_stream_may_last_longer_than_the_limit",
            "an_action_that_never_returns_costs_one_worker_and_is_replaced",
            "no_late_answer_reaches_another_call",
        ],
    );
}

#[test]
fn dying_workers_and_the_stock_client() {
    stock_clients(
        "crashes.py",
        &["--threads", "2"],
        &[
            "a_worker_that_dies_is_dirty_worker_error",
            "the_next_call_after_a_death_works",
            "a_worker_that_dies_midstream_ends_the_stream_with_dirty_worker_error",
            "calls_that_waited_while_workers_died_are_all_answered",
        ],
    );
}

#[test]
fn full_queues_and_large_frames_and_the_stock_client() {
    stock_client(
        "limits.py",
        &["--workers", "1", "--queue", "1", "--max-frame", "65536"],
        &[
            "a_full_queue_is_refused_at_once_and_read_as_dirty_error",
            "a_request_over_the_frame_limit_is_dirty_protocol_error",
            "a_request_too_large_for_the_pipe_is_an_error_and_the_next_call_works",
            "a_result_over_the_frame_limit_is_dirty_app_error",
        ],
    );
}

#[test]
fn the_compatible_mode_and_the_stock_client() {
    stock_clients(
        "compat.py",
        &["--compat", "gunicorn"],
        &[
            "an_unknown_app_is_dirty_no_workers_available_error",
            "a_stream_of_an_unknown_app_is_dirty_no_workers_available_error",
            "everything_else_is_as_usual",
        ],
    );
}

/// gunicorn's own dirty worker as a worker of our arbiter.
fn gunicorns_own_worker(version: Version, checks: &[&str]) {
    let worker = driver::folder().join("gunicorn_worker.py");
    let command = format!("'{}' -B '{}'", version.python().program().display(), worker.display());
    let flags = ["--app", "fixture:App", "--workers", "1", "--compat", "gunicorn", "--cancel-grace", "0.3"];
    let flags = [&flags[..], &["--worker-command", &command]].concat();
    stock_client_of(version, "stock_worker.py", &flags, checks);
}

#[test]
fn gunicorns_own_worker_serves_our_arbiter() {
    gunicorns_own_worker(Version::Json, STOCK_WORKER);
}

/// The same with the worker that speaks the binary codec and no other, for clients of both.
#[test]
fn the_newest_gunicorns_own_worker_serves_our_arbiter() {
    gunicorns_own_worker(Version::Newest, STOCK_WORKER);
}

const STOCK_WORKER: &[&str] = &[
    "calls_and_values_pass",
    "every_value_of_the_binary_codec_passes_too",
    "a_client_of_the_other_codec_reaches_the_same_worker",
    "streams_pass",
    "the_literals_for_nan_and_infinity_pass_both_ways",
    "the_errors_of_the_worker_arrive_as_it_sent_them",
    "a_stream_that_fails_midway_yields_its_items_first",
    "a_cancelled_call_is_answered_and_its_remains_reach_nobody",
    "a_worker_that_outstays_its_time_is_replaced",
    "a_worker_that_dies_is_replaced",
];

/// The binary codec, byte by byte.
#[test]
fn the_binary_codec_of_the_newest_gunicorn() {
    stock_client_of(
        Version::Newest,
        "binary.py",
        &[],
        &[
            "an_echo_is_these_bytes",
            "every_value_of_the_codec_comes_back_as_it_was",
            "a_request_byte_by_byte_is_a_request",
            "ids_are_any_64_bits",
            "requests_on_one_connection_run_side_by_side",
            "an_id_in_flight_is_refused_and_the_first_is_unharmed",
            "a_cancel_ends_a_call_at_once",
            "a_bad_frame_is_refused_and_the_connection_closed",
            "a_bad_message_is_refused_with_its_id_and_the_connection_lives",
            "what_the_header_says_a_payload_does_not_change",
            "a_result_that_is_too_long_in_json_is_an_error_of_the_call",
            "one_connection_speaks_one_codec",
            "both_codecs_are_served_at_once",
            "the_errors_have_the_classes_of_the_documentation",
        ],
    );
}

/// A gunicorn web server that has no dirty workers of its own, and is told about our arbiter.
fn a_web_server(version: Version) {
    let folder = tempdir().unwrap();
    let arbiter = Arbiter::start(folder.path(), &[]);
    let socket = arbiter.socket().to_str().unwrap().to_owned();
    let variable = format!("GUNICORN_DIRTY_SOCKET={socket}");
    let gunicorn = Gunicorn::start(
        version,
        folder.path(),
        &["--workers", "2", "--dirty-workers", "0", "--env", &variable],
    );
    let settings = [("GUNICORN_DIRTY_SOCKET", socket.as_str()), ("INTEROP_HTTP", gunicorn.http.as_str())];
    drive_with(
        version,
        "http_requests.py",
        &settings,
        &[
            "a_request_is_answered_by_a_dirty_worker",
            "a_body_reaches_the_app_and_comes_back",
            "names_and_values_in_unicode_pass",
            "a_stream_reaches_the_browser_item_by_item",
            "the_web_application_catches_the_errors_it_knows",
            "the_request_after_an_error_is_answered",
            "concurrent_requests_get_their_own_answers",
        ],
    );

    arbiter.stop();
    let arbiter = Arbiter::start(folder.path(), &[]);
    drive_with(version, "http_after_restart.py", &settings, &["every_web_worker_finds_the_new_arbiter"]);
    gunicorn.stop();
    arbiter.stop();
}

#[test]
fn a_gunicorn_web_server_serves_requests_through_our_arbiter() {
    a_web_server(Version::Json);
}

#[test]
fn the_newest_gunicorn_web_server_serves_requests_through_our_arbiter() {
    a_web_server(Version::Newest);
}
