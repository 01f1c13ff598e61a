//! Links: programs put on hooks, which event sources fire.

use std::sync::{Arc, Mutex, PoisonError};

use skep_catalog::ProgramType;

use crate::error::{Errno, KernelError};
use crate::hook::EventSource;
use crate::kernel::{AttachPoint, Fd, LinkCreate, LinkInfo, Result};

use super::UserKernel;
use super::fds::Handle;
use super::object::{LinkObject, LinkState, ProgObject};

impl UserKernel {
    pub(super) fn create_link(&self, link: &LinkCreate) -> Result<Fd> {
        let program = self.fds.program(link.prog)?;
        let what = describe(&link.point);
        let wanted = program_types(&link.point);
        if !wanted.contains(&program.kind.prog_type) {
            return Err(wrong_type(&program, &what));
        }
        self.ask_sources(&link.point, &what)?;
        let state = Mutex::new(LinkState { program: Arc::clone(&program), attached: true });
        let object = self.links.create(|id| LinkObject {
            id,
            hooks: Arc::clone(&self.hooks),
            point: link.point.clone(),
            cookie: link.cookie,
            state,
        });
        let object = object.ok_or_else(|| KernelError::new(Errno::ENOSPC, "all link ids are in use"))?;
        object.attach(program);
        self.fds.open(Handle::Link(object))
    }

    /// Whether there is an event source that can observe the point.
    fn ask_sources(&self, point: &AttachPoint, what: &str) -> Result<()> {
        let sources: Vec<Arc<dyn EventSource>> =
            self.sources.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut refusal = None;
        for source in &sources {
            match source.offers(point) {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => drop(refusal.get_or_insert(error)),
                None => {}
            }
        }
        Err(refusal.unwrap_or_else(|| {
            let why = if sources.is_empty() {
                "the user-space kernel has no event source yet".to_owned()
            } else {
                format!(
                    "none of the {} event sources of the user-space kernel observes such points",
                    sources.len()
                )
            };
            KernelError::new(Errno::EOPNOTSUPP, format!("{what}: {why}; the linux target can attach there"))
        }))
    }

    /// Linux detaches fewer kinds of links than this kernel: not those of tracepoints and kprobes.
    pub(super) fn detach_link(&self, fd: Fd) -> Result<()> {
        let link = self.fds.link(fd)?;
        link.detach();
        Ok(())
    }

    pub(super) fn update_link(&self, fd: Fd, prog: Fd) -> Result<()> {
        let link = self.fds.link(fd)?;
        let program = self.fds.program(prog)?;
        let mut state = link.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.attached {
            return Err(KernelError::new(Errno::ENOLINK, "the link is detached"));
        }
        if state.program.kind != program.kind {
            return Err(wrong_type(&program, &describe(&link.point)));
        }
        link.attach(Arc::clone(&program));
        let before = std::mem::replace(&mut state.program, program);
        drop(state);
        drop(before);
        Ok(())
    }

    pub(super) fn info_of_link(&self, fd: Fd) -> Result<LinkInfo> {
        let link = self.fds.link(fd)?;
        let state = link.state.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(LinkInfo {
            id: link.id.number(),
            prog_id: state.program.id.number(),
            point: state.attached.then(|| link.point.clone()),
            cookie: link.cookie,
        })
    }
}

/// Types of the programs that can be attached to a point.
fn program_types(point: &AttachPoint) -> &'static [ProgramType] {
    match point {
        AttachPoint::Tracepoint { .. } => &[ProgramType::Tracepoint],
        AttachPoint::RawTracepoint { .. } => &[ProgramType::RawTracepoint],
        AttachPoint::Kprobe { .. } => &[ProgramType::Kprobe],
    }
}

fn wrong_type(program: &ProgObject, what: &str) -> KernelError {
    let (name, kind) = (&program.name, program.kind.prog_type.uapi_name());
    KernelError::new(Errno::EINVAL, format!("{what}: program {name} of type {kind} cannot be attached there"))
}

/// A point as section names spell it.
fn describe(point: &AttachPoint) -> String {
    match point {
        AttachPoint::Tracepoint { category, name } => format!("tracepoint/{category}/{name}"),
        AttachPoint::RawTracepoint { name } => format!("raw_tracepoint/{name}"),
        AttachPoint::Kprobe { symbol, offset: 0, retprobe: false } => format!("kprobe/{symbol}"),
        AttachPoint::Kprobe { symbol, offset, retprobe: false } => format!("kprobe/{symbol}+{offset:#x}"),
        AttachPoint::Kprobe { symbol, .. } => format!("kretprobe/{symbol}"),
    }
}
