//! What the verifier knows of helpers' arguments and return values.

use bitflags::bitflags;

bitflags! {
    /// Properties of a helper.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct HelperFlags: u8 {
        /// Only programs with a GPL-compatible license may call it.
        const GPL_ONLY = 1;
        /// It may sleep: only sleepable programs may call it, outside RCU read sections and locks.
        const MAY_SLEEP = 2;
        /// It may move or shorten packet data: packet pointers taken before the call are invalid after it.
        const CHANGES_PACKET_DATA = 4;
        /// Further arguments may follow the named ones.
        const VARIADIC = 8;
        /// Refused while the kernel is locked down (`kernel_lockdown(7)`, "integrity"), since it changes what others do.
        const LOCKED_DOWN = 16;
        /// Whoever loads the program needs `CAP_PERFMON`, even if the program type does not ask for it: the helper shows
        /// kernel memory or other processes.
        const NEEDS_PERFMON = 32;
    }
}

/// One argument of a helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arg {
    /// Its C type; ends in `*` for pointers.
    pub c_type: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What the verifier demands of it.
    pub ty: ArgType,
}

/// What the verifier demands of an argument: a kind and modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArgType {
    /// The kind (`enum bpf_arg_type` without flags).
    pub kind: ArgKind,
    /// The modifiers (`enum bpf_type_flag`).
    pub flags: ArgFlags,
}

/// Kinds of arguments (the kernel's `enum bpf_arg_type`, without flags).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArgKind {
    /// Not looked at (`ARG_DONTCARE`).
    DontCare,
    /// Any initialised value (`ARG_ANYTHING`).
    Anything,
    /// A map (`ARG_CONST_MAP_PTR`). It comes before the key and value arguments that depend on it.
    ConstMapPtr,
    /// Memory of the map's key size (`ARG_PTR_TO_MAP_KEY`).
    PtrToMapKey,
    /// Memory of the map's value size (`ARG_PTR_TO_MAP_VALUE`).
    PtrToMapValue,
    /// Memory whose size is the next argument (`ARG_PTR_TO_MEM`).
    PtrToMem,
    /// Memory of this many bytes (`ARG_PTR_TO_FIXED_SIZE_MEM`).
    PtrToFixedSizeMem(u32),
    /// A pointer into an arena (`ARG_PTR_TO_ARENA`).
    PtrToArena,
    /// Size of the memory in the argument before, at least 1 (`ARG_CONST_SIZE`).
    ConstSize,
    /// Size of the memory in the argument before (`ARG_CONST_SIZE_OR_ZERO`).
    ConstSizeOrZero,
    /// A size known at verification, which is that of the returned memory (`ARG_CONST_ALLOC_SIZE_OR_ZERO`).
    ConstAllocSizeOrZero,
    /// The context, unchanged (`ARG_PTR_TO_CTX`).
    PtrToCtx,
    /// A `struct bpf_spin_lock` in a map value or allocated object (`ARG_PTR_TO_SPIN_LOCK`).
    PtrToSpinLock,
    /// Any socket of the network programs (`ARG_PTR_TO_SOCK_COMMON`).
    PtrToSockCommon,
    /// As above, or a BTF pointer to a kernel socket (`ARG_PTR_TO_BTF_ID_SOCK_COMMON`).
    PtrToBtfIdSockCommon,
    /// A full socket (`ARG_PTR_TO_SOCKET`).
    PtrToSocket,
    /// A BTF pointer to this kernel type (`ARG_PTR_TO_BTF_ID`); an empty name is any type, decided by the helper.
    PtrToBtfId(&'static str),
    /// Memory reserved in a ring buffer (`ARG_PTR_TO_RINGBUF_MEM`).
    PtrToRingbufMem,
    /// A per-CPU kernel variable (`ARG_PTR_TO_PERCPU_BTF_ID`).
    PtrToPercpuBtfId,
    /// A callback: a static subprogram (`ARG_PTR_TO_FUNC`).
    PtrToFunc,
    /// A pointer into the caller's stack (`ARG_PTR_TO_STACK`).
    PtrToStack,
    /// A string in a read-only map (`ARG_PTR_TO_CONST_STR`).
    PtrToConstStr,
    /// A `struct bpf_timer` in a map value (`ARG_PTR_TO_TIMER`).
    PtrToTimer,
    /// A place that holds a kernel pointer, in a map value or allocated object (`ARG_KPTR_XCHG_DEST`).
    KptrXchgDest,
    /// A `struct bpf_dynptr` (`ARG_PTR_TO_DYNPTR`).
    PtrToDynptr,
}

