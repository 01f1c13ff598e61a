//! The flags of `bpf(2)`, by the place they are given. Values are those of `linux/bpf.h`.
//!
//! ```
//! use skep_catalog::{KernelVersion, MapFlags};
//!
//! let flags = MapFlags::from_bits(0x401).unwrap();
//! assert_eq!(flags, MapFlags::NO_PREALLOC | MapFlags::MMAPABLE);
//! assert_eq!(flags.since(), KernelVersion::new(5, 5));
//! assert_eq!(flags.uapi_names().collect::<Vec<_>>(), ["BPF_F_NO_PREALLOC", "BPF_F_MMAPABLE"]);
//! ```

use bitflags::bitflags;

use crate::KernelVersion;

/// Declares flags of one place: name, value, name in `linux/bpf.h`, Linux version, what it means.
macro_rules! uapi_flags {
    (
        $(#[doc = $meta:literal])*
        pub struct $name:ident: $bits:ty {
            $($(#[doc = $doc:literal])* $flag:ident = $value:literal, $uapi:literal, $major:literal, $minor:literal;)*
        }
    ) => {
        bitflags! {
            $(#[doc = $meta])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
            pub struct $name: $bits {
                $(
                    $(#[doc = $doc])*
                    #[doc = concat!("(`", $uapi, "`, Linux ", $major, ".", $minor, ")")]
                    const $flag = $value;
                )*
            }
        }

        impl $name {
            /// Each flag, its name in `linux/bpf.h`, and the Linux version it came with.
            pub const UAPI: &[($name, &'static str, KernelVersion)] =
                &[$(($name::$flag, $uapi, KernelVersion::new($major, $minor)),)*];

            /// The names in `linux/bpf.h` of the flags that are set.
            pub fn uapi_names(self) -> impl Iterator<Item = &'static str> {
                Self::UAPI.iter().filter(move |(flag, ..)| self.contains(*flag)).map(|(_, name, _)| *name)
            }

            /// The first Linux version that has all of them.
            #[must_use]
            pub fn since(self) -> KernelVersion {
                let versions = Self::UAPI.iter().filter(|(flag, ..)| self.contains(*flag)).map(|(.., since)| *since);
                versions.max().unwrap_or(KernelVersion::new(3, 18))
            }
        }
    };
}

uapi_flags! {
    /// `map_flags` of `BPF_MAP_CREATE`.
    pub struct MapFlags: u32 {
        /// Take memory when an element is added, not all at once.
        NO_PREALLOC = 0x1, "BPF_F_NO_PREALLOC", 4, 6;
        /// One list of elements for each CPU instead of a common one.
        NO_COMMON_LRU = 0x2, "BPF_F_NO_COMMON_LRU", 4, 10;
        /// Memory from the node given in `numa_node`.
        NUMA_NODE = 0x4, "BPF_F_NUMA_NODE", 4, 14;
        /// User space may only read, through this descriptor.
        RDONLY = 0x8, "BPF_F_RDONLY", 4, 15;
        /// User space may only write, through this descriptor.
        WRONLY = 0x10, "BPF_F_WRONLY", 4, 15;
        /// Stacks hold build ids and file offsets instead of addresses.
        STACK_BUILD_ID = 0x20, "BPF_F_STACK_BUILD_ID", 4, 17;
        /// The hash starts from zero instead of a random number.
        ZERO_SEED = 0x40, "BPF_F_ZERO_SEED", 5, 0;
        /// Programs may only read.
        RDONLY_PROG = 0x80, "BPF_F_RDONLY_PROG", 5, 2;
        /// Programs may only write.
        WRONLY_PROG = 0x100, "BPF_F_WRONLY_PROG", 5, 2;
        /// A socket that is accepted inherits the storage of the listener.
        CLONE = 0x200, "BPF_F_CLONE", 5, 4;
        /// May be mapped into user space.
        MMAPABLE = 0x400, "BPF_F_MMAPABLE", 5, 5;
        /// Perf events stay when the descriptor that added them closes.
        PRESERVE_ELEMS = 0x800, "BPF_F_PRESERVE_ELEMS", 5, 10;
        /// As an inner map it may be replaced by maps of another number of entries.
        INNER_MAP = 0x1000, "BPF_F_INNER_MAP", 5, 10;
        /// A `struct_ops` map that takes effect through a link.
        LINK = 0x2000, "BPF_F_LINK", 6, 4;
        /// A path is taken relative to the descriptor given (of `BPF_OBJ_PIN` and `BPF_OBJ_GET`).
        PATH_FD = 0x4000, "BPF_F_PATH_FD", 6, 5;
        /// The value's type is in the module BTF given in `value_type_btf_obj_fd`.
        VTYPE_BTF_OBJ_FD = 0x8000, "BPF_F_VTYPE_BTF_OBJ_FD", 6, 9;
        /// Rights come from the token given in `map_token_fd`.
        TOKEN_FD = 0x10000, "BPF_F_TOKEN_FD", 6, 9;
        /// User space gets a signal instead of memory where an arena has none.
        SEGV_ON_FAULT = 0x20000, "BPF_F_SEGV_ON_FAULT", 6, 9;
        /// Pointers stored in an arena are not turned into user space ones.
        NO_USER_CONV = 0x40000, "BPF_F_NO_USER_CONV", 6, 9;
    }
}

uapi_flags! {
    /// `flags` of `BPF_MAP_UPDATE_ELEM` and `map_update_elem`. Without any (`BPF_ANY`), the element is added or replaced.
    pub struct UpdateFlags: u64 {
        /// Only if there is none yet.
        NOEXIST = 0x1, "BPF_NOEXIST", 3, 19;
        /// Only if there is one already.
        EXIST = 0x2, "BPF_EXIST", 3, 19;
        /// Under the value's spin lock; for lookups as well.
        LOCK = 0x4, "BPF_F_LOCK", 5, 1;
    }
}

uapi_flags! {
    /// `prog_flags` of `BPF_PROG_LOAD`.
    pub struct ProgFlags: u32 {
        /// Refuse unaligned accesses.
        STRICT_ALIGNMENT = 0x1, "BPF_F_STRICT_ALIGNMENT", 4, 12;
        /// Allow unaligned accesses.
        ANY_ALIGNMENT = 0x2, "BPF_F_ANY_ALIGNMENT", 5, 0;
        /// Fill upper halves with random numbers where they do not matter; for tests.
        TEST_RND_HI32 = 0x4, "BPF_F_TEST_RND_HI32", 5, 3;
        /// Keep a state at every instruction; for tests.
        TEST_STATE_FREQ = 0x8, "BPF_F_TEST_STATE_FREQ", 5, 4;
        /// The program may sleep.
        SLEEPABLE = 0x10, "BPF_F_SLEEPABLE", 5, 10;
        /// The program knows packets in several pieces.
        XDP_HAS_FRAGS = 0x20, "BPF_F_XDP_HAS_FRAGS", 5, 18;
        /// Bound to the device in `prog_ifindex`, but run by the host.
        XDP_DEV_BOUND_ONLY = 0x40, "BPF_F_XDP_DEV_BOUND_ONLY", 6, 3;
        /// Contradictory ranges are an error; for tests.
        TEST_REG_INVARIANTS = 0x80, "BPF_F_TEST_REG_INVARIANTS", 6, 8;
        /// Rights come from the token given in `prog_token_fd`.
        TOKEN_FD = 0x10000, "BPF_F_TOKEN_FD", 6, 9;
    }
}

uapi_flags! {
    /// `attach_flags` of `BPF_PROG_ATTACH`, `flags` of `BPF_LINK_CREATE` where several programs share a hook.
    pub struct AttachFlags: u32 {
        /// A program further down the cgroup tree replaces this one.
        ALLOW_OVERRIDE = 0x1, "BPF_F_ALLOW_OVERRIDE", 4, 10;
        /// Programs further down run as well.
        ALLOW_MULTI = 0x2, "BPF_F_ALLOW_MULTI", 4, 15;
        /// Takes the place of the program given in `replace_bpf_fd`.
        REPLACE = 0x4, "BPF_F_REPLACE", 5, 6;
        /// Before the program given in `relative_fd`, or first.
        BEFORE = 0x8, "BPF_F_BEFORE", 6, 6;
        /// After the program given in `relative_fd`, or last.
        AFTER = 0x10, "BPF_F_AFTER", 6, 6;
        /// `relative_fd` is an id.
        ID = 0x20, "BPF_F_ID", 6, 6;
        /// Before those of cgroups further down, not after.
        PREORDER = 0x40, "BPF_F_PREORDER", 6, 15;
        /// `relative_fd` is a link.
        LINK = 0x2000, "BPF_F_LINK", 6, 6;
    }
}

uapi_flags! {
    /// `flags` of `BPF_PROG_TEST_RUN`.
    pub struct TestRunFlags: u32 {
        /// On the CPU given in `cpu`; for raw tracepoints.
        RUN_ON_CPU = 0x1, "BPF_F_TEST_RUN_ON_CPU", 5, 10;
        /// XDP: send what the program passes on.
        XDP_LIVE_FRAMES = 0x2, "BPF_F_TEST_XDP_LIVE_FRAMES", 5, 18;
        /// TC: the packet's checksum is known.
        SKB_CHECKSUM_COMPLETE = 0x4, "BPF_F_TEST_SKB_CHECKSUM_COMPLETE", 6, 1;
    }
}

/// Flags and constants in the arguments of helpers: name in `linux/bpf.h` and value.
pub const HELPER_CONSTANTS: &[(&str, u64)] = &[
    ("BPF_F_RECOMPUTE_CSUM", 0x1),
    ("BPF_F_INVALIDATE_HASH", 0x2),
    ("BPF_F_HDR_FIELD_MASK", 0xf),
    ("BPF_F_PSEUDO_HDR", 0x10),
    ("BPF_F_MARK_MANGLED_0", 0x20),
    ("BPF_F_MARK_ENFORCE", 0x40),
    ("BPF_F_IPV6", 0x80),
    ("BPF_F_INGRESS", 0x1),
    ("BPF_F_BROADCAST", 0x8),
    ("BPF_F_EXCLUDE_INGRESS", 0x10),
    ("BPF_F_TUNINFO_IPV6", 0x1),
    ("BPF_F_TUNINFO_FLAGS", 0x10),
    ("BPF_F_ZERO_CSUM_TX", 0x2),
    ("BPF_F_DONT_FRAGMENT", 0x4),
    ("BPF_F_SEQ_NUMBER", 0x8),
    ("BPF_F_NO_TUNNEL_KEY", 0x10),
    ("BPF_F_SKIP_FIELD_MASK", 0xff),
    ("BPF_F_USER_STACK", 0x100),
    ("BPF_F_FAST_STACK_CMP", 0x200),
    ("BPF_F_REUSE_STACKID", 0x400),
    ("BPF_F_USER_BUILD_ID", 0x800),
    ("BPF_F_INDEX_MASK", 0xffff_ffff),
    ("BPF_F_CURRENT_CPU", 0xffff_ffff),
    ("BPF_F_CTXLEN_MASK", 0xf_ffff << 32),
    ("BPF_F_CURRENT_NETNS", u64::MAX),
    ("BPF_F_ADJ_ROOM_FIXED_GSO", 0x1),
    ("BPF_F_ADJ_ROOM_ENCAP_L3_IPV4", 0x2),
    ("BPF_F_ADJ_ROOM_ENCAP_L3_IPV6", 0x4),
    ("BPF_F_ADJ_ROOM_ENCAP_L4_GRE", 0x8),
    ("BPF_F_ADJ_ROOM_ENCAP_L4_UDP", 0x10),
    ("BPF_F_ADJ_ROOM_NO_CSUM_RESET", 0x20),
    ("BPF_F_ADJ_ROOM_ENCAP_L2_ETH", 0x40),
    ("BPF_F_ADJ_ROOM_DECAP_L3_IPV4", 0x80),
    ("BPF_F_ADJ_ROOM_DECAP_L3_IPV6", 0x100),
    ("BPF_F_SYSCTL_BASE_NAME", 0x1),
    ("BPF_F_GET_BRANCH_RECORDS_SIZE", 0x1),
    ("BPF_F_BPRM_SECUREEXEC", 0x1),
    ("BPF_F_TIMER_ABS", 0x1),
    ("BPF_F_TIMER_CPU_PIN", 0x2),
    ("BPF_F_PAD_ZEROS", 0x1),
    ("BPF_LOCAL_STORAGE_GET_F_CREATE", 0x1),
    ("BPF_SK_STORAGE_GET_F_CREATE", 0x1),
    ("BPF_RB_NO_WAKEUP", 0x1),
    ("BPF_RB_FORCE_WAKEUP", 0x2),
    ("BPF_RB_AVAIL_DATA", 0),
    ("BPF_RB_RING_SIZE", 1),
    ("BPF_RB_CONS_POS", 2),
    ("BPF_RB_PROD_POS", 3),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of `NAME = (1U << 3),`, `NAME = 4,` or `#define NAME (1U << 3)` in the header.
    fn value_in(header: &str, name: &str) -> Option<u64> {
        let line = header.lines().map(|line| line.trim().trim_start_matches("#define ")).find(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '\t', ',']))
                && line.contains(['=', '(', '0', '1'])
        })?;
        let expression: String =
            line[name.len()..].split("/*").next()?.chars().filter(|c| !" \t=(),".contains(*c)).collect();
        let number = |text: &str| {
            let text = text.trim_end_matches(['U', 'L']);
            text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok())
        };
        match expression.split_once("<<") {
            Some((value, shift)) => Some(number(value)? << number(shift)?),
            None => number(&expression),
        }
    }

    #[test]
    fn values_agree_with_the_header() {
        let Ok(header) = std::fs::read_to_string("/usr/include/linux/bpf.h") else {
            skep_testing::skip!("no linux/bpf.h");
            return;
        };
        let places = [
            MapFlags::UAPI.iter().map(|(flag, name, _)| (*name, u64::from(flag.bits()))).collect::<Vec<_>>(),
            UpdateFlags::UAPI.iter().map(|(flag, name, _)| (*name, flag.bits())).collect(),
            ProgFlags::UAPI.iter().map(|(flag, name, _)| (*name, u64::from(flag.bits()))).collect(),
            AttachFlags::UAPI.iter().map(|(flag, name, _)| (*name, u64::from(flag.bits()))).collect(),
            TestRunFlags::UAPI.iter().map(|(flag, name, _)| (*name, u64::from(flag.bits()))).collect(),
            HELPER_CONSTANTS.to_vec(),
        ];
        let mut compared = 0;
        for (name, ours) in places.into_iter().flatten() {
            if let Some(theirs) = value_in(&header, name) {
                assert_eq!(theirs, ours, "{name}");
                compared += 1;
            }
        }
        assert!(compared > 50, "the header was not understood: {compared} values");
    }

    #[test]
    fn names_are_those_of_the_flags() {
        for (flag, name, _) in MapFlags::UAPI {
            assert_eq!(format!("BPF_F_{}", flag.iter_names().next().unwrap().0), *name);
        }
        assert_eq!(ProgFlags::SLEEPABLE.since(), KernelVersion::new(5, 10));
        assert_eq!((ProgFlags::SLEEPABLE | ProgFlags::TOKEN_FD).since(), KernelVersion::new(6, 9));
    }
}
