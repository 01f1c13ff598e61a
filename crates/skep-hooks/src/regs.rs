//! Registers of a tracee, and the kernel's `struct pt_regs` made from them.

/// Registers as ptrace gives them: `user_regs_struct` (x86-64) or `user_pt_regs` (arm64).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Regs(pub [u64; REG_WORDS]);

/// A `struct pt_regs` as bytes, host byte order.
pub(crate) type PtRegs = [u8; PT_REGS_SIZE];

pub(crate) use arch::{AUDIT_ARCH, COMPAT_AUDIT_ARCH, KPROBE_PREFIX, PT_REGS_SIZE, REG_WORDS};

/// Registers, all zero but the one that holds the first argument of a kernel function: what a kprobe on a system call's
/// function sees, whose argument is the address of the user's registers.
pub(crate) fn kprobe_regs(user_regs: u64) -> PtRegs {
    let mut bytes = [0; PT_REGS_SIZE];
    put(&mut bytes, arch::FIRST_ARG_WORD, user_regs);
    bytes
}

/// Registers, all zero but the one that holds a function's return value.
pub(crate) fn kretprobe_regs(ret: u64) -> PtRegs {
    let mut bytes = [0; PT_REGS_SIZE];
    put(&mut bytes, arch::RETURN_WORD, ret);
    bytes
}

fn put(bytes: &mut PtRegs, word: usize, value: u64) {
    bytes[word * 8..word * 8 + 8].copy_from_slice(&value.to_ne_bytes());
}

impl Regs {
    /// The user's registers as the kernel keeps them.
    pub(crate) fn pt_regs(&self, nr: u64) -> PtRegs {
        let mut bytes = [0; PT_REGS_SIZE];
        for (word, value) in self.0.iter().take(arch::SHARED_WORDS).enumerate() {
            put(&mut bytes, word, *value);
        }
        arch::finish(self, nr, &mut bytes);
        bytes
    }
}

#[cfg(target_arch = "x86_64")]
mod arch {
    use super::{PtRegs, Regs};

    /// Words of `struct user_regs_struct`.
    pub(crate) const REG_WORDS: usize = 27;
    /// `sizeof(struct pt_regs)`.
    pub(crate) const PT_REGS_SIZE: usize = 168;
    /// Words that both structures share at their beginning: r15 to ss.
    pub(super) const SHARED_WORDS: usize = 21;
    /// `di`
    pub(super) const FIRST_ARG_WORD: usize = 14;
    /// `ax`
    pub(super) const RETURN_WORD: usize = 10;
    /// `AUDIT_ARCH_X86_64`
    pub(crate) const AUDIT_ARCH: u32 = 0xc000_003e;
    /// `AUDIT_ARCH_I386`
    pub(crate) const COMPAT_AUDIT_ARCH: u32 = 0x4000_0003;
    /// What the kernel's functions for system calls begin with.
    pub(crate) const KPROBE_PREFIX: &str = "__x64_sys_";

    const R10: usize = 7;
    const R9: usize = 8;
    const R8: usize = 9;
    const AX: usize = 10;
    const DX: usize = 12;
    const SI: usize = 13;
    const DI: usize = 14;
    const ORIG_AX: usize = 15;
    const IP: usize = 16;
    const CS: usize = 17;
    /// Code segment of 32-bit user code.
    const USER32_CS: u64 = 0x23;
    /// The vsyscall page; its entries are 0x400 apart.
    const VSYSCALL: u64 = 0xffff_ffff_ff60_0000;

    pub(super) fn finish(_regs: &Regs, _nr: u64, _bytes: &mut PtRegs) {}

    impl Regs {
        /// Number of the system call, at entry and at exit; -1 after a signal handler's return.
        pub(crate) fn syscall_nr(&self) -> u64 {
            // The kernel takes the number as an int.
            i64::from(self.0[ORIG_AX] as i32) as u64
        }

        /// Its arguments, at entry.
        pub(crate) fn args(&self) -> [u64; 6] {
            [self.0[DI], self.0[SI], self.0[DX], self.0[R10], self.0[R8], self.0[R9]]
        }

        /// Its result, at exit.
        pub(crate) fn ret(&self) -> u64 {
            self.0[AX]
        }

        /// Instruction pointer.
        pub(crate) fn ip(&self) -> u64 {
            self.0[IP]
        }

        /// Whether the code that runs is 32-bit code.
        pub(crate) fn is_compat(&self) -> bool {
            self.0[CS] == USER32_CS
        }

        /// The same with no system call, which then gives `ENOSYS`.
        pub(crate) fn without_syscall(&self) -> Regs {
            let mut regs = *self;
            regs.0[ORIG_AX] = u64::MAX;
            regs.0[AX] = i64::from(-libc::ENOSYS) as u64;
            regs
        }
    }

    /// Whether a call at this address goes through the vsyscall page: seccomp sees those, the tracepoints do not.
    pub(crate) fn is_vsyscall(ip: u64) -> bool {
        ip & !0xc00 == VSYSCALL
    }
}

#[cfg(target_arch = "aarch64")]
mod arch {
    use super::{PtRegs, Regs, put};

    /// Words of `struct user_pt_regs`: x0 to x30, sp, pc, pstate.
    pub(crate) const REG_WORDS: usize = 34;
    /// `sizeof(struct pt_regs)`: the above, orig_x0, syscallno, pmr and the stack frame record.
    pub(crate) const PT_REGS_SIZE: usize = 336;
    pub(super) const SHARED_WORDS: usize = 34;
    /// `x0`
    pub(super) const FIRST_ARG_WORD: usize = 0;
    /// `x0`
    pub(super) const RETURN_WORD: usize = 0;
    /// `AUDIT_ARCH_AARCH64`
    pub(crate) const AUDIT_ARCH: u32 = 0xc000_00b7;
    /// `AUDIT_ARCH_ARM`
    pub(crate) const COMPAT_AUDIT_ARCH: u32 = 0x4000_0028;
    /// What the kernel's functions for system calls begin with.
    pub(crate) const KPROBE_PREFIX: &str = "__arm64_sys_";

    const ORIG_X0_WORD: usize = 34;
    const SYSCALLNO_WORD: usize = 35;
    const PC: usize = 32;
    const PSTATE: usize = 33;
    /// PSR_MODE32_BIT
    const MODE32: u64 = 0x10;

    pub(super) fn finish(regs: &Regs, nr: u64, bytes: &mut PtRegs) {
        put(bytes, ORIG_X0_WORD, regs.0[0]);
        put(bytes, SYSCALLNO_WORD, nr & 0xffff_ffff);
    }

    impl Regs {
        /// Number of the system call, at entry and at exit.
        pub(crate) fn syscall_nr(&self) -> u64 {
            // The kernel takes the number as an int.
            i64::from(self.0[8] as i32) as u64
        }

        /// Its arguments, at entry.
        pub(crate) fn args(&self) -> [u64; 6] {
            [self.0[0], self.0[1], self.0[2], self.0[3], self.0[4], self.0[5]]
        }

        /// Its result, at exit.
        pub(crate) fn ret(&self) -> u64 {
            self.0[0]
        }

        /// Instruction pointer.
        pub(crate) fn ip(&self) -> u64 {
            self.0[PC]
        }

        /// Whether the code that runs is 32-bit code.
        pub(crate) fn is_compat(&self) -> bool {
            self.0[PSTATE] & MODE32 != 0
        }
    }

    /// There is no vsyscall page on this machine.
    pub(crate) fn is_vsyscall(_ip: u64) -> bool {
        false
    }
}

pub(crate) use arch::is_vsyscall;