bitflags! {
    /// Modifiers of an argument (the kernel's `enum bpf_type_flag`; bit positions here are our own).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct ArgFlags: u16 {
        /// May be null (`PTR_MAYBE_NULL`).
        const MAYBE_NULL = 1;
        /// The helper only reads it, so read-only memory will do (`MEM_RDONLY`).
        const RDONLY = 2;
        /// The helper sets it, it need not be initialised (`MEM_UNINIT`).
        const UNINIT = 4;
        /// The helper writes it, so read-only memory will not do (`MEM_WRITE`).
        const WRITE = 8;
        /// Must be aligned to its size (`MEM_ALIGNED`).
        const ALIGNED = 16;
        /// The reference it holds is given up by the call (`OBJ_RELEASE`).
        const RELEASE = 32;
        /// The dynptr is over local memory (`DYNPTR_TYPE_LOCAL`).
        const DYNPTR_LOCAL = 64;
        /// The dynptr is over ring buffer memory (`DYNPTR_TYPE_RINGBUF`).
        const DYNPTR_RINGBUF = 128;
    }
}

impl ArgType {
    const fn of(kind: ArgKind) -> Self {
        Self { kind, flags: ArgFlags::empty() }
    }

    const fn with(self, flags: ArgFlags) -> Self {
        Self { kind: self.kind, flags: self.flags.union(flags) }
    }

    pub(super) const fn or_null(self) -> Self {
        self.with(ArgFlags::MAYBE_NULL)
    }

    pub(super) const fn read_only(self) -> Self {
        self.with(ArgFlags::RDONLY)
    }

    /// Set by the helper.
    pub(super) const fn uninit(self) -> Self {
        self.with(ArgFlags::UNINIT.union(ArgFlags::WRITE))
    }

    /// Read and written by the helper.
    pub(super) const fn written(self) -> Self {
        self.with(ArgFlags::WRITE)
    }

    pub(super) const fn aligned(self) -> Self {
        self.with(ArgFlags::ALIGNED)
    }

    pub(super) const fn released(self) -> Self {
        self.with(ArgFlags::RELEASE)
    }

    pub(super) const fn local(self) -> Self {
        self.with(ArgFlags::DYNPTR_LOCAL)
    }

    pub(super) const fn ringbuf(self) -> Self {
        self.with(ArgFlags::DYNPTR_RINGBUF)
    }

    /// A null pointer will do.
    #[must_use]
    pub const fn may_be_null(self) -> bool {
        self.flags.contains(ArgFlags::MAYBE_NULL)
    }
}

/// What the verifier knows of R0 after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReturnType {
    /// The kind (`enum bpf_return_type` without flags).
    pub kind: ReturnKind,
    /// Must be compared with null before use (`PTR_MAYBE_NULL`).
    pub may_be_null: bool,
    /// A BTF pointer that is valid as long as the program runs (`PTR_TRUSTED`).
    pub trusted: bool,
}

/// Kinds of return values (the kernel's `enum bpf_return_type`, without flags).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReturnKind {
    /// An unknown number (`RET_INTEGER`).
    Integer,
    /// Nothing: R0 may not be read (`RET_VOID`).
    Void,
    /// A value of the map in the arguments (`RET_PTR_TO_MAP_VALUE`).
    PtrToMapValue,
    /// A full socket (`RET_PTR_TO_SOCKET`).
    PtrToSocket,
    /// A `struct bpf_tcp_sock` (`RET_PTR_TO_TCP_SOCK`).
    PtrToTcpSock,
    /// Any socket (`RET_PTR_TO_SOCK_COMMON`).
    PtrToSockCommon,
    /// Memory reserved in a ring buffer, of the size in the arguments (`RET_PTR_TO_RINGBUF_MEM`).
    PtrToRingbufMem,
    /// A slice of a dynptr, of the size in the arguments (`RET_PTR_TO_DYNPTR_MEM`).
    PtrToDynptrMem,
    /// The per-CPU variable in the arguments, as memory or BTF pointer (`RET_PTR_TO_MEM_OR_BTF_ID`).
    PtrToMemOrBtfId,
    /// A BTF pointer to this kernel type (`RET_PTR_TO_BTF_ID`); an empty name is the type of the argument.
    PtrToBtfId(&'static str),
}

