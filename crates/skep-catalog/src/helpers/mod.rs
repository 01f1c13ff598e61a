//! Helpers: the functions of the kernel that a program calls by number.
//!
//! Numbers, names and C prototypes are those of `bpf-helpers(7)` and `linux/bpf.h` as of Linux 6.18 (which is complete:
//! new functions come as kfuncs). Argument and return types are in the vocabulary of the kernel's verifier.
//!
//! ```
//! use skep_catalog::{ArgKind, Helper, KernelVersion, ProgramType, ReturnKind};
//!
//! let lookup = Helper::by_name("bpf_map_lookup_elem").unwrap();
//! assert_eq!((lookup.id, lookup.name), (1, "map_lookup_elem"));
//! assert_eq!(lookup.prototype(), "void *bpf_map_lookup_elem(void *map, const void *key)");
//! assert_eq!(lookup.args[1].ty.kind, ArgKind::PtrToMapKey);
//! assert_eq!(lookup.ret.kind, ReturnKind::PtrToMapValue);
//! assert!(lookup.ret.may_be_null && !lookup.gpl_only());
//! assert_eq!(lookup.since, KernelVersion::new(3, 19));
//! assert!(lookup.allowed_for(ProgramType::Xdp, None));
//! assert!(!Helper::by_name("xdp_adjust_head").unwrap().allowed_for(ProgramType::SchedCls, None));
//! ```

mod availability;
mod map_types;
mod signatures;
mod table_0;
mod table_100;
mod table_200;
mod types;

use std::fmt::Write as _;

use crate::KernelVersion;

pub use availability::{HelperSet, helpers_of};
pub use types::{Arg, ArgFlags, ArgKind, ArgType, HelperFlags, ReturnKind, ReturnType};

/// One helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Helper {
    /// Its number, the immediate of the call instruction (`BPF_FUNC_*`).
    pub id: u32,
    /// Its name without the prefix `bpf_`.
    pub name: &'static str,
    /// The Linux version it came with.
    pub since: KernelVersion,
    /// GPL only, may sleep, and the like.
    pub flags: HelperFlags,
    /// The C type it returns.
    pub c_return: &'static str,
    /// What the verifier knows of R0 after the call.
    pub ret: ReturnType,
    /// Its arguments, at most five: R1, R2, ... Some program types have their own: see [`args_for`](Self::args_for).
    pub args: &'static [Arg],
}

/// The numbers of the helpers, by name without the prefix `bpf_`: `id::map_lookup_elem` is `BPF_FUNC_map_lookup_elem`.
pub mod id {
    pub use super::table_0::id::*;
    pub use super::table_100::id::*;
    pub use super::table_200::id::*;
}

const TABLES: [&[Helper]; 3] = [table_0::HELPERS, table_100::HELPERS, table_200::HELPERS];

impl Helper {
    /// The highest number in use; numbers run from 1 to it without a gap.
    pub const MAX_ID: u32 = 211;

    /// All helpers, by number.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        TABLES.into_iter().flatten()
    }

    /// The helper with this number.
    #[must_use]
    pub fn by_id(id: u32) -> Option<&'static Self> {
        // Each table holds a hundred numbers; the first starts at 1.
        let table = TABLES.get(usize::try_from(id / 100).ok()?)?;
        let first = table.first()?.id;
        table.get(usize::try_from(id.checked_sub(first)?).ok()?)
    }

    /// The helper with this name, with or without the prefix `bpf_`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        let short = name.strip_prefix("bpf_").unwrap_or(name);
        // `sys_bpf` aside no helper's own name has the prefix, so stripping it is never wrong.
        Self::all().find(|helper| helper.name == short)
    }

    /// Only programs with a GPL-compatible license may call it.
    #[must_use]
    pub const fn gpl_only(&self) -> bool {
        self.flags.contains(HelperFlags::GPL_ONLY)
    }

    /// Only sleepable programs may call it, and never under a lock or in an RCU read section.
    #[must_use]
    pub const fn may_sleep(&self) -> bool {
        self.flags.contains(HelperFlags::MAY_SLEEP)
    }

    /// The call may move packet data: all packet pointers are invalid after it.
    #[must_use]
    pub const fn changes_packet_data(&self) -> bool {
        self.flags.contains(HelperFlags::CHANGES_PACKET_DATA)
    }

    /// Whoever loads the program needs `CAP_PERFMON`, whatever the program type asks for.
    #[must_use]
    pub const fn needs_perfmon(&self) -> bool {
        self.flags.contains(HelperFlags::NEEDS_PERFMON)
    }

    /// Refused while the kernel is locked down.
    #[must_use]
    pub const fn locked_down(&self) -> bool {
        self.flags.contains(HelperFlags::LOCKED_DOWN)
    }

    /// Further arguments may follow the named ones (`...` in C). At most five in all, as ever.
    #[must_use]
    pub const fn variadic(&self) -> bool {
        self.flags.contains(HelperFlags::VARIADIC)
    }

    /// Its name with the prefix, as in C.
    #[must_use]
    pub fn c_name(&self) -> String {
        format!("bpf_{}", self.name)
    }

    /// Its C prototype, as `bpf-helpers(7)` writes it.
    #[must_use]
    pub fn prototype(&self) -> String {
        let mut text = String::with_capacity(80);
        push_declaration(&mut text, self.c_return, &self.c_name());
        text.push('(');
        for (index, arg) in self.args.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { ", " });
            push_declaration(&mut text, arg.c_type, arg.name);
        }
        text.push_str(match (self.args.is_empty(), self.variadic()) {
            (true, _) => "void",
            (false, true) => ", ...",
            (false, false) => "",
        });
        text.push(')');
        text
    }
}

/// `int` and `x` give `int x`, `void *` and `p` give `void *p`.
fn push_declaration(text: &mut String, c_type: &str, name: &str) {
    let space = if c_type.ends_with('*') { "" } else { " " };
    // Writing to a String cannot fail.
    let _ = write!(text, "{c_type}{space}{name}");
}

/// `loop` is a keyword of Rust, so its row says `r#loop`.
const fn unescaped(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// Declares a table of helpers and the module of their numbers. A row is: number, name, Linux version (major minor),
/// flags, C return type and verifier return type, then the arguments: C type, name, verifier type.
macro_rules! helpers {
    ($($id:literal $name:ident, $major:literal $minor:literal, [$($flag:ident)*],
        $c_return:literal: $ret:expr, [$($c_type:literal $arg:ident: $ty:expr),*];)*) => {
        pub(super) const HELPERS: &[Helper] = &[$(Helper {
            id: $id,
            name: super::unescaped(stringify!($name)),
            since: KernelVersion::new($major, $minor),
            flags: HelperFlags::empty()$(.union(HelperFlags::$flag))*,
            c_return: $c_return,
            ret: $ret,
            args: &[$(Arg { c_type: $c_type, name: stringify!($arg), ty: $ty },)*],
        },)*];

        #[expect(non_upper_case_globals, reason = "the names are those of the helpers")]
        pub(super) mod id {
            $(#[doc = concat!("Helper number ", $id, ", Linux ", $major, ".", $minor)] pub const $name: u32 = $id;)*
        }
    };
}
use helpers;
