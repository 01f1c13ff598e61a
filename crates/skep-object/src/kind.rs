//! What a section's name says of the programs in it, by libbpf's rules.

use skep_catalog::sections::{self, AutoAttach, SectionFlags};
use skep_catalog::{AttachType, ProgramType};

/// `BPF_F_SLEEPABLE` of `BPF_PROG_LOAD` (`linux/bpf.h`).
const BPF_F_SLEEPABLE: u32 = 1 << 4;
/// `BPF_F_XDP_HAS_FRAGS` of `BPF_PROG_LOAD` (`linux/bpf.h`).
const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;

/// Type, attach type and attach target of a program, as its section's name says.
///
/// ```
/// use skep_catalog::ProgramType;
/// use skep_object::{AttachTarget, SectionKind};
///
/// let kind = SectionKind::of("tp/sched/sched_process_exec");
/// assert_eq!(kind.prog_type, Some(ProgramType::Tracepoint));
/// assert_eq!(
///     kind.target,
///     AttachTarget::Tracepoint { category: "sched".into(), name: "sched_process_exec".into() }
/// );
/// assert_eq!(SectionKind::of("my_own_section").prog_type, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionKind {
    /// Program type; None if the name follows no rule, and then whoever loads the program must say the type.
    pub prog_type: Option<ProgramType>,
    /// Expected attach type, where the name implies one.
    pub attach_type: Option<AttachType>,
    /// `BPF_F_*` flags to load with that the name implies (`BPF_F_SLEEPABLE`, `BPF_F_XDP_HAS_FRAGS`).
    pub prog_flags: u32,
    /// The expected attach type may be left out for a kernel that does not know it.
    pub attach_type_optional: bool,
    /// What it attaches to is named by a BTF id of the kernel when it is loaded.
    pub attach_btf: bool,
    /// Where to attach it.
    pub target: AttachTarget,
}

/// Where the section's name says that a program attaches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are the parts of the section's name")]
pub enum AttachTarget {
    /// Nowhere: the type has no such target, or it is for the caller to give.
    None,
    /// `tracepoint/CATEGORY/NAME`
    Tracepoint { category: String, name: String },
    /// `raw_tracepoint/NAME`
    RawTracepoint { name: String },
    /// `kprobe/FUNCTION+OFFSET`, `kretprobe/FUNCTION`
    Kprobe { function: String, offset: u64, retprobe: bool },
    /// `kprobe.multi/PATTERN` and its siblings
    KprobeMulti { pattern: String, retprobe: bool, session: bool },
    /// `ksyscall/NAME`, `kretsyscall/NAME`: the system call without the architecture's prefix
    Ksyscall { name: String, retprobe: bool },
    /// `uprobe/PATH:FUNCTION+OFFSET`; without a function the offset counts from the start of the file
    Uprobe { path: String, function: String, offset: u64, retprobe: bool },
    /// `uprobe.multi/PATH:PATTERN` and its siblings
    UprobeMulti { path: String, pattern: String, retprobe: bool, session: bool },
    /// `usdt/PATH:PROVIDER:NAME`
    Usdt { path: String, provider: String, name: String },
    /// `tp_btf/NAME`, `fentry/NAME`, `fexit/NAME`, `fmod_ret/NAME`, `freplace/NAME`, `lsm/NAME`: by BTF name
    Btf { name: String },
    /// `iter/NAME`
    Iter { name: String },
    /// `struct_ops/NAME`; which member a program implements is what the `struct_ops` variable says
    StructOps { name: String },
    /// What follows the section's name does not have the form that its type needs.
    Malformed { text: String, form: &'static str },
}

impl SectionKind {
    /// A kind that says nothing.
    pub const UNKNOWN: SectionKind = SectionKind {
        prog_type: None,
        attach_type: None,
        prog_flags: 0,
        attach_type_optional: false,
        attach_btf: false,
        target: AttachTarget::None,
    };

    /// What a section's name says. A leading `?` (not loaded unless asked for) is passed over.
    #[must_use]
    pub fn of(section: &str) -> SectionKind {
        let name = section.strip_prefix('?').unwrap_or(section);
        let Some(found) = sections::lookup(name) else { return SectionKind::UNKNOWN };
        let row = found.section;
        let mut prog_flags = 0;
        if row.flags.contains(SectionFlags::SLEEPABLE) {
            prog_flags |= BPF_F_SLEEPABLE;
        }
        if row.flags.contains(SectionFlags::XDP_FRAGS) {
            prog_flags |= BPF_F_XDP_HAS_FRAGS;
        }
        SectionKind {
            prog_type: Some(row.prog_type),
            attach_type: row.attach_type,
            prog_flags,
            attach_type_optional: row.flags.contains(SectionFlags::ATTACH_TYPE_OPTIONAL),
            attach_btf: row.flags.contains(SectionFlags::ATTACH_BTF),
            target: match found.extra {
                None | Some("") => AttachTarget::None,
                Some(extra) => target(row, extra),
            },
        }
    }

