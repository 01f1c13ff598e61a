//! What went wrong, in a sentence: what was asked, and what the errno most likely means there.

use std::fmt::Display;

use skep_catalog::Command;
use skep_kernel::{Errno, KernelError};

/// The error of a refused command: `what` says what was asked, the likely cause is added.
pub(crate) fn refused(command: Command, errno: Errno, what: impl Display) -> KernelError {
    let text = match cause(command, errno) {
        Some(cause) => format!("{what}: {cause}"),
        None => what.to_string(),
    };
    KernelError::new(errno, text)
}

fn cause(command: Command, errno: Errno) -> Option<String> {
    use Command as C;
    let text = match (errno, command) {
        (Errno::EPERM, C::MapUpdateElem | C::MapDeleteElem) => {
            "the map is frozen or read-only for user space".into()
        }
        (Errno::EPERM, C::MapLookupElem | C::MapGetNextKey | C::MapLookupAndDeleteElem) => {
            "the map is write-only for user space".into()
        }
        (Errno::EPERM, C::ObjPin) => "only paths in a mounted bpf file system can be pinned to".into(),
        (Errno::EPERM, _) => permission(),
        (Errno::EACCES, C::ProgLoad) => {
            "the verifier rejected the program; its log says where".into()
        }
        (Errno::EACCES, _) => "the object or path may not be accessed so".into(),
        (Errno::ENOSYS, _) => "this kernel has no bpf(2); the target `user` does not need it".into(),
        (Errno::EBADF, _) => "a descriptor is not, or no longer, one of a BPF object".into(),

        (Errno::ENOENT, C::MapLookupElem | C::MapDeleteElem | C::MapLookupAndDeleteElem) => {
            "no element has this key".into()
        }
        (Errno::ENOENT, C::MapUpdateElem) => "no element has this key, and the flags say not to create one".into(),
        (Errno::ENOENT, C::MapGetNextKey) => "there is no further key".into(),
        (Errno::ENOENT, C::ObjGet | C::ObjPin) => "there is no such path".into(),
        (Errno::ENOENT, C::RawTracepointOpen) => "this kernel has no raw tracepoint of that name".into(),
        (Errno::ENOENT, _) => "there is no such object (any more)".into(),
        (Errno::EEXIST, C::MapUpdateElem) => "an element has this key, and the flags say not to replace it".into(),
        (Errno::EEXIST, C::ObjPin) => "something is at that path already".into(),
        (Errno::EEXIST, C::LinkCreate) => "the program is attached there already".into(),
        (Errno::E2BIG, C::MapUpdateElem) => "the map is full, or the index is not below max_entries".into(),
        (Errno::E2BIG, C::MapCreate) => "the map would be too big, or this kernel is older than one of the settings".into(),
        (Errno::E2BIG, C::ProgLoad) => {
            "the program is too large or too complex for the verifier, or this kernel is older than one of the settings".into()
        }
        (Errno::EBUSY, C::MapUpdateElem | C::MapDeleteElem | C::MapLookupAndDeleteElem) => {
            "another CPU holds the lock of this element's bucket; try again".into()
        }
        (Errno::EBUSY, C::MapFreeze) => "the map is mapped writable, or has a lock, or is being written".into(),
        (Errno::ENOMEM, _) => "not enough memory, or RLIMIT_MEMLOCK is too low (before Linux 5.11)".into(),
        (Errno::ENOTSUPP | Errno::EOPNOTSUPP, C::LinkDetach) => {
            "links of this kind detach when their last descriptor or pin goes; close or unpin it".into()
        }
        (Errno::ENOTSUPP | Errno::EOPNOTSUPP, C::ProgTestRun) => {
            "the kernel cannot test-run programs of this type".into()
        }
        (Errno::ENOTSUPP | Errno::EOPNOTSUPP, _) => {
            "objects of this type do not support it".into()
        }
        (Errno::EINVAL, C::MapCreate) => {
            "this map type does not take these sizes or flags, or the kernel does not have it".into()
        }
        (Errno::EINVAL, C::ProgLoad) => {
            "the program or one of its settings is malformed, or the kernel does not have the program type".into()
        }
        (Errno::EINVAL, C::BtfLoad) => "the BTF is malformed, or has kinds that this kernel does not know".into(),
        (Errno::EINVAL, C::ProgTestRun) => {
            "this program type does not take these data, context, flags or repeat count (packets need 14 bytes)".into()
        }
        (Errno::EINVAL, C::ObjPin | C::ObjGet) => "the path is not in a bpf file system".into(),
        (Errno::EINVAL, C::LinkCreate) => {
            "the program's type does not attach there, or the kernel is too old (links to perf events came with Linux 5.15)"
                .into()
        }
        (Errno::EINVAL, C::MapFreeze | C::LinkUpdate | C::MapLookupAndDeleteElem) => {
            format!("not for objects of this type, or the kernel is too old ({})", since(command))
        }
        (Errno::ENOSPC, C::ProgTestRun) => "the output does not fit the room that was given".into(),
        _ => return None,
    };
    Some(text)
}

fn since(command: Command) -> String {
    format!("{} came with Linux {}", command.uapi_name(), command.since())
}

// Capability numbers of linux/capability.h.
const CAP_SYS_ADMIN: u32 = 21;
const CAP_BPF: u32 = 39;

/// `EPERM` means two things: this process lacks a capability, or nobody may.
fn permission() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0);
    if effective & (1 << CAP_SYS_ADMIN | 1 << CAP_BPF) == 0 {
        "needs the capability CAP_BPF (tracing also CAP_PERFMON, networking CAP_NET_ADMIN), or root; the target `user` \
         needs no privileges"
            .into()
    } else {
        "this process has the capability, so the kernel's lockdown, a security module or a namespace forbids it, or \
         CAP_PERFMON or CAP_NET_ADMIN is missing; the target `user` needs no privileges"
            .into()
    }
}
