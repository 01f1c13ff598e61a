//! What people see: errors, notes, tables, colours.

use std::borrow::Cow;
use std::fmt;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use skep::hooks::TraceError;

/// Result of a command.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Headlines.
pub(crate) const BOLD: Style = Style::new().bold();
/// What matters less.
pub(crate) const DIM: Style = Style::new().dimmed();
/// Names of maps and programs.
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = AnsiColor::Yellow.on_default().bold();
const HELP: Style = AnsiColor::Green.on_default().bold();

/// Why a command ended: a headline, and what else is known, for people.
#[derive(Debug)]
pub(crate) struct Failure {
    headline: String,
    /// Text of several lines that belongs to it: a verifier log, a source line.
    detail: String,
    /// What to try.
    help: Option<String>,
    /// Exit status.
    status: u8,
}

impl Failure {
    pub(crate) fn new(headline: impl Into<String>) -> Self {
        Failure { headline: headline.into(), detail: String::new(), help: None, status: 1 }
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    fn status(mut self, status: u8) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<skep::Error> for Failure {
    fn from(error: skep::Error) -> Self {
        let failure = Failure::new(error.to_string());
        match &error {
            skep::Error::Program { source, .. } => failure.detail(source.log.clone()),
            skep::Error::Object(error) if error.kind == skep::object::ErrorKind::CoreRelocation => failure.help(
                "CO-RE relocation is not there yet; --assume-local-layout takes every type to be laid out as in the object",
            ),
            // As shells have it for commands that cannot be run.
            skep::Error::Trace(TraceError::NotFound { .. }) => failure.status(127),
            skep::Error::Trace(TraceError::NotExecutable { .. } | TraceError::Exec { .. }) => failure.status(126),
            skep::Error::Attach { .. } => failure.help("--program NAME loads and attaches only the programs you name"),
            _ => failure,
        }
    }
}

/// Writes bytes to standard output, as they are.
pub(crate) fn write(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Prints text; its colours only where they are wanted.
pub(crate) fn print(text: impl fmt::Display) -> Result<()> {
    let mut out = anstream::stdout().lock();
    written(out.write_all(text.to_string().as_bytes()).and_then(|()| out.flush()))
}

/// A reader that went away (`| head`) wants nothing more, and that is no error.
fn written(result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a line.
pub(crate) fn println(text: impl fmt::Display) -> Result<()> {
    print(format_args!("{text}\n"))
}

/// Text that does nothing to a terminal but show itself: names in files and what programs print are not to be trusted with
/// more. Line ends and tabs stay.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| matches!(c, '\t' | '\n') || !c.is_control();
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if harmless(c) { c.to_string() } else { c.escape_default().to_string() }).collect()
}

/// Prints why a command ended, and gives the exit status that says so.
pub(crate) fn error(failure: &Failure) -> ExitCode {
    anstream::eprintln!("{ERROR}error{ERROR:#}: {}", printable(&failure.headline));
    for line in failure.detail.lines() {
        anstream::eprintln!("  {}", printable(line));
    }
    if let Some(help) = &failure.help {
        anstream::eprintln!("{HELP}help{HELP:#}: {help}");
    }
    ExitCode::from(failure.status)
}

/// Prints something worth knowing that ends nothing.
pub(crate) fn note(text: impl fmt::Display) {
    anstream::eprintln!("{NOTE}note{NOTE:#}: {}", printable(&text.to_string()));
}

/// Rows under a headline, in aligned columns, indented by two. Columns of numbers are aligned to the right.
pub(crate) fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::TableStyle::new()).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|column| column.to_uppercase()));
    table.add_rows(rows.iter().map(|row| row.iter().map(|cell| printable(cell))));
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 2 } else { 0 }, 2));
        let number = |row: &Vec<String>| row.get(index).is_none_or(|cell| cell.parse::<f64>().is_ok());
        if !rows.is_empty() && rows.iter().all(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
