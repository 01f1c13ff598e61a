//! Links: attaching programs to tracepoints, raw tracepoints and kprobes.

use std::os::fd::{AsFd, OwnedFd};

use skep_catalog::{AttachType, Command, LinkType};
use skep_kernel::{AttachPoint, Errno, Fd, KernelError, LinkCreate, LinkInfo, ObjectKind, Result};

use crate::explain::refused;
use crate::objects::{c_string, name_from};
use crate::sys::{address, address_mut, errno, raw};
use crate::{LinuxKernel, attr, sys, tracefs};

/// `PERF_TYPE_TRACEPOINT`.
const PERF_TYPE_TRACEPOINT: u32 = 2;
/// The bit `disabled` of `perf_event_attr`: not counting until it is enabled.
const PERF_DISABLED: u64 = 1;
/// The kernel's kprobes as a source of perf events: its type number, and the bit that asks for return probes.
const KPROBE_TYPE: &str = "/sys/bus/event_source/devices/kprobe/type";
const KPROBE_RETPROBE: &str = "/sys/bus/event_source/devices/kprobe/format/retprobe";

impl LinuxKernel {
    pub(crate) fn create_link(&self, link: &LinkCreate) -> Result<Fd> {
        let fd = match &link.point {
            AttachPoint::Tracepoint { category, name } => {
                let event = open_tracepoint(category, name)?;
                self.link_perf_event(link, event)?
            }
            AttachPoint::RawTracepoint { name } => self.link_raw_tracepoint(link, name)?,
            AttachPoint::Kprobe { symbol, offset, retprobe } => {
                let event = open_kprobe(symbol, *offset, *retprobe)?;
                self.link_perf_event(link, event)?
            }
            other => {
                let what =
                    format!("attaching to {other:?}: the target `linux` does not know this attach mechanism");
                return Err(KernelError::new(Errno::EOPNOTSUPP, what));
            }
        };
        Ok(self.fds.insert(fd, ObjectKind::Link))
    }

    /// `BPF_LINK_CREATE` on a perf event, which the link then keeps.
    fn link_perf_event(&self, link: &LinkCreate, event: OwnedFd) -> Result<OwnedFd> {
        let prog = self.fds.get(link.prog, ObjectKind::Program)?;
        let mut request = attr::LinkCreatePerf {
            prog_fd: raw(prog.as_fd()),
            target_fd: raw(event.as_fd()),
            attach_type: AttachType::PerfEvent.number(),
            bpf_cookie: link.cookie,
            ..attr::LinkCreatePerf::default()
        };
        let error = |errno| refused(Command::LinkCreate, errno, describe(link));
        // SAFETY: the structure of the command, which holds no addresses and gives a descriptor.
        let fd = unsafe { sys::bpf_fd(Command::LinkCreate, &mut request) }.map_err(error)?;
        sys::perf_event_enable(event.as_fd()).map_err(error)?;
        Ok(fd)
    }

    fn link_raw_tracepoint(&self, link: &LinkCreate, name: &str) -> Result<OwnedFd> {
        let prog = self.fds.get(link.prog, ObjectKind::Program)?;
        let name = c_string(name.as_bytes())?;
        let mut request = attr::RawTracepointOpen {
            name: address(name.as_bytes_with_nul()),
            prog_fd: raw(prog.as_fd()),
            cookie: link.cookie,
            ..attr::RawTracepointOpen::default()
        };
        // SAFETY: the name is a zero-terminated string; the command gives a descriptor.
        let fd = unsafe { sys::bpf_fd(Command::RawTracepointOpen, &mut request) };
        fd.map_err(|errno| refused(Command::RawTracepointOpen, errno, describe(link)))
    }

    pub(crate) fn detach_link(&self, link: Fd) -> Result<()> {
        let object = self.fds.get(link, ObjectKind::Link)?;
        let mut request = attr::LinkUpdate { link_fd: raw(object.as_fd()), ..attr::LinkUpdate::default() };
        // SAFETY: the command takes just the descriptor.
        let done = unsafe { sys::bpf(Command::LinkDetach, &mut request) };
        done.map(drop).map_err(|errno| {
            refused(Command::LinkDetach, errno, format!("detaching the link with descriptor {}", link.0))
        })
    }

    pub(crate) fn update_link(&self, link: Fd, prog: Fd) -> Result<()> {
        let object = self.fds.get(link, ObjectKind::Link)?;
        let program = self.fds.get(prog, ObjectKind::Program)?;
        let mut request = attr::LinkUpdate {
            link_fd: raw(object.as_fd()),
            new_prog_fd: raw(program.as_fd()),
            ..attr::LinkUpdate::default()
        };
        // SAFETY: the structure of the command, which holds no addresses.
        let done = unsafe { sys::bpf(Command::LinkUpdate, &mut request) };
        done.map(drop).map_err(|errno| {
            let what = format!(
                "putting the program with descriptor {} into the link with descriptor {}",
                prog.0, link.0
            );
            refused(Command::LinkUpdate, errno, what)
        })
    }

