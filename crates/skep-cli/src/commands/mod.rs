//! The commands, one a file.

pub(crate) mod asm;
pub(crate) mod disasm;
pub(crate) mod object;
pub(crate) mod run;

use std::path::Path;

use crate::out::{Failure, Result};

/// Reads a file, or standard input for `-`.
fn read(path: &Path) -> Result<Vec<u8>> {
    if path != Path::new("-") {
        return Ok(skep::read(path)?);
    }
    skep::read_from(std::io::stdin()).map_err(|error| Failure::new(format!("standard input: {error}")))
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
