//! Running commands, and the commands that are little more than that.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What went wrong, for a person.
pub(crate) type Result<T = ()> = std::result::Result<T, String>;

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// A command that runs in the workspace's folder.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Runs a command, saying which on standard error; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let line = words.join(" ");
    eprintln!("+ {line}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` ended with {status}")),
        Err(error) => Err(format!("`{line}` does not start: {error}")),
    }
}

/// Whether a program can be found and run.
pub(crate) fn has(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Debian packages that tests use where they are there.
const TOOLS: [&str; 5] = ["clang-19", "llvm-19", "libbpf-dev", "bpftool", "strace"];

/// Every check that a change must pass.
pub(crate) fn test(install: bool, args: &[String]) -> Result {
    if install {
        install_tools();
    }
    lint()?;
    run(command("cargo").args(["test", "--workspace", "--all-features"]).args(args))
}

/// Installs what tests can use. Not being able to is no error: the tests that need it say what they skip.
fn install_tools() {
    let apt = |words: &[&str]| {
        run(command("apt-get")
            .args(["-qq", "-o", "Dpkg::Use-Pty=0"])
            .args(words)
            .env("DEBIAN_FRONTEND", "noninteractive"))
    };
    if let Err(why) = apt(&["update"]).and_then(|()| apt(&[&["install", "-y"][..], &TOOLS[..]].concat())) {
        eprintln!("not installed: {}: {why}", TOOLS.join(", "));
    }
}

/// Formatting, lints and documentation.
pub(crate) fn lint() -> Result {
    run(command("cargo").args(["fmt", "--all", "--check"]))?;
    run(command("cargo").args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]))?;
    let mut doc = command("cargo");
    doc.args(["doc", "--quiet", "--workspace", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings");
    run(&mut doc)
}

/// Benchmarks, in a release build.
pub(crate) fn bench(only: Option<&str>, json: Option<&str>) -> Result {
    // The bench starts `skep` itself, so that is built too.
    run(command("cargo").args(["build", "--quiet", "--release", "-p", "skep-cli", "-p", "skep-bench"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let mut bench = Command::new(target.join("release/skep-bench"));
    if let Some(only) = only {
        bench.args(["--only", only]);
    }
    if let Some(json) = json {
        bench.args(["--json", json]);
    }
    run(&mut bench)
}
