//! The objects of the examples and of the tests' programs: compiled from C by clang-19, committed, so that using them needs no compiler.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Result, command, has, root, run};

/// The compiler. Another version gives other bytes for the same source.
const CLANG: &str = "clang-19";
const STRIP: &str = "llvm-strip-19";

/// Rebuilds every example's and test program's object, or, with `check`, says which are not current.
pub(crate) fn build(check: bool) -> Result {
    if !has(CLANG) || !has(STRIP) {
        return Err(format!(
            "{CLANG} and {STRIP} are needed (Debian packages clang-19, llvm-19 and libbpf-dev)"
        ));
    }
    let mut stale = Vec::new();
    for source in sources()? {
        let committed = source.with_extension("o");
        if !check {
            compile(&source, &committed)?;
            continue;
        }
        let fresh = std::env::temp_dir().join(format!("skep-example-{}.o", std::process::id()));
        let built = compile(&source, &fresh);
        let bytes = fs::read(&fresh);
        // Nothing to say about a file that was not made.
        let _ = fs::remove_file(&fresh);
        built?;
        if bytes.map_err(|error| error.to_string())? != fs::read(&committed).unwrap_or_default() {
            stale.push(committed.display().to_string());
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!("not what {CLANG} makes of the source now: {}; run `cargo xtask examples`", stale.join(", ")))
}

/// The sources: `examples/NAME/NAME.bpf.c`, and `*.bpf.c` in the `tests/programs` of every crate.
fn sources() -> Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for folder in entries(&root().join("examples"))? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        sources.push(folder.join(format!("{name}.bpf.c")));
    }
    for of_crate in entries(&root().join("crates"))? {
        let programs = of_crate.join("tests/programs");
        if programs.is_dir() {
            sources.extend(entries(&programs)?);
        }
    }
    sources.retain(|source| source.is_file() && source.to_string_lossy().ends_with(".bpf.c"));
    sources.sort();
    Ok(sources)
}

/// What is in a folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| format!("{}: {error}", folder.display());
    fs::read_dir(folder).map_err(failed)?.map(|entry| Ok(entry.map_err(failed)?.path())).collect()
}

/// Compiles one source. Run in its folder and with its bare name, so that no path of this machine gets into the object.
fn compile(source: &Path, object: &Path) -> Result {
    let folder = source.parent().unwrap_or(Path::new("."));
    let name = source.file_name().unwrap_or_default();
    let mut clang = command(CLANG);
    clang.current_dir(folder).args(["-g", "-O2", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3"]);
    // Debian keeps asm/types.h here; the target has no such folder of its own.
    clang.args(["-idirafter", "/usr/include/x86_64-linux-gnu"]);
    clang.arg(format!("-ffile-prefix-map={}=.", folder.display())).arg("-c").arg(name).arg("-o").arg(object);
    run(&mut clang)?;
    // DWARF is of no use to a loader; BTF stays.
    run(command(STRIP).arg("-g").arg(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_is_what_its_source_compiles_to() {
        if has(CLANG) && has(STRIP) {
            build(true).unwrap();
        } else {
            skep_testing::skip!("{CLANG} and {STRIP} are not installed");
        }
    }

    #[test]
    fn sources_are_those_of_examples_and_of_tests() {
        let sources = sources().unwrap();
        for source in ["examples/hello/hello.bpf.c", "crates/skep/tests/programs/events.bpf.c"] {
            assert!(sources.contains(&root().join(source)), "{source}");
        }
    }
}
