//! Fuzzing: cargo-fuzz on the one toolchain that the project has.

use std::fs;

use crate::run::{Result, command, root, run};

/// Runs the named targets, or all, for so many seconds each.
pub(crate) fn run_all(seconds: u64, targets: &[String]) -> Result {
    let known = known()?;
    if let Some(unknown) = targets.iter().find(|target| !known.contains(target)) {
        return Err(format!("no fuzz target {unknown}; there are: {}", known.join(", ")));
    }
    let chosen = if targets.is_empty() { &known } else { targets };
    for target in chosen {
        let limit = format!("-max_total_time={seconds}");
        // cargo-fuzz passes -Z flags: RUSTC_BOOTSTRAP lets the stable compiler take them. The seeds come second:
        // findings and new inputs go into the first folder, which is not committed.
        let corpus = root().join("fuzz/corpus").join(target);
        fs::create_dir_all(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
        let seeds = root().join("fuzz/seeds").join(target);
        let mut fuzz = command("cargo");
        fuzz.env("RUSTC_BOOTSTRAP", "1").args(["fuzz", "run", target]).arg(corpus);
        if seeds.is_dir() {
            fuzz.arg(seeds);
        }
        run(fuzz.args([
            "--",
            &limit,
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-max_len=65536",
            "-print_final_stats=1",
        ]))?;
    }
    Ok(())
}

/// Names of the targets: one source file each.
fn known() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let files = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> = files
        .filter_map(|file| Some(file.ok()?.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}
