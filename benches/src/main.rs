//! Measurements, started by `cargo xtask bench`.
//!
//! A table has rows (what is done) and engines (what does it). All engines of a row are measured in turn, round by
//! round, so that a machine that changes its speed changes it for all; what counts is the ratio to the baseline.
#![forbid(unsafe_code)]

mod interp;
mod report;
mod tracee;
mod tracer;

use std::process::ExitCode;

use clap::Parser;
use report::Report;

#[derive(Parser)]
#[command(about = "Tables of rows by engines; every figure is a ratio against a baseline of the same run")]
struct Cli {
    /// Only the table of this name
    #[arg(long)]
    only: Option<String>,
    /// Also write one JSON object a cell a line to this file
    #[arg(long)]
    json: Option<std::path::PathBuf>,
    /// Be the process that is measured: make this system call so many times and print nanoseconds a call
    #[arg(long, hide = true, num_args = 2, value_names = ["SYSCALL", "COUNT"])]
    tracee: Option<Vec<String>>,
}

/// A table: its name and what fills it.
type Table = (&'static str, fn(&mut Report) -> Result<(), String>);

const TABLES: [Table; 2] = [("interp", interp::measure), ("tracer", tracer::measure)];

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.tracee {
        Some(words) => tracee::run(&words[0], &words[1]),
        None => bench(&cli),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn bench(cli: &Cli) -> Result<(), String> {
    if let Some(only) = &cli.only
        && !TABLES.iter().any(|(name, _)| name == only)
    {
        let names: Vec<_> = TABLES.iter().map(|(name, _)| *name).collect();
        return Err(format!("no table {only}; there are: {}", names.join(", ")));
    }
    let mut report = Report::new(cli.json.as_deref())?;
    for (name, measure) in TABLES {
        if cli.only.as_deref().is_none_or(|only| only == name) {
            report.begin(name);
            measure(&mut report)?;
            report.end()?;
        }
    }
    Ok(())
}
