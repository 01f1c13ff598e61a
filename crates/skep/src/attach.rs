//! Attaching: what a program's section name says becomes a link.

use skep_kernel::{AttachPoint, Errno, KernelError, LinkCreate};
use skep_object::AttachTarget;

use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::load::{Loaded, LoadedProgram};

/// The symbol of a system call's function in kernels of this architecture begins so.
const SYSCALL_PREFIX: &str = if cfg!(target_arch = "aarch64") { "__arm64_sys_" } else { "__x64_sys_" };

/// An attached program. Detached when dropped.
#[derive(Debug)]
pub struct Link {
    /// Name of the program.
    pub program: String,
    /// Where it is attached.
    pub point: AttachPoint,
    /// The link.
    pub handle: Handle,
}

/// Where a program's section name says that it attaches, in the kernel's terms.
///
/// # Errors
/// `EOPNOTSUPP` or `EINVAL`, with what is missing.
pub fn attach_point(program: &LoadedProgram) -> Result<AttachPoint> {
    let refused = |errno, what: String| Error::Attach {
        program: program.name.clone(),
        section: program.section.clone(),
        source: KernelError::new(errno, what),
    };
    match &program.kind.target {
        AttachTarget::Tracepoint { category, name } => {
            Ok(AttachPoint::Tracepoint { category: category.clone(), name: name.clone() })
        }
        AttachTarget::RawTracepoint { name } => Ok(AttachPoint::RawTracepoint { name: name.clone() }),
        AttachTarget::Kprobe { function, offset, retprobe } => {
            Ok(AttachPoint::Kprobe { symbol: function.clone(), offset: *offset, retprobe: *retprobe })
        }
        AttachTarget::Ksyscall { name, retprobe } => {
            Ok(AttachPoint::Kprobe { symbol: format!("{SYSCALL_PREFIX}{name}"), offset: 0, retprobe: *retprobe })
        }
        AttachTarget::Malformed { text, form } => {
            Err(refused(Errno::EINVAL, format!("'{text}' does not say where: it must have the form {form}")))
        }
        AttachTarget::None => {
            let kind = program.kind.prog_type.map_or("these", |kind| kind.name());
            let what = format!(
                "{kind} programs attach to something that the section's name does not say (a device, a cgroup, a socket), \
                 and that is not supported"
            );
            Err(refused(Errno::EOPNOTSUPP, what))
        }
        _ => Err(refused(
            Errno::EOPNOTSUPP,
            "attaching programs of this kind is not supported; tracepoints, raw tracepoints and kprobes of system calls are"
                .into(),
        )),
    }
}

impl Loaded {
    /// Attaches every loaded program where its section's name says.
    ///
    /// # Errors
    /// [`Error::Attach`] for the first one that cannot be attached.
    pub fn attach_all(&mut self) -> Result<()> {
        for index in 0..self.programs.len() {
            self.attach(index)?;
        }
        Ok(())
    }

    /// Attaches one program, by index in [`Loaded::programs`], where its section's name says.
    ///
    /// # Errors
    /// [`Error::Attach`].
    pub fn attach(&mut self, index: usize) -> Result<&Link> {
        let point = attach_point(&self.programs[index])?;
        self.attach_at(index, point)
    }

    /// Attaches one program, by index in [`Loaded::programs`], at a point of your choice.
    ///
    /// # Errors
    /// [`Error::Attach`].
    pub fn attach_at(&mut self, index: usize, point: AttachPoint) -> Result<&Link> {
        let program = &self.programs[index];
        let create = LinkCreate { prog: program.handle.fd(), point: point.clone(), cookie: 0 };
        let fd = self.kernel().link_create(&create).map_err(|source| Error::Attach {
            program: program.name.clone(),
            section: program.section.clone(),
            source,
        })?;
        let link = Link { program: program.name.clone(), point, handle: Handle::new(self.kernel(), fd) };
        Ok(self.links.push_mut(link))
    }

    /// Detaches everything.
    pub fn detach_all(&mut self) {
        self.links.clear();
    }
}
