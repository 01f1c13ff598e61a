//! The process that is measured: a loop of one system call, timed from inside.

use std::hint::black_box;
use std::time::Instant;

/// Makes a system call so many times and prints nanoseconds a call.
pub(crate) fn run(syscall: &str, count: &str) -> Result<(), String> {
    let count: u64 = count.parse().map_err(|error| format!("{count}: {error}"))?;
    let mut buffer = [0u8; 4096];
    let zero = std::fs::File::open("/dev/zero").map_err(|error| error.to_string())?;
    let started = Instant::now();
    match syscall {
        "getppid" => (0..count).for_each(|_| {
            black_box(rustix::process::getppid());
        }),
        "read" => {
            for _ in 0..count {
                rustix::io::read(&zero, &mut buffer).map_err(|error| error.to_string())?;
            }
        }
        "open" => {
            for _ in 0..count {
                std::fs::File::open("/dev/null").map_err(|error| error.to_string())?;
            }
        }
        other => return Err(format!("the loop has no system call {other}")),
    }
    println!("{}", started.elapsed().as_nanos() as f64 / count as f64);
    Ok(())
}
