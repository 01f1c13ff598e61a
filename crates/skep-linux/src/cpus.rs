//! How many CPUs the kernel has room for.

use skep_kernel::{Errno, KernelError, Result};

use crate::sys::errno;

const POSSIBLE: &str = "/sys/devices/system/cpu/possible";

/// CPUs that per-CPU values have a slot for.
pub(crate) fn possible() -> Result<u32> {
    let text = std::fs::read_to_string(POSSIBLE).map_err(|error| {
        KernelError::new(errno(&error), format!("reading {POSSIBLE} for the number of CPUs"))
    })?;
    count(text.trim()).ok_or_else(|| {
        KernelError::new(
            Errno::EINVAL,
            format!("{POSSIBLE} is not a list of CPUs: `{}`", text.trim().escape_debug()),
        )
    })
}

/// Members of a list such as `0-3,8,10-11`.
fn count(list: &str) -> Option<u32> {
    let mut total = 0_u32;
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        total = total.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn lists_of_cpus_are_counted() {
        let cases = [
            ("0", Some(1)),
            ("0-1", Some(2)),
            ("0-3,8,10-11", Some(7)),
            ("", None),
            ("3-1", None),
            ("0-4294967295", None),
        ];
        for (list, cpus) in cases {
            assert_eq!(count(list), cpus, "{list}");
        }
    }
}
