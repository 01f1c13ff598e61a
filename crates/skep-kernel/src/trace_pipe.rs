//! The trace pipe: lines of `bpf_trace_printk`, from many programs to any number of readers in the process.
//!
//! A line looks as in the kernel's `trace_pipe`:
//!
//! ```text
//!             bash-1234    [000] .....  5025.123456: bpf_trace_printk: Hello, BPF World!
//! ```
//!
//! thread name right-aligned in 16 columns, `-`, thread id left-aligned in 7, virtual CPU, five flags (interrupts, need
//! to reschedule, interrupt context, preemption depth, migration), seconds and microseconds since boot
//! (`CLOCK_MONOTONIC`), the event's name, and the text. The flags are all dots: programs run in an ordinary thread. Text
//! that contains line ends makes lines of its own, as in the kernel, where text that ends in one is followed by an empty line.
//! A reader that was too slow gets a line `CPU:0 [LOST 17 EVENTS]` in the place of what it missed.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::kernel::{Result, TracePipe};

/// Bytes that a buffer holds unless said otherwise, about what Linux gives each CPU (`buffer_size_kb`).
const DEFAULT_LIMIT: usize = 1408 << 10;

/// The bounded buffer behind trace pipes: each reader sees what is printed after it was made.
pub struct TraceBuffer {
    state: Mutex<State>,
    arrived: Condvar,
    limit: usize,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Box<str>>,
    /// Number of the first line in `lines`.
    first: u64,
    /// Bytes in `lines`.
    bytes: usize,
    readers: usize,
}

impl Default for TraceBuffer {
    fn default() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }
}

impl TraceBuffer {
    /// A buffer that keeps at most `limit` bytes of lines for its readers; one line always fits.
    #[must_use]
    pub fn with_limit(limit: usize) -> TraceBuffer {
        TraceBuffer { state: Mutex::default(), arrived: Condvar::new(), limit }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader of what is printed from now on.
    #[must_use]
    pub fn reader(self: &Arc<Self>) -> TraceReader {
        let mut state = self.lock();
        state.readers += 1;
        let next = state.first + state.lines.len() as u64;
        TraceReader { buffer: Arc::clone(self), next }
    }

    /// Whether anybody reads. Nothing is kept while nobody does.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.lock().readers > 0
    }

    /// Prints `text` on behalf of a thread: `comm` is its name padded with zeroes, `tid` its id, `since_boot` the time.
    pub fn print(&self, comm: &[u8; 16], tid: u32, cpu: u32, since_boot: Duration, text: &str) {
        let mut state = self.lock();
        if state.readers == 0 {
            return;
        }
        let name = comm.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        let mut line = String::with_capacity(64 + text.len());
        // Writing to a String cannot fail.
        let _ = write!(
            line,
            "{name:>16}-{tid:<7} [{cpu:03}] ..... {:5}.{:06}: bpf_trace_printk: {text}",
            since_boot.as_secs(),
            since_boot.subsec_micros()
        );
        for part in line.split('\n') {
            state.push(part, self.limit);
        }
        drop(state);
        self.arrived.notify_all();
    }
}

/// What keeping a line takes: empty ones take memory too.
fn held_bytes(line: &str) -> usize {
    line.len() + size_of::<Box<str>>()
}

impl State {
    fn push(&mut self, line: &str, limit: usize) {
        self.bytes += held_bytes(line);
        self.lines.push_back(line.into());
        while self.bytes > limit && self.lines.len() > 1 {
            if let Some(lost) = self.lines.pop_front() {
                self.bytes -= held_bytes(&lost);
                self.first += 1;
            }
        }
    }
}

/// One reader of a [`TraceBuffer`].
pub struct TraceReader {
    buffer: Arc<TraceBuffer>,
    next: u64,
}

impl TracePipe for TraceReader {
    fn next_line(&mut self, timeout: Duration) -> Result<Option<String>> {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.buffer.lock();
        loop {
            if self.next < state.first {
                let lost = state.first - self.next;
                self.next = state.first;
                return Ok(Some(format!("CPU:0 [LOST {lost} EVENTS]")));
            }
            if let Some(line) = state.lines.get((self.next - state.first) as usize) {
                self.next += 1;
                return Ok(Some(line.to_string()));
            }
            // A time beyond what the clock can say waits as long as a day at once.
            let left = deadline
                .map_or(Duration::from_secs(86_400), |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(None);
            }
            let waited = self.buffer.arrived.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for TraceReader {
    fn drop(&mut self) {
        let mut state = self.buffer.lock();
        state.readers -= 1;
        if state.readers == 0 {
            state.first += state.lines.len() as u64;
            state.lines.clear();
            state.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(buffer: &TraceBuffer, text: &str) {
        buffer.print(b"bash\0\0\0\0\0\0\0\0\0\0\0\0", 1234, 1, Duration::new(1461, 966_894_999), text);
    }

    fn drain(reader: &mut TraceReader) -> Vec<String> {
        std::iter::from_fn(|| reader.next_line(Duration::ZERO).unwrap()).collect()
    }

    #[test]
    fn a_line_has_the_kernels_columns() {
        let buffer = Arc::new(TraceBuffer::default());
        let mut reader = buffer.reader();
        print(&buffer, "hi 42");
        assert_eq!(
            drain(&mut reader),
            ["            bash-1234    [001] .....  1461.966894: bpf_trace_printk: hi 42"]
        );
    }

    #[test]
    fn line_ends_in_the_text_make_lines() {
        let buffer = Arc::new(TraceBuffer::default());
        let mut reader = buffer.reader();
        print(&buffer, "a\nb\n");
        let lines = drain(&mut reader);
        assert!(lines[0].ends_with(": a"));
        assert_eq!(lines[1..], ["b", ""]);
    }

    #[test]
    fn each_reader_sees_all_that_is_printed_after_it_was_made() {
        let buffer = Arc::new(TraceBuffer::default());
        let mut early = buffer.reader();
        print(&buffer, "one");
        let mut late = buffer.reader();
        print(&buffer, "two");
        assert_eq!(drain(&mut early).len(), 2);
        assert_eq!(drain(&mut late).len(), 1);
    }

    #[test]
    fn what_a_slow_reader_missed_is_counted() {
        let buffer = Arc::new(TraceBuffer::with_limit(200));
        let mut reader = buffer.reader();
        for number in 0..10 {
            print(&buffer, &format!("line {number}"));
        }
        let lines = drain(&mut reader);
        assert_eq!(lines[0], "CPU:0 [LOST 8 EVENTS]");
        assert!(lines[1].ends_with("line 8") && lines[2].ends_with("line 9") && lines.len() == 3);
    }

    #[test]
    fn empty_lines_take_room_too() {
        let buffer = Arc::new(TraceBuffer::with_limit(1000));
        let _reader = buffer.reader();
        for _ in 0..100 {
            print(&buffer, &"\n".repeat(1000));
        }
        let held = buffer.lock().lines.len();
        assert!(held < 100, "{held} lines in 1000 bytes");
    }

    #[test]
    fn a_waiting_reader_is_woken() {
        let buffer = Arc::new(TraceBuffer::default());
        let mut reader = buffer.reader();
        let writer = Arc::clone(&buffer);
        let thread = std::thread::spawn(move || print(&writer, "hello"));
        let line = reader.next_line(Duration::from_secs(60)).unwrap().unwrap();
        assert!(line.ends_with("hello"));
        thread.join().unwrap();
    }
}
