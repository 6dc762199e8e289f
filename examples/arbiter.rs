//! An arbiter of your own, with hooks. Its settings are words of its command line:
//!
//! ```console
//! $ cargo run --example arbiter -- socket=./d.sock app=greeter:Greeter worker=target/debug/examples/greeter \
//!     dirty_worker_exit='logger "a dirty worker has ended"'
//! ```

use std::error::Error;
use std::time::Duration;

use dirty_arbiter::arbiter::{Arbiter, ArbiterConfig, CommandHooks};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let mut config = ArbiterConfig::new("d.sock", Vec::new());
    let mut hooks = CommandHooks::new();
    for word in std::env::args().skip(1) {
        let (name, value) = word.split_once('=').ok_or(format!("{word}: expected name=value"))?;
        let seconds = || value.parse().map(Duration::from_secs_f64);
        match name {
            "socket" => config.socket = value.into(),
            "app" => config.pool.apps.push(value.parse()?),
            "worker" => config.worker_command = ["/bin/sh", "-c", value].map(Into::into).to_vec(),
            "workers" => config.pool.workers = value.parse()?,
            "boot_timeout" => config.pool.boot_timeout = seconds()?,
            "die_with_parent" => config.die_with_parent = value.parse()?,
            "hook_timeout" => hooks = hooks.with_timeout(seconds()?),
            "on_dirty_starting" => hooks = hooks.with_on_dirty_starting(value),
            "dirty_post_fork" => hooks = hooks.with_dirty_post_fork(value),
            "dirty_worker_init" => hooks = hooks.with_dirty_worker_init(value),
            "dirty_worker_exit" => hooks = hooks.with_dirty_worker_exit(value),
            _ => return Err(format!("{name}: there is no such setting").into()),
        }
    }
    let arbiter = Arbiter::bind(config)?.with_hooks(hooks);
    println!("listening on {}", arbiter.socket().display());
    Ok(arbiter.run().await?)
}