/// The return types, by short names for the tables.
pub(super) struct Ret;

impl Ret {
    pub(super) const INTEGER: ReturnType = ReturnType::of(ReturnKind::Integer);
    pub(super) const VOID: ReturnType = ReturnType::of(ReturnKind::Void);
    pub(super) const MAP_VALUE: ReturnType = ReturnType::of(ReturnKind::PtrToMapValue);
    pub(super) const SOCKET: ReturnType = ReturnType::of(ReturnKind::PtrToSocket);
    pub(super) const TCP_SOCK: ReturnType = ReturnType::of(ReturnKind::PtrToTcpSock);
    pub(super) const SOCK_COMMON: ReturnType = ReturnType::of(ReturnKind::PtrToSockCommon);
    pub(super) const RINGBUF_MEM: ReturnType = ReturnType::of(ReturnKind::PtrToRingbufMem);
    pub(super) const DYNPTR_MEM: ReturnType = ReturnType::of(ReturnKind::PtrToDynptrMem);
    pub(super) const MEM_OR_BTF: ReturnType = ReturnType::of(ReturnKind::PtrToMemOrBtfId);

    pub(super) const fn btf(name: &'static str) -> ReturnType {
        ReturnType::of(ReturnKind::PtrToBtfId(name))
    }
}

impl ReturnType {
    const fn of(kind: ReturnKind) -> Self {
        Self { kind, may_be_null: false, trusted: false }
    }

    pub(super) const fn or_null(self) -> Self {
        Self { may_be_null: true, ..self }
    }

    pub(super) const fn trusted(self) -> Self {
        Self { trusted: true, ..self }
    }
}

pub(super) const DONT_CARE: ArgType = ArgType::of(ArgKind::DontCare);
pub(super) const ANYTHING: ArgType = ArgType::of(ArgKind::Anything);
pub(super) const MAP: ArgType = ArgType::of(ArgKind::ConstMapPtr);
pub(super) const MAP_KEY: ArgType = ArgType::of(ArgKind::PtrToMapKey);
pub(super) const MAP_VALUE: ArgType = ArgType::of(ArgKind::PtrToMapValue);
pub(super) const MEM: ArgType = ArgType::of(ArgKind::PtrToMem);
pub(super) const SIZE: ArgType = ArgType::of(ArgKind::ConstSize);
pub(super) const SIZE_OR_ZERO: ArgType = ArgType::of(ArgKind::ConstSizeOrZero);
pub(super) const ALLOC_SIZE_OR_ZERO: ArgType = ArgType::of(ArgKind::ConstAllocSizeOrZero);
pub(super) const CTX: ArgType = ArgType::of(ArgKind::PtrToCtx);
pub(super) const SPIN_LOCK: ArgType = ArgType::of(ArgKind::PtrToSpinLock);
pub(super) const SOCK_COMMON: ArgType = ArgType::of(ArgKind::PtrToSockCommon);
pub(super) const SOCKET: ArgType = ArgType::of(ArgKind::PtrToSocket);
pub(super) const BTF_SOCK_COMMON: ArgType = ArgType::of(ArgKind::PtrToBtfIdSockCommon);
pub(super) const RINGBUF_MEM: ArgType = ArgType::of(ArgKind::PtrToRingbufMem);
pub(super) const PERCPU: ArgType = ArgType::of(ArgKind::PtrToPercpuBtfId);
pub(super) const FUNC: ArgType = ArgType::of(ArgKind::PtrToFunc);
pub(super) const STACK: ArgType = ArgType::of(ArgKind::PtrToStack);
pub(super) const CONST_STR: ArgType = ArgType::of(ArgKind::PtrToConstStr);
pub(super) const TIMER: ArgType = ArgType::of(ArgKind::PtrToTimer);
pub(super) const KPTR_XCHG_DEST: ArgType = ArgType::of(ArgKind::KptrXchgDest);
pub(super) const DYNPTR: ArgType = ArgType::of(ArgKind::PtrToDynptr);

pub(super) const fn fixed(bytes: u32) -> ArgType {
    ArgType::of(ArgKind::PtrToFixedSizeMem(bytes))
}

pub(super) const fn btf(name: &'static str) -> ArgType {
    ArgType::of(ArgKind::PtrToBtfId(name))
}
