//! The seccomp filter of a started command: it stops the traced system calls and lets all others run.
//!
//! It looks at nothing but the architecture and the number, so that the kernel (since 5.11) finds out once which calls are
//! always allowed and does not run the filter for them.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::regs::{AUDIT_ARCH, COMPAT_AUDIT_ARCH};
use crate::sys::FilterInsn;

/// Which system calls stop the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Traced {
    /// All, of every calling convention.
    All,
    /// Those of the native calling convention with these numbers.
    These(BTreeSet<u32>),
}

impl Traced {
    /// Whether the call with this native number stops the command.
    pub(crate) fn contains(&self, nr: u32) -> bool {
        match self {
            Traced::All => true,
            Traced::These(numbers) => numbers.contains(&nr),
        }
    }
}

/// System calls that change a thread's user or group id, native numbering: setuid, setgid, setreuid, setregid, setresuid,
/// setresgid.
#[cfg(target_arch = "x86_64")]
pub(crate) const CREDENTIAL_CALLS: &[u32] = &[105, 106, 113, 114, 117, 119];
/// The same on arm64.
#[cfg(target_arch = "aarch64")]
pub(crate) const CREDENTIAL_CALLS: &[u32] = &[143, 144, 145, 146, 147, 149];
/// The same in the 32-bit numbering, which i386 and arm share; each with its 16-bit and its 32-bit form.
pub(crate) const COMPAT_CREDENTIAL_CALLS: &[u32] = &[23, 46, 70, 71, 164, 170, 203, 204, 208, 210, 213, 214];

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const RET: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
const JA: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const JEQ: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const JGE: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const JGT: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;

/// Offsets in `struct seccomp_data`.
const DATA_NR: u32 = 0;
const DATA_ARCH: u32 = 4;

const fn stmt(code: u16, k: u32) -> FilterInsn {
    FilterInsn { code, jt: 0, jf: 0, k }
}

const TRACE: FilterInsn = stmt(RET, libc::SECCOMP_RET_TRACE);
const ALLOW: FilterInsn = stmt(RET, libc::SECCOMP_RET_ALLOW);

/// The filter for these calls. Empty when no call is traced: then there is nothing to filter.
pub(crate) fn build(traced: &Traced) -> Vec<FilterInsn> {
    let numbers = match traced {
        Traced::All => return vec![TRACE],
        Traced::These(numbers) if numbers.is_empty() => return Vec::new(),
        Traced::These(numbers) => numbers,
    };
    // Credentials are cached for each thread; calls that change them end the cache.
    let native: BTreeSet<u32> = numbers.iter().chain(CREDENTIAL_CALLS).copied().collect();
    let compat: BTreeSet<u32> = COMPAT_CREDENTIAL_CALLS.iter().copied().collect();
    let (native, compat) = (search(&ranges(&native)), search(&ranges(&compat)));

    let mut filter = vec![stmt(LOAD, DATA_ARCH)];
    section(&mut filter, AUDIT_ARCH, &native);
    section(&mut filter, COMPAT_AUDIT_ARCH, &compat);
    filter.push(ALLOW);
    filter
}

/// For calls of one architecture: `body`, which begins with the number loaded and always returns.
fn section(filter: &mut Vec<FilterInsn>, arch: u32, body: &[FilterInsn]) {
    filter.push(FilterInsn { code: JEQ, jt: 1, jf: 0, k: arch });
    filter.push(stmt(JA, 1 + body.len() as u32));
    filter.push(stmt(LOAD, DATA_NR));
    filter.extend_from_slice(body);
}

/// Neighbouring numbers together.
fn ranges(numbers: &BTreeSet<u32>) -> Vec<RangeInclusive<u32>> {
    let mut ranges: Vec<RangeInclusive<u32>> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some(last) if last.end().checked_add(1) == Some(number) => *last = *last.start()..=number,
            _ => ranges.push(number..=number),
        }
    }
    ranges
}

