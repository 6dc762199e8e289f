//! The control socket: its messages, its place and its limits, and what `status` and `manage` do.

mod cli;
mod schema;
mod serving;
mod vectors;
