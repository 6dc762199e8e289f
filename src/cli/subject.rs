//! What the commands that start subjects share.

use std::sync::mpsc;
use std::thread;

use clap::Args;
use clap::builder::PossibleValuesParser;
use tokio::signal::unix::{SignalKind, signal};

use crate::check::delivery::Delivery;
use crate::check::replay::Options;
use crate::check::spelling::Spelling;
use crate::check::subject::exit_with_all;

/// How transcripts are played.
#[derive(Args)]
pub(super) struct PlayArgs {
    /// How bytes are handed to the kernel; no conforming peer can tell.
    #[arg(long, value_name = "HOW", default_value = "whole", value_parser = PossibleValuesParser::new(Delivery::ALL.map(Delivery::name)))]
    delivery: String,
    /// How the messages of the kit are written; no conforming peer can tell.
    #[arg(long, value_name = "HOW", default_value = "plain", value_parser = PossibleValuesParser::new(Spelling::ALL.map(Spelling::name)))]
    spelling: String,
    /// Wait so many times longer for what is expected, on slow machines.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor)]
    time_scale: f64,
}

impl PlayArgs {
    pub(super) fn options(&self) -> Options {
        // The parser has let nothing else pass.
        let delivery = self.delivery.parse().unwrap_or_default();
        let spelling = self.spelling.parse().unwrap_or_default();
        Options { delivery, spelling, time_scale: self.time_scale }
    }
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if (0.01..=1000.0).contains(&factor) => Ok(factor),
        _ => Err("expected a number from 0.01 to 1000".to_string()),
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP end the subjects that were started before they end this process.
pub(super) fn end_on_interrupt() {
    let (ready, is_ready) = mpsc::channel();
    thread::spawn(move || {
        // Without a runtime or handlers an interrupt ends this process as it always does.
        if let Ok(code) = interrupted(ready) {
            exit_with_all(code)
        }
    });
    // Nothing is started before the handlers are there. A thread that has failed hangs up.
    let _ = is_ready.recv();
}

/// Waits for a signal, after it has said on `ready` that none will be missed; gives the exit code.
fn interrupted(ready: mpsc::Sender<()>) -> std::io::Result<i32> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let _ = ready.send(());
        Ok(tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
            _ = hangup.recv() => 129,
        })
    })
}
