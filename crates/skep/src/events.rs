//! What programs send to user space while they run: trace-pipe lines and ring-buffer records.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use skep_kernel::{KernelError, RingReader, TracePipe};

/// How long a reader waits before it looks whether it should end.
const WAIT: Duration = Duration::from_millis(50);

/// Something a program sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A line of `bpf_trace_printk`, as `trace_pipe` gives it, without its newline.
    Trace(&'a str),
    /// A record of a ring buffer.
    Record {
        /// Index of the map in [`Loaded::maps`](crate::Loaded::maps).
        map: usize,
        /// Its bytes.
        data: &'a [u8],
    },
}

/// Readers of everything that the programs of an object send.
#[derive(Default)]
pub struct Events {
    trace: Option<Box<dyn TracePipe>>,
    rings: Vec<(usize, Box<dyn RingReader>)>,
}

impl Events {
    /// Reads nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a trace pipe too.
    pub fn add_trace(&mut self, pipe: Box<dyn TracePipe>) {
        self.trace = Some(pipe);
    }

    /// Reads a ring buffer too: the map with this index.
    pub fn add_ring(&mut self, map: usize, reader: Box<dyn RingReader>) {
        self.rings.push((map, reader));
    }

    /// Runs `work` and meanwhile hands every event to `each`, from other threads, one thread a source, as soon as it is
    /// there. When `work` is done, what was sent until then is still handed over; then its result is returned.
    ///
    /// # Errors
    /// The first error of a reader.
    pub fn during<R>(
        self,
        each: &(dyn Fn(Event<'_>) + Sync),
        work: impl FnOnce() -> R,
    ) -> Result<R, KernelError> {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let mut readers = Vec::new();
            if let Some(pipe) = self.trace {
                readers.push(scope.spawn(|| read_trace(pipe, &done, each)));
            }
            for (map, reader) in self.rings {
                let done = &done;
                readers.push(scope.spawn(move || read_ring(map, reader, done, each)));
            }
            // The readers must end also when the work panics: the scope waits for them.
            let finished = SetOnDrop(&done);
            let result = work();
            drop(finished);
            for reader in readers {
                reader.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            }
            Ok(result)
        })
    }
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn read_trace(
    mut pipe: Box<dyn TracePipe>,
    done: &AtomicBool,
    each: &dyn Fn(Event<'_>),
) -> Result<(), KernelError> {
    loop {
        // Asked before reading: what was written before the end is still read.
        let last = done.load(Ordering::Acquire);
        let mut wait = if last { Duration::ZERO } else { WAIT };
        while let Some(line) = pipe.next_line(wait)? {
            each(Event::Trace(&line));
            wait = Duration::ZERO;
        }
        if last {
            return Ok(());
        }
    }
}

fn read_ring(
    map: usize,
    mut reader: Box<dyn RingReader>,
    done: &AtomicBool,
    each: &dyn Fn(Event<'_>),
) -> Result<(), KernelError> {
    loop {
        let last = done.load(Ordering::Acquire);
        while reader.consume(&mut |data| each(Event::Record { map, data }))? > 0 {}
        if last {
            return Ok(());
        }
        reader.wait(WAIT)?;
    }
}
