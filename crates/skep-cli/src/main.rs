//! The `skep` command: arguments in, the library's answers out.
#![forbid(unsafe_code)]

mod cli;
mod commands;
mod elements;
mod json;
mod out;
mod printer;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use cli::{Cli, Color, Command, ObjectCommand};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let result = match cli.command {
        Command::Run(args) => commands::run::run(args),
        Command::Asm(args) => commands::asm::run(&args),
        Command::Disasm(args) => commands::disasm::run(&args),
        Command::Object(ObjectCommand::Show { file, json }) => commands::object::show(&file, json),
        Command::Completion { shell } => completion(shell),
        Command::Man { folder } => man(&folder),
    };
    result.unwrap_or_else(|failure| out::error(&failure))
}

/// Prints the completion script of a shell.
fn completion(shell: clap_complete::Shell) -> out::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "skep", &mut script);
    out::write(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a page for every command.
fn man(folder: &std::path::Path) -> out::Result<ExitCode> {
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .map_err(|error| out::Failure::new(format!("{}: {error}", folder.display())))?;
    Ok(ExitCode::SUCCESS)
}