/// A binary search for the loaded number; every path ends in a return, so that no jump is long.
fn search(ranges: &[RangeInclusive<u32>]) -> Vec<FilterInsn> {
    if ranges.len() <= 3 {
        let mut body = Vec::new();
        for range in ranges {
            if range.start() == range.end() {
                body.push(FilterInsn { code: JEQ, jt: 0, jf: 1, k: *range.start() });
            } else {
                body.push(FilterInsn { code: JGT, jt: 2, jf: 0, k: *range.end() });
                body.push(FilterInsn { code: JGE, jt: 0, jf: 1, k: *range.start() });
            }
            body.push(TRACE);
        }
        body.push(ALLOW);
        return body;
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let (low, high_body) = (search(low), search(high));
    let pivot = high.first().map_or(u32::MAX, |range| *range.start());
    let mut body = vec![FilterInsn { code: JGE, jt: 0, jf: 1, k: pivot }, stmt(JA, low.len() as u32)];
    body.extend(low);
    body.extend(high_body);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter answers, by the rules of classic BPF.
    fn run(filter: &[FilterInsn], arch: u32, nr: u32) -> u32 {
        let (mut pc, mut a) = (0usize, 0u32);
        loop {
            let insn = filter[pc];
            pc += 1;
            match insn.code {
                LOAD if insn.k == DATA_NR => a = nr,
                LOAD if insn.k == DATA_ARCH => a = arch,
                RET => return insn.k,
                JA => pc += insn.k as usize,
                JEQ => pc += usize::from(if a == insn.k { insn.jt } else { insn.jf }),
                JGE => pc += usize::from(if a >= insn.k { insn.jt } else { insn.jf }),
                JGT => pc += usize::from(if a > insn.k { insn.jt } else { insn.jf }),
                code => panic!("code {code:#x} is not one that the kernel can evaluate ahead"),
            }
        }
    }

    #[test]
    fn stops_exactly_the_traced_calls() {
        let sets: [&[u32]; 5] =
            [&[59], &[0, 1, 2, 3], &[59, 322, 257], &[0, 2, 4, 6, 8, 9, 10, 40, 300, 301], &[462]];
        for set in sets {
            let numbers: BTreeSet<u32> = set.iter().copied().collect();
            let filter = build(&Traced::These(numbers.clone()));
            for nr in (0..700).chain([0x4000_003b, u32::MAX]) {
                let traced = numbers.contains(&nr) || CREDENTIAL_CALLS.contains(&nr);
                let expected = if traced { libc::SECCOMP_RET_TRACE } else { libc::SECCOMP_RET_ALLOW };
                assert_eq!(run(&filter, AUDIT_ARCH, nr), expected, "{set:?}: native call {nr}");
                let traced = COMPAT_CREDENTIAL_CALLS.contains(&nr);
                let expected = if traced { libc::SECCOMP_RET_TRACE } else { libc::SECCOMP_RET_ALLOW };
                assert_eq!(run(&filter, COMPAT_AUDIT_ARCH, nr), expected, "{set:?}: 32-bit call {nr}");
                assert_eq!(
                    run(&filter, 0xc000_0015, nr),
                    libc::SECCOMP_RET_ALLOW,
                    "{set:?}: other call {nr}"
                );
            }
        }
    }

    #[test]
    fn the_largest_set_fits_into_a_filter() {
        let every_other: BTreeSet<u32> = (0..1200).step_by(2).collect();
        let filter = build(&Traced::These(every_other));
        assert!(filter.len() < 4096, "{} instructions", filter.len());
    }

    #[test]
    fn without_a_traced_call_there_is_no_filter() {
        assert_eq!(build(&Traced::These(BTreeSet::new())), []);
        assert_eq!(run(&build(&Traced::All), COMPAT_AUDIT_ARCH, 7), libc::SECCOMP_RET_TRACE);
    }
}