    /// Whether the program may sleep (`BPF_F_SLEEPABLE`).
    #[must_use]
    pub const fn is_sleepable(&self) -> bool {
        self.prog_flags & BPF_F_SLEEPABLE != 0
    }

    /// What libbpf before 1.0 took a section for whose name it only knew the beginning of, such as `xdp_filter` or
    /// `socket1`; None where even that says nothing. A loader may offer it for old objects.
    #[must_use]
    pub fn legacy_guess(section: &str) -> Option<ProgramType> {
        let name = section.strip_prefix('?').unwrap_or(section);
        sections::SECTIONS
            .iter()
            .filter(|row| name.starts_with(row.name))
            .max_by_key(|row| row.name.len())
            .map(|row| row.prog_type)
    }
}

fn target(row: &sections::Section, extra: &str) -> AttachTarget {
    let malformed = |form| AttachTarget::Malformed { text: extra.to_owned(), form };
    let retprobe = row.name.contains("ret");
    let session = row.name.contains("session");
    match row.auto_attach {
        Some(AutoAttach::Tracepoint) => match extra.split_once('/') {
            Some((category, name)) if !category.is_empty() && !name.is_empty() => {
                AttachTarget::Tracepoint { category: category.to_owned(), name: name.to_owned() }
            }
            _ => malformed("CATEGORY/NAME"),
        },
        Some(AutoAttach::RawTracepoint) => AttachTarget::RawTracepoint { name: extra.to_owned() },
        Some(AutoAttach::Kprobe) => match function_and_offset(extra) {
            Some((function, offset)) if !function.is_empty() && is_symbol(function, "") => {
                AttachTarget::Kprobe { function: function.to_owned(), offset, retprobe }
            }
            _ => malformed("FUNCTION or FUNCTION+OFFSET"),
        },
        Some(AutoAttach::KprobeMulti | AutoAttach::KprobeSession) => {
            if is_symbol(extra, "*?") {
                AttachTarget::KprobeMulti { pattern: extra.to_owned(), retprobe, session }
            } else {
                malformed("PATTERN of letters, digits, _, ., * and ?")
            }
        }
        Some(AutoAttach::Ksyscall) => AttachTarget::Ksyscall { name: extra.to_owned(), retprobe },
        // A path may hold colons; a symbol does not.
        Some(AutoAttach::Uprobe) => match extra.rsplit_once(':') {
            None => malformed("PATH:FUNCTION or PATH:FUNCTION+OFFSET"),
            Some((path, place)) => match function_and_offset(place) {
                Some((function, offset)) if !path.is_empty() => AttachTarget::Uprobe {
                    path: path.to_owned(),
                    function: function.to_owned(),
                    offset,
                    retprobe,
                },
                _ => malformed("PATH:FUNCTION or PATH:FUNCTION+OFFSET"),
            },
        },
        Some(AutoAttach::UprobeMulti) => match extra.rsplit_once(':') {
            Some((path, pattern)) if !path.is_empty() && !pattern.is_empty() => AttachTarget::UprobeMulti {
                path: path.to_owned(),
                pattern: pattern.to_owned(),
                retprobe,
                session,
            },
            _ => malformed("PATH:PATTERN"),
        },
        Some(AutoAttach::Usdt) => {
            let parts: Vec<&str> = extra.split(':').collect();
            match parts[..] {
                [path, provider, name] if !path.is_empty() && !provider.is_empty() && !name.is_empty() => {
                    AttachTarget::Usdt {
                        path: path.to_owned(),
                        provider: provider.to_owned(),
                        name: name.to_owned(),
                    }
                }
                _ => malformed("PATH:PROVIDER:NAME"),
            }
        }
        Some(AutoAttach::Iter) => AttachTarget::Iter { name: extra.to_owned() },
        Some(AutoAttach::Trace | AutoAttach::Lsm) => AttachTarget::Btf { name: extra.to_owned() },
        _ if row.prog_type == ProgramType::StructOps => AttachTarget::StructOps { name: extra.to_owned() },
        _ => AttachTarget::Btf { name: extra.to_owned() },
    }
}

/// `FUNCTION`, `FUNCTION+OFFSET`, or an offset alone; the offset decimal, or hexadecimal after `0x`.
fn function_and_offset(text: &str) -> Option<(&str, u64)> {
    let number = |text: &str| match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    match text.split_once('+') {
        Some((function, offset)) => Some((function, number(offset)?)),
        None if text.starts_with(|c: char| c.is_ascii_digit()) => Some(("", number(text)?)),
        None if text.is_empty() => None,
        None => Some((text, 0)),
    }
}

fn is_symbol(text: &str, more: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c) || more.contains(c))
}
