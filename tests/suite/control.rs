//! The control socket: its messages, its place and its limits, and what `status` and `manage` do.

mod schema;
mod serving;
mod vectors;
