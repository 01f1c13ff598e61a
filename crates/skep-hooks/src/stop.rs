//! Asking a session to end, from another thread or a signal handler.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::sys::Waker;

#[derive(Debug)]
struct Shared {
    requested: AtomicBool,
    waker: Waker,
}

/// Ends a [`Session`](crate::Session) early. Clones ask the same session.
#[derive(Clone, Debug)]
pub struct StopHandle {
    shared: Arc<Shared>,
}

impl StopHandle {
    /// For sessions of the calling thread.
    pub(crate) fn for_this_thread() -> io::Result<Self> {
        let shared = Shared { requested: AtomicBool::new(false), waker: Waker::for_this_thread()? };
        Ok(StopHandle { shared: Arc::new(shared) })
    }

    /// Asks the session to end soon: an attached process is let go and runs on; a started command, which cannot run
    /// without its tracer, is killed with its descendants. Returns at once, and may be called from a signal handler.
    pub fn stop(&self) {
        self.shared.requested.store(true, Ordering::SeqCst);
        self.shared.waker.arm();
    }

    /// Whether to end, and no more signals if so.
    pub(crate) fn is_requested(&self) -> bool {
        self.shared.requested.load(Ordering::Relaxed)
    }

    /// The request has been seen: the thread needs no more waking.
    pub(crate) fn acknowledge(&self) {
        self.shared.waker.disarm();
    }
}
