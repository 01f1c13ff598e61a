//! Linux versions, as far as features depend on them.

use std::fmt;
use std::str::FromStr;

/// A Linux version, `major.minor`. Patch levels never add features, so they are not kept.
///
/// ```
/// use skep_catalog::KernelVersion;
///
/// let running: KernelVersion = "5.15.0-91-generic".parse()?;
/// assert_eq!(running, KernelVersion::new(5, 15));
/// assert!(running >= KernelVersion::new(5, 8) && running < KernelVersion::new(6, 1));
/// assert_eq!(running.to_string(), "5.15");
/// # Ok::<(), skep_catalog::KernelVersionError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KernelVersion {
    /// The number before the first dot.
    pub major: u8,
    /// The number after the first dot.
    pub minor: u8,
}

impl KernelVersion {
    /// The version that the catalog describes in full: what it knows came with this version or an earlier one.
    pub const LATEST: Self = Self::new(6, 18);

    /// `major.minor`.
    #[must_use]
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }

    /// The number as `LINUX_VERSION_CODE` packs it, patch level zero: major in bits 16 to 23, minor in bits 8 to 15.
    ///
    /// ```
    /// assert_eq!(skep_catalog::KernelVersion::new(6, 18).code(), 0x06_12_00);
    /// ```
    #[must_use]
    pub const fn code(self) -> u32 {
        (self.major as u32) << 16 | (self.minor as u32) << 8
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A text that is no Linux version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no Linux version: expected MAJOR.MINOR, each at most 255, and at most .PATCH or -SUFFIX after it"
)]
pub struct KernelVersionError(String);

impl FromStr for KernelVersion {
    type Err = KernelVersionError;

    /// Reads `6.1`, `v6.1`, and what `uname -r` prints, such as `6.1.0-18-amd64`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (major, rest) = text.strip_prefix('v').unwrap_or(text).split_once('.')?;
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (minor, tail) = rest.split_at(end);
            let tail_is_fine = tail.is_empty() || tail.starts_with(['.', '-', '+', '_', '~']);
            (tail_is_fine && major.bytes().all(|b| b.is_ascii_digit()))
                .then_some(Self::new(major.parse().ok()?, minor.parse().ok()?))
        };
        parse().ok_or_else(|| KernelVersionError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_and_uname_write() {
        for (text, major, minor) in
            [("5.15", 5, 15), ("v6.1", 6, 1), ("6.1.0-18-amd64", 6, 1), ("6.18-rc1", 6, 18)]
        {
            assert_eq!(text.parse(), Ok(KernelVersion::new(major, minor)), "{text}");
        }
        for text in ["", "6", "6.", ".1", "6.x", "x.1", "+6.1", "6.1x", "256.1", "6.256", "6.-1"] {
            assert!(text.parse::<KernelVersion>().is_err(), "{text}");
        }
    }

    #[test]
    fn reading_inverts_writing() {
        for (major, minor) in (0..=255).flat_map(|major| (0..=255).map(move |minor| (major, minor))) {
            let version = KernelVersion::new(major, minor);
            assert_eq!(version.to_string().parse(), Ok(version));
        }
    }

    #[test]
    fn order_is_numeric() {
        assert!(KernelVersion::new(4, 20) < KernelVersion::new(5, 1));
        assert!(KernelVersion::new(5, 9) < KernelVersion::new(5, 10));
    }
}
