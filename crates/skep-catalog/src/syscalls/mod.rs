//! System calls: numbers, names, arguments, and the kernel functions and tracepoints that belong to them.
//!
//! The table is that of Linux 6.18, with the argument names and types of its `sys_enter_*` tracepoints. It holds every number
//! of the x86-64 table (the 32-bit and x32 ones aside) and their arm64 numbers.
//!
//! ```
//! use skep_catalog::{Arch, syscalls};
//!
//! let openat = syscalls::by_name("openat").unwrap();
//! assert_eq!(openat.number(Arch::X86_64), Some(257));
//! assert_eq!(openat.number(Arch::Arm64), Some(56));
//! assert_eq!(openat.args[1], ("filename", "const char *"));
//!
//! // The kernel's function may have another name, which tracepoints and kprobes use.
//! let stat = syscalls::by_number(Arch::X86_64, 4).unwrap();
//! assert_eq!((stat.name, stat.function), ("stat", Some("newstat")));
//! assert_eq!(stat.symbol(Arch::X86_64).as_deref(), Some("__x64_sys_newstat"));
//! assert_eq!(syscalls::by_symbol("__x64_sys_newstat"), Some(stat));
//! ```

use crate::Arch;

/// One system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syscall {
    /// Its name in `asm/unistd.h` (`__NR_*`), `syscalls(2)` and strace.
    pub name: &'static str,
    /// Its name in the kernel, after `sys_`: of the tracepoints `sys_enter_*` and `sys_exit_*` and of the function. `None` if
    /// the number is reserved and nothing implements it. (The functions of `personality` and `fadvise64` have
    /// other names on arm64: see [`function_on`](Self::function_on).)
    pub function: Option<&'static str>,
    /// Name and C type of each argument.
    pub args: &'static [(&'static str, &'static str)],
    numbers: [Option<u16>; 2],
}

/// Declares the table. A row is: name, `= function` where it differs (`_` if there is none), the numbers on x86-64 and arm64
/// (`_` if there is none), the arguments.
macro_rules! syscalls {
    ($($name:ident $(= $function:tt)?, $x86_64:tt $arm64:tt, [$($c_type:literal $arg:ident),*];)*) => {
        pub(super) static SYSCALLS: &[Syscall] = &[$(Syscall {
            name: stringify!($name),
            function: super::function(stringify!($name), &[$(stringify!($function))?]),
            args: &[$((stringify!($arg), $c_type),)*],
            numbers: [super::number(stringify!($x86_64)), super::number(stringify!($arm64))],
        },)*];
    };
}

mod table;

/// The function of a row: the name unless given otherwise.
const fn function(name: &'static str, given: &[&'static str]) -> Option<&'static str> {
    match given {
        [] => Some(name),
        [other, ..] => match other.as_bytes() {
            b"_" => None,
            _ => Some(other),
        },
    }
}

/// A number of a row: decimal digits or `_`.
const fn number(text: &str) -> Option<u16> {
    match u16::from_str_radix(text, 10) {
        Ok(number) => Some(number),
        Err(_) => None,
    }
}

/// All system calls, by x86-64 number.
#[must_use]
pub fn all() -> &'static [Syscall] {
    table::SYSCALLS
}

/// The system call with this name in `asm/unistd.h`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Syscall> {
    all().iter().find(|call| call.name == name)
}

/// The system call with this number.
#[must_use]
pub fn by_number(arch: Arch, number: u32) -> Option<&'static Syscall> {
    all().iter().find(|call| call.number(arch) == Some(number))
}

/// The system call whose function in the kernel has this name, without any prefix: `newstat`, `openat`.
#[must_use]
pub fn by_function(function: &str) -> Option<&'static Syscall> {
    all().iter().find(|call| Arch::ALL.iter().any(|arch| call.function_on(*arch) == Some(function)))
}

