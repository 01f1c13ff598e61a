//! What tests of all crates share: saying what was skipped.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::Write;

/// Says in one line that the running test is skipped, and why: also when the test harness keeps back what passing tests
/// print.
///
/// ```
/// skep_testing::skip!("{} is not installed", "clang-19");
/// ```
#[macro_export]
macro_rules! skip {
    ($($why:tt)*) => {
        $crate::skipped(::std::format_args!($($why)*))
    };
}

/// What [`skip!`] calls.
pub fn skipped(why: fmt::Arguments<'_>) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("test");
    // The harness catches what the print macros write, not this. Nothing can be done where there is no standard error.
    let _ = writeln!(std::io::stderr().lock(), "skipped {test}: {why}");
}
