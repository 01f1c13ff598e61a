//! The commands, one a file.

pub(crate) mod asm;
pub(crate) mod disasm;
pub(crate) mod object;
pub(crate) mod run;

use std::io::Read;
use std::path::Path;

use crate::out::{Failure, Result};

/// Reads a file, or standard input for `-`.
fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// Reads text.
fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map_err(|error| {
        Failure::new(format!(
            "{}: no UTF-8 text: byte {} is not",
            path.display(),
            error.utf8_error().valid_up_to()
        ))
    })
}
