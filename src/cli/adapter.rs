//! `dirty adapter`: the clients of this crate as subjects of `dirty check client` (golden/adapters.md).

use std::io::{BufReader, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::exit::Exit;
use crate::check::adapter::serve;
use crate::check::drivers::{AsyncDriver, BlockingDriver};

/// Make a client of this crate do what `dirty check client` says, on standard input and output.
#[derive(Args)]
pub(super) struct AdapterArgs {
    /// Which client.
    #[arg(value_enum)]
    client: Kind,
    /// The arbiter's socket.
    #[arg(long, value_name = "PATH", env = "DIRTY_SOCKET")]
    socket: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// The one on tokio.
    Async,
    /// The one on std alone.
    Blocking,
}

pub(super) fn run(args: AdapterArgs) -> ExitCode {
    let input = BufReader::new(stdin());
    let served = match args.client {
        Kind::Async => serve(&mut AsyncDriver, &args.socket, input, stdout()),
        Kind::Blocking => serve(&mut BlockingDriver, &args.socket, input, stdout()),
    };
    match served {
        Ok(()) => Exit::Ok.into(),
        Err(error) => {
            eprintln!("dirty adapter: {error}");
            Exit::Failed.into()
        }
    }
}
