//! Everything a contributor types: `cargo xtask test|lint|bench|examples|fuzz`.
#![forbid(unsafe_code)]

mod examples;
mod fuzz;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Everything a contributor types", disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every check that a change must pass: formatting, lints, documentation, tests and doctests
    Test {
        /// Install the tools that tests can use (clang-19, bpftool, strace, ...) first, where this user may
        #[arg(long)]
        install: bool,
        /// Arguments for `cargo test`
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Check formatting, lints and documentation only
    Lint,
    /// Measure, and print tables of rows by engines
    Bench {
        /// Only the table of this name
        #[arg(long)]
        only: Option<String>,
        /// Also write one JSON object a cell a line to this file
        #[arg(long)]
        json: Option<String>,
    },
    /// Rebuild the objects of the examples and of the tests' programs with clang-19
    Examples {
        /// Change nothing; fail if a committed object is not what its source compiles to
        #[arg(long)]
        check: bool,
    },
    /// Run the fuzz targets, all or the named ones
    Fuzz {
        /// Seconds for each target
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Targets
        targets: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Test { install, args } => run::test(install, &args),
        Command::Lint => run::lint(),
        Command::Bench { only, json } => run::bench(only.as_deref(), json.as_deref()),
        Command::Examples { check } => examples::build(check),
        Command::Fuzz { seconds, targets } => fuzz::run_all(seconds, &targets),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
