//! What has to be known of the machine and the moment to read the numbers.

use std::fs;
use std::process::Command;

use crate::subjects::Placement;

/// The processor, the kernel, the date and the load, and how long was measured.
pub fn about(rounds: usize, seconds: f64, placement: Placement) -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        processors.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    let count = processors.lines().filter(|line| line.starts_with("processor")).count();
    let date = said("date", &["--utc", "+%F %H:%M UTC"]);
    format!(
        "{count} × {}, {}, {}; dirty {}; {date}. {rounds} rounds of {seconds} s, {}. Load of the machine at the start: {}\n",
        model.map_or("unknown processor", |(_, model)| model),
        said("uname", &["-sr"]),
        said("rustc", &["--version"]),
        env!("CARGO_PKG_VERSION"),
        match placement {
            Placement::Apart => "relay on a processor of its own",
            Placement::Together => "all on one processor",
            Placement::Free => "not pinned",
        },
        load(),
    )
}

/// The load averages of the machine.
pub fn load() -> String {
    fs::read_to_string("/proc/loadavg").map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
