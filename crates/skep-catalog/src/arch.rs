//! Processor architectures, as far as the catalog's facts depend on them.

/// An architecture whose system calls and registers the catalog knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arch {
    /// x86-64 (`x86_64`).
    X86_64,
    /// arm64 (`aarch64`).
    Arm64,
}

impl Arch {
    /// All of them.
    pub const ALL: &[Self] = &[Self::X86_64, Self::Arm64];

    /// The architecture this code was compiled for, if the catalog knows it.
    pub const HOST: Option<Self> = if cfg!(target_arch = "x86_64") {
        Some(Self::X86_64)
    } else if cfg!(target_arch = "aarch64") {
        Some(Self::Arm64)
    } else {
        None
    };

    /// What the kernel prefixes to the functions of system calls: `__x64_` makes `__x64_sys_read`.
    #[must_use]
    pub const fn syscall_prefix(self) -> &'static str {
        match self {
            Self::X86_64 => "__x64_",
            Self::Arm64 => "__arm64_",
        }
    }
}