/// The system call that a kernel symbol implements: `__x64_sys_openat`, `__arm64_sys_openat`, and what the same function was
/// called before Linux 4.17, `sys_openat` and `SyS_openat`; also the inner functions `__se_sys_openat` and `__do_sys_openat`.
#[must_use]
pub fn by_symbol(symbol: &str) -> Option<&'static Syscall> {
    let function = ["__x64_sys_", "__arm64_sys_", "__se_sys_", "__do_sys_", "sys_", "SyS_"]
        .iter()
        .find_map(|prefix| symbol.strip_prefix(prefix))?;
    by_function(function)
}

impl Syscall {
    /// Its number, if the architecture has it.
    #[must_use]
    pub fn number(&self, arch: Arch) -> Option<u32> {
        self.numbers[arch as usize].map(u32::from)
    }

    /// Its name in the kernel on this architecture, if the architecture has it.
    #[must_use]
    pub fn function_on(&self, arch: Arch) -> Option<&'static str> {
        self.number(arch)?;
        match (arch, self.name) {
            (Arch::Arm64, "personality") => Some("arm64_personality"),
            (Arch::Arm64, "fadvise64") => Some("fadvise64_64"),
            _ => self.function,
        }
    }

    /// Name and C type of each argument on this architecture. Only `clone` differs: its last two change places.
    #[must_use]
    pub fn args_on(&self, arch: Arch) -> &'static [(&'static str, &'static str)] {
        match (arch, self.name) {
            (Arch::Arm64, "clone") => &[
                ("clone_flags", "unsigned long"),
                ("newsp", "unsigned long"),
                ("parent_tidptr", "int *"),
                ("tls", "unsigned long"),
                ("child_tidptr", "int *"),
            ],
            _ => self.args,
        }
    }

    /// The kernel symbol of its function, if the architecture has it and the number is not merely reserved.
    #[must_use]
    pub fn symbol(&self, arch: Arch) -> Option<String> {
        Some(format!("{}sys_{}", arch.syscall_prefix(), self.function_on(arch)?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_functions_and_numbers_are_unique_and_found() {
        let (mut names, mut functions) = (HashSet::new(), HashSet::new());
        for call in all() {
            assert!(names.insert(call.name), "{}", call.name);
            assert!(call.function.is_none_or(|function| functions.insert(function)), "{}", call.name);
            assert_eq!(by_name(call.name), Some(call));
            assert!(call.args.len() <= 6, "{}", call.name);
            for &arch in Arch::ALL {
                let Some(number) = call.number(arch) else { continue };
                assert_eq!(by_number(arch, number), Some(call), "{arch:?}");
                let Some(symbol) = call.symbol(arch) else { continue };
                assert_eq!(by_symbol(&symbol), Some(call), "{symbol}");
            }
            let Some(function) = call.function else { continue };
            for prefix in ["sys_", "SyS_", "__se_sys_", "__do_sys_"] {
                assert_eq!(by_symbol(&format!("{prefix}{function}")), Some(call));
            }
        }
        assert!(by_symbol("openat").is_none() && by_symbol("sys_nothing").is_none());
    }

    /// Numbers 0 to 334 of x86-64 are all assigned, as are those since 424, common to all architectures.
    #[test]
    fn no_number_is_missing() {
        for number in (0..=336).chain(424..=469) {
            let call = by_number(Arch::X86_64, number);
            assert!(call.is_some(), "{number}");
            if number >= 424 {
                assert_eq!(call, by_number(Arch::Arm64, number), "{number}");
            }
        }
    }

    #[test]
    fn numbers_agree_with_the_header() {
        let Ok(header) = std::fs::read_to_string("/usr/include/x86_64-linux-gnu/asm/unistd_64.h") else {
            skep_testing::skip!("no asm/unistd_64.h");
            return;
        };
        let mut compared = 0;
        for line in header.lines() {
            let Some((name, number)) =
                line.strip_prefix("#define __NR_").and_then(|rest| rest.split_once(' '))
            else {
                continue;
            };
            let number: u32 = number.trim().parse().unwrap();
            assert_eq!(by_name(name).and_then(|call| call.number(Arch::X86_64)), Some(number), "{name}");
            compared += 1;
        }
        assert!(compared > 300, "the header was not understood: {compared} numbers");
    }
}
