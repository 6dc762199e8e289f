//! `dirty scale`: change the number of workers.

use std::process::ExitCode;

use clap::Args;

use super::control::{self, ControlArgs, Failure, pool_size};
use crate::control::Operation;

/// Change the number of worker processes of a running arbiter.
///
/// Workers start, and end after their last request, when the command has returned; `dirty status` shows them.
#[derive(Args)]
pub(super) struct ScaleArgs {
    /// How many workers the pool is to have, or how many more (+1) or fewer (-1).
    #[arg(value_name = "N", value_parser = change, allow_negative_numbers = true)]
    change: Change,
    #[command(flatten)]
    control: ControlArgs,
}

/// What the number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    op: Operation,
    count: u32,
}

fn change(text: &str) -> Result<Change, String> {
    let (op, digits) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(digits), _) => (Operation::Add, digits),
        (_, Some(digits)) => (Operation::Remove, digits),
        _ => (Operation::Scale, text),
    };
    match digits.parse() {
        // The standard parser would take a second sign.
        Ok(count) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Change { op, count }),
        _ => Err("expected a number of workers, +N or -N".to_owned()),
    }
}

pub(super) fn run(args: ScaleArgs) -> ExitCode {
    control::finish("dirty scale", scale(&args))
}

fn scale(args: &ScaleArgs) -> Result<(), Failure> {
    let Change { op, count } = args.change;
    let result = args.control.manage(op, Some(count), false)?;
    control::print(&(pool_size(result.target_workers, result.total_workers) + "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_makes_a_number_relative() {
        assert_eq!(change("4"), Ok(Change { op: Operation::Scale, count: 4 }));
        assert_eq!(change("+1"), Ok(Change { op: Operation::Add, count: 1 }));
        assert_eq!(change("-2"), Ok(Change { op: Operation::Remove, count: 2 }));
        for text in ["", "+", "-", "++1", "-+1", "1.5", "four", "4294967296"] {
            assert!(change(text).is_err(), "{text}");
        }
    }
}
