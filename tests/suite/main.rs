//! The test suite: one module a concept, one binary so that it links once.

// What a test cannot unwrap is a failure of the test, with a line number.
#![allow(clippy::unwrap_used)]

#[path = "../generator/mod.rs"]
mod generator;

mod check_cli;
mod client;
mod client_blocking;
mod client_check;
mod client_cli;
mod client_connection;
mod client_mux;
mod client_stream;
mod config_access;
mod config_cli;
mod config_log;
mod config_reload;
mod contract;
mod control;
mod core_changes;
mod core_examples;
mod core_failing;
mod core_limits;
mod core_model;
mod core_overlaps;
mod core_pool;
mod core_properties;
mod core_status;
mod core_story;
mod core_workers;
mod core_world;
mod example_worker;
mod explain_cli;
mod failing_apps;
mod failures;
mod fuzzed;
mod generated;
mod help;
mod hooks;
mod html_report;
mod installed;
mod interop;
mod lint_cli;
mod matcher;
mod oracle;
mod other_languages;
mod panics;
mod parent;
mod pool;
mod promote_cli;
mod proxy;
mod python;
mod python_package;
mod replay;
mod schema_loop;
mod scripted;
mod served;
mod serving;
mod slow_readers;
mod sockets;
mod spec_examples;
mod systemd;
mod titles;
mod traceability;
mod transcripts;
mod validate_cli;
mod values;
mod vectors;
mod wire;
mod worker;
mod worker_output;
