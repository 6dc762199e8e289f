//! The `dirty` command: see `dirty --help`.

fn main() -> std::process::ExitCode {
    dirty_arbiter::cli::main()
}