    pub(crate) fn info_of_link(&self, link: Fd) -> Result<LinkInfo> {
        let object = self.fds.get(link, ObjectKind::Link)?;
        let error = |errno| {
            refused(
                Command::ObjGetInfoByFd,
                errno,
                format!("asking about the link with descriptor {}", link.0),
            )
        };
        let mut info = attr::RawTracepointLinkInfo::default();
        // SAFETY: the structure of links; without a buffer the kernel writes no name.
        unsafe { sys::info(object.as_fd(), &mut info) }.map_err(error)?;
        let (id, prog_id) = (info.id, info.prog_id);
        let mut name = [0_u8; 256];
        let (point, cookie) = match LinkType::from_number(info.link_type) {
            Some(LinkType::RawTracepoint) => {
                let mut info = attr::RawTracepointLinkInfo {
                    tp_name: address_mut(&mut name),
                    tp_name_len: name.len() as u32,
                    ..attr::RawTracepointLinkInfo::default()
                };
                // SAFETY: the structure of this kind of link; the buffer has the length that is given.
                unsafe { sys::info(object.as_fd(), &mut info) }.map_err(error)?;
                (Some(AttachPoint::RawTracepoint { name: name_from(&name) }), info.cookie)
            }
            Some(LinkType::PerfEvent) => {
                let mut info = attr::PerfLinkInfo {
                    name: address_mut(&mut name),
                    name_len: name.len() as u32,
                    ..attr::PerfLinkInfo::default()
                };
                // SAFETY: the structure of this kind of link; the buffer has the length that is given.
                unsafe { sys::info(object.as_fd(), &mut info) }.map_err(error)?;
                perf_point(&info, name_from(&name))
            }
            _ => (None, 0),
        };
        Ok(LinkInfo { id, prog_id, point, cookie })
    }
}

/// Where a perf event link is attached, and its cookie. Before Linux 6.6 the kernel does not say.
fn perf_point(info: &attr::PerfLinkInfo, name: String) -> (Option<AttachPoint>, u64) {
    // enum bpf_perf_event_type.
    const KPROBE: u32 = 3;
    const KRETPROBE: u32 = 4;
    const TRACEPOINT: u32 = 5;
    match info.kind {
        KPROBE | KRETPROBE => {
            let retprobe = info.kind == KRETPROBE;
            let point = AttachPoint::Kprobe { symbol: name, offset: info.offset.into(), retprobe };
            (Some(point), info.kprobe_cookie)
        }
        TRACEPOINT => {
            // The kernel gives the event's name alone.
            let category = tracefs::category_of(&name).unwrap_or_default();
            (Some(AttachPoint::Tracepoint { category, name }), info.addr_or_cookie)
        }
        _ => (None, 0),
    }
}

fn describe(link: &LinkCreate) -> String {
    let point = match &link.point {
        AttachPoint::Tracepoint { category, name } => format!("tracepoint {category}/{name}"),
        AttachPoint::RawTracepoint { name } => format!("raw tracepoint {name}"),
        AttachPoint::Kprobe { symbol, offset, retprobe } => {
            let kind = if *retprobe { "kretprobe" } else { "kprobe" };
            format!("{kind} {symbol}+{offset}")
        }
        other => format!("{other:?}"),
    };
    format!("attaching the program with descriptor {} to {point}", link.prog.0)
}

fn open_tracepoint(category: &str, name: &str) -> Result<OwnedFd> {
    let id = tracefs::tracepoint_id(category, name)?;
    let mut event = attr::PerfEventAttr {
        event_type: PERF_TYPE_TRACEPOINT,
        config: id,
        flags: PERF_DISABLED,
        ..attr::PerfEventAttr::default()
    };
    // The program runs for events on all CPUs, whichever the perf event is for.
    // SAFETY: the structure holds no addresses.
    unsafe { sys::perf_event_open(&mut event, 0) }.map_err(|errno| {
        perf_refused(errno, &format!("opening tracepoint {category}/{name} as a perf event"))
    })
}

fn open_kprobe(symbol: &str, offset: u64, retprobe: bool) -> Result<OwnedFd> {
    let what = format!("opening a {} on {symbol}+{offset}", if retprobe { "kretprobe" } else { "kprobe" });
    let read = |path: &str| {
        std::fs::read_to_string(path).map_err(|error| {
            let why = if errno(&error) == Errno::ENOENT {
                "this kernel is built without kprobes (CONFIG_KPROBE_EVENTS), or is older than Linux 4.17; a \
                 tracepoint may offer the same event"
            } else {
                "it cannot be read"
            };
            KernelError::new(errno(&error), format!("{what}: {path}: {why}"))
        })
    };
    let malformed =
        |path: &str| KernelError::new(Errno::EINVAL, format!("{what}: {path} has an unexpected form"));
    let event_type = read(KPROBE_TYPE)?.trim().parse().map_err(|_| malformed(KPROBE_TYPE))?;
    let config = if retprobe {
        let format = read(KPROBE_RETPROBE)?;
        let bit = format.trim().strip_prefix("config:").and_then(|bit| bit.parse::<u32>().ok());
        bit.and_then(|bit| 1_u64.checked_shl(bit)).ok_or_else(|| malformed(KPROBE_RETPROBE))?
    } else {
        0
    };
    let symbol = c_string(symbol.as_bytes())?;
    let mut event = attr::PerfEventAttr {
        event_type,
        config,
        config1: address(symbol.as_bytes_with_nul()),
        config2: offset,
        flags: PERF_DISABLED,
        ..attr::PerfEventAttr::default()
    };
    // SAFETY: the name of the function is a zero-terminated string.
    unsafe { sys::perf_event_open(&mut event, 0) }.map_err(|errno| perf_refused(errno, &what))
}

fn perf_refused(errno: Errno, what: &str) -> KernelError {
    let cause = match errno {
        Errno::EPERM | Errno::EACCES => {
            "needs the capability CAP_PERFMON, or root, or a lower kernel.perf_event_paranoid; the target `user` needs \
             no privileges"
        }
        Errno::ENOENT | Errno::ENODEV => "there is no such function or event in this kernel",
        Errno::EINVAL => "the kernel cannot put a probe there",
        Errno::EOPNOTSUPP => "this kernel does not support the event",
        Errno::ENOSYS => "this kernel is built without perf events",
        _ => "perf_event_open failed",
    };
    KernelError::new(errno, format!("{what}: {cause}"))
}
