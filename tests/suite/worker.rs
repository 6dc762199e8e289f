//! The worker host: scripted arbiters talk to it over its socket.

mod arguments;
mod boot;
mod calls;
mod cancel;
mod lab;
mod peer;
mod process;
mod stop;
mod streams;
mod values;
