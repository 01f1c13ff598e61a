//! Descriptors that close themselves.

use std::fmt;
use std::sync::Arc;

use skep_kernel::{Fd, Kernel};

/// A reference to an object of a kernel: given back when dropped.
pub struct Handle {
    kernel: Arc<dyn Kernel>,
    fd: Fd,
}

impl Handle {
    /// Takes over a descriptor.
    pub fn new(kernel: &Arc<dyn Kernel>, fd: Fd) -> Self {
        Handle { kernel: Arc::clone(kernel), fd }
    }

    /// The descriptor, valid as long as the handle lives.
    #[must_use]
    pub fn fd(&self) -> Fd {
        self.fd
    }

    /// Its kernel.
    #[must_use]
    pub fn kernel(&self) -> &Arc<dyn Kernel> {
        &self.kernel
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // A descriptor of our own can always be closed; nobody could be told if not.
        let _ = self.kernel.close(self.fd);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({}, {})", self.kernel.target_name(), self.fd.0)
    }
}
