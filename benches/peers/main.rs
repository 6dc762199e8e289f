//! `cargo bench --bench peers`: relays side by side, by ratios within one interleaved run. See benches/README.md.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::{env, fs, io};

mod cpu;
mod echo_worker;
mod floor;
mod frames;
mod load;
mod machine;
mod measuring;
mod payload;
mod scenarios;
mod subjects;
mod table;

use subjects::{OURS, Placement, Running, Subject};

const USAGE: &str = "\
Usage: cargo bench --bench peers -- [OPTIONS]

  --quick            fewer and shorter rounds, under a minute
  --only SCENARIO    only scenarios whose name contains this; may be given again
  --rounds N         so many samples of each, 5 by default
  --seconds S        the length of a sample, 1 by default
  --together         all on one processor
  --unpinned         leave it to the kernel which process runs where
  --against PROGRAM  measure another `dirty` too, for a before and after
  --python PROGRAM   a Python with gunicorn 25.0.3, whose arbiter is measured too
  --write            write the table to benches/RESULTS.md too
  --list             the names of the scenarios";

struct Options {
    rounds: usize,
    seconds: f64,
    only: Vec<String>,
    placement: Placement,
    against: Option<PathBuf>,
    python: Option<PathBuf>,
    write: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = match subjects::play(&arguments) {
        Some(result) => result,
        None => match options(&arguments) {
            Ok(Some(options)) => run(&options),
            Ok(None) => Ok(()),
            Err(problem) => {
                eprintln!("{problem}\n{USAGE}");
                return ExitCode::from(2);
            }
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed to run the benchmark: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `None` if there is nothing more to do.
fn options(arguments: &[String]) -> Result<Option<Options>, String> {
    let mut options = Options {
        rounds: 5,
        seconds: 1.0,
        only: Vec::new(),
        placement: Placement::Apart,
        against: None,
        python: None,
        write: false,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            // cargo says so to every benchmark.
            "--bench" => {}
            "--quick" => (options.rounds, options.seconds) = (3, 0.2),
            "--rounds" => options.rounds = number(argument, value()?)?,
            "--seconds" => options.seconds = number(argument, value()?)?,
            "--unpinned" => options.placement = Placement::Free,
            "--together" => options.placement = Placement::Together,
            "--only" => options.only.push(value()?.clone()),
            "--against" => options.against = Some(PathBuf::from(value()?)),
            "--python" => options.python = Some(PathBuf::from(value()?)),
            "--write" => options.write = true,
            "--list" => {
                scenarios::ALL.iter().for_each(|scenario| println!("{}", scenario.name));
                return Ok(None);
            }
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok(Some(options))
}

fn number<T: FromStr>(option: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{option} {value}: expected a number"))
}

fn run(options: &Options) -> io::Result<()> {
    let mut subjects = vec![Subject::Direct, Subject::Floor];
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_dirty"));
    subjects.push(Subject::Dirty { name: OURS.to_owned(), program: ours });
    if let Some(program) = options.against.clone() {
        subjects.push(Subject::Dirty { name: "before".to_owned(), program });
    }
    match options.python.clone() {
        Some(python) => subjects.push(Subject::Gunicorn { python }),
        None => eprintln!("gunicorn is skipped: name a Python that has it with --python"),
    }
    let chosen = |name: &str| options.only.is_empty() || options.only.iter().any(|only| name.contains(only));
    let about = machine::about(options.rounds, options.seconds, options.placement);
    let mut page = format!("{about}\n{}", table::HEADER);
    print!("{page}");
    for scenario in scenarios::ALL.iter().filter(|scenario| chosen(scenario.name)) {
        let running = subjects
            .iter()
            .map(|subject| Running::start(subject, options.placement))
            .collect::<io::Result<Vec<_>>>()?;
        let mut rows: Vec<table::Row> = subjects
            .iter()
            .map(|subject| table::Row { subject: subject.name().to_owned(), samples: Vec::new() })
            .collect();
        for _ in 0..options.rounds {
            for (row, running) in rows.iter_mut().zip(&running) {
                let sample = measuring::sample(running, scenario, options.seconds, options.placement)
                    .map_err(|error| io::Error::other(format!("{}: {error}", row.subject)))?;
                row.samples.push(sample);
            }
        }
        let text = table::rows(scenario, &rows);
        print!("{text}");
        page.push_str(&text);
    }
    let load = format!("\nLoad of the machine at the end: {}\n", machine::load());
    print!("{load}");
    if options.write {
        let title = "# Results\n\nWritten by `cargo bench --bench peers -- --write`; README.md says what the columns mean.\n\n";
        fs::write(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/RESULTS.md"),
            format!("{title}{page}{load}"),
        )?;
    }
    Ok(())
}
