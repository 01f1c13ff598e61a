//! One run of a program: its frames, the memory it may touch, what it holds.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use skep_maps::{Map, RingBuffer};

use super::context::ContextRule;
use super::fault::{Access, FaultKind};
use super::memory::{
    Hits, MAX_FRAMES, Region, RegionKind, StackMemory, copy_in, copy_out, load8, load16, load32, load64,
    store8, store16, store32, store64,
};
use super::op::Op;
use crate::program::Program;
use crate::run::RunContext;

/// What a step answers. Faults are boxed so that good steps stay small.
pub(crate) type Step<T> = Result<T, Box<FaultKind>>;

/// Tail calls in one run (Linux: `MAX_TAIL_CALL_CNT`).
const MAX_TAIL_CALLS: u32 = 33;
/// Instructions between two looks at the stop flag.
const SLICE: u64 = 1 << 16;
/// Bytes that one access of a helper must stay below (Linux: `BPF_MAX_VAR_SIZ`).
const MAX_ACCESS: u64 = 1 << 29;

/// How a run is bounded, and the packet it works on.
pub struct RunOptions<'a> {
    /// Instructions after which the run is stopped with [`FaultKind::Budget`]. Straight-line code is counted when a jump goes
    /// back or a subprogram is called, by the length of the code passed or called. Helpers count for as many instructions as
    /// take the time that their work takes, about: copying costs one for each 8 bytes.
    pub budget: u64,
    /// Set from outside to stop the run with [`FaultKind::Stopped`].
    pub stop: Option<&'a AtomicBool>,
}

impl RunOptions<'_> {
    /// Instructions that a run may take unless said otherwise: 2²⁸, about half a second.
    pub const DEFAULT_BUDGET: u64 = 1 << 28;
}

impl Default for RunOptions<'_> {
    fn default() -> Self {
        RunOptions { budget: Self::DEFAULT_BUDGET, stop: None }
    }
}

/// The packet of a test run: its bytes lie inside `buffer`, with room before them.
pub(crate) struct Packet {
    /// Headroom, packet, tailroom.
    pub(crate) buffer: Box<[u8]>,
    /// Offset of the first byte (`data`).
    pub(crate) start: usize,
    /// Offset one past the last byte (`data_end`).
    pub(crate) end: usize,
    /// Offset of the metadata (`data_meta`), at most `start`.
    pub(crate) meta: usize,
    /// Offset of the first byte that legacy loads see (the link-layer header).
    pub(crate) mac: usize,
    /// The program may write it directly.
    pub(crate) writable: bool,
}

impl Packet {
    pub(crate) fn address(&self, offset: usize) -> u64 {
        self.buffer.as_ptr() as u64 + offset as u64
    }

    fn region(&self) -> Region {
        Region {
            start: self.address(self.meta),
            len: (self.end - self.meta) as u64,
            writable: self.writable,
            kind: RegionKind::Packet,
        }
    }
}

/// What happens when a frame's function returns.
pub(super) enum Resume {
    /// The caller goes on with R0.
    Call,
    /// `bpf_loop` looks whether to call again.
    Loop { callback: *const Op, cost: i64, next: u64, count: u64, context: u64 },
    /// `bpf_for_each_map_elem` goes to the next element.
    Elements(Box<Elements>),
}

/// The elements that `bpf_for_each_map_elem` visits, some at a time: keys copied, values by address.
pub(super) struct Elements {
    pub(super) callback: *const Op,
    /// What one call takes from the run's budget.
    pub(super) cost: i64,
    pub(super) context: u64,
    pub(super) map: u64,
    pub(super) object: Arc<dyn Map>,
    pub(super) keys: Vec<u8>,
    pub(super) values: Vec<u64>,
    /// The next one of these.
    pub(super) next: usize,
    /// Calls so far.
    pub(super) visited: u64,
    /// Where the map's walk goes on; None after its end.
    pub(super) position: Option<u64>,
}

/// A caller that waits for its callee.
pub(super) struct Frame {
    pub(super) return_to: *const Op,
    pub(super) program: *const Program,
    /// R6 to R10.
    pub(super) saved: [u64; 5],
    pub(super) may_goto: u64,
    /// Frames that were there when its program was entered.
    pub(super) entered_at: usize,
    pub(super) resume: Resume,
}

/// A ring buffer record that the program holds.
pub(crate) struct Record {
    pub(crate) ring: Arc<RingBuffer>,
    pub(crate) region: Region,
}

/// Memory that runs use again and again.
struct Scratch {
    stack: StackMemory,
    frames: Vec<Frame>,
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// One run.
pub(crate) struct Run<'r, 'c> {
    /// What the event source gave.
    pub(crate) context: &'r mut RunContext<'c>,
    /// The packet, in test runs of packet programs.
    pub(crate) packet: Option<&'r mut Packet>,
    /// How the context may be accessed.
    rule: ContextRule,
    context_region: Region,
    program: *const Program,
    /// Programs that tail calls led to: kept until the run ends.
    held: Vec<Arc<Program>>,
    pub(super) hits: Hits,
    scratch: Option<Box<Scratch>>,
    /// Frames beyond those of `scratch`, which tail calls out of subprograms can need.
    deep: Vec<StackMemory>,
    pub(super) entered_at: usize,
    tail_calls: u32,
    /// Instructions until the next look at budget and stop flag.
    pub(super) fuel: i64,
    remaining: u64,
    options: &'r RunOptions<'r>,
    /// The lock that the program holds.
    pub(crate) lock: Option<u64>,
    /// Ring buffer records that it holds.
    pub(crate) records: Vec<Record>,
    /// The operation that faulted.
    pub(super) at: *const Op,
}

impl<'r, 'c> Run<'r, 'c> {
    pub(crate) fn new(
        program: &'r Program,
        context: &'r mut RunContext<'c>,
        packet: Option<&'r mut Packet>,
        options: &'r RunOptions<'r>,
    ) -> Run<'r, 'c> {
        let scratch = SCRATCH.take().unwrap_or_else(|| {
            Box::new(Scratch { stack: StackMemory::new(MAX_FRAMES), frames: Vec::with_capacity(MAX_FRAMES) })
        });
        let rule = ContextRule::of(program.prog_type(), program.expected_attach_type(), packet.is_some());
        let context_region = Region::of(context.ctx, rule.writable(), RegionKind::Context);
        let mut run = Run {
            hits: Hits::new(scratch.stack.start()),
            context,
            packet,
            rule,
            context_region,
            program,
            held: Vec::new(),
            scratch: Some(scratch),
            deep: Vec::new(),
            entered_at: 0,
            tail_calls: 0,
            fuel: 0,
            remaining: options.budget,
            options,
            lock: None,
            records: Vec::new(),
            at: std::ptr::null(),
        };
        // Cannot fail: there is a flag to look at only after the first slice, and the budget may be 0 but not negative.
        run.next_slice();
        run
    }

    /// The program that runs now.
    #[inline]
    pub(crate) fn program(&self) -> &Program {
        // SAFETY: the program that was started outlives the run; programs that tail calls led to are in `held`.
        unsafe { &*self.program }
    }

    pub(crate) fn program_pointer(&self) -> *const Program {
        self.program
    }

    pub(super) fn set_program(&mut self, program: *const Program) {
        self.program = program;
    }

    fn next_slice(&mut self) {
        let slice = if self.options.stop.is_some() { self.remaining.min(SLICE) } else { self.remaining };
        let slice = slice.min(i64::MAX as u64);
        self.remaining -= slice;
        // What the last slice overdrew counts against the next.
        self.fuel = self.fuel.min(0).saturating_add(slice.cast_signed());
    }

    /// The fuel is used up: looks at budget and stop flag.
    #[cold]
    pub(super) fn refuel(&mut self) -> Step<()> {
        if self.options.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return Err(Box::new(FaultKind::Stopped));
        }
        while self.fuel < 0 {
            if self.remaining == 0 {
                return Err(Box::new(FaultKind::Budget(self.options.budget)));
            }
            self.next_slice();
        }
        Ok(())
    }

    /// Takes `cost` instructions from the budget: for helpers that wait.
    pub(crate) fn spend(&mut self, cost: u64) -> Step<()> {
        self.burn(cost);
        if self.fuel < 0 { self.refuel() } else { Ok(()) }
    }

    /// Takes `cost` instructions from the budget, which may be overdrawn until the helper that works so much has returned.
    #[inline]
    pub(crate) fn burn(&mut self, cost: u64) {
        self.fuel = self.fuel.saturating_sub_unsigned(cost);
    }

    /// What looking through all that the run may touch costs.
    fn search_cost(&self) -> u64 {
        16 + self.all_maps().count() as u64 + self.records.len() as u64 / 8
    }

    // Frames.

    pub(super) fn frames(&mut self) -> &mut Vec<Frame> {
        // `scratch` is there from `new` to `drop`.
        &mut self.scratch.get_or_insert_with(new_scratch).frames
    }

    /// Number of frames that wait below the running one.
    pub(super) fn depth(&self) -> usize {
        self.scratch.as_ref().map_or(0, |scratch| scratch.frames.len())
    }

    /// Makes the frame at the current depth ready and gives the value of R10.
    pub(super) fn enter_frame(&mut self) -> u64 {
        let depth = self.depth();
        self.hits.set_frames((depth + 1).min(MAX_FRAMES));
        let scratch = self.scratch.get_or_insert_with(new_scratch);
        match depth.checked_sub(MAX_FRAMES) {
            None => scratch.stack.enter(depth),
            Some(deep) => {
                while self.deep.len() <= deep {
                    self.deep.push(StackMemory::new(1));
                }
                self.deep[deep].enter(0)
            }
        }
    }

    /// The frame above the current depth is gone.
    pub(super) fn leave_frame(&mut self) {
        let depth = self.depth();
        self.hits.set_frames((depth + 1).min(MAX_FRAMES));
        if depth + 1 >= MAX_FRAMES && !self.deep.is_empty() {
            self.deep.truncate((depth + 1).saturating_sub(MAX_FRAMES));
            self.hits.forget();
        }
    }

    pub(super) fn check_depth(&self) -> Step<()> {
        if self.depth() + 1 - self.entered_at < MAX_FRAMES {
            Ok(())
        } else {
            Err(Box::new(FaultKind::CallDepth))
        }
    }

    /// `bpf_tail_call`: the program to go on with, unless the call fails.
    pub(super) fn tail_call(&mut self, map: u64, index: u64) -> Step<Option<*const Program>> {
        let map = self.map("tail_call", 2, map)?;
        let Some(array) = map.prog_array() else {
            return Err(argument("tail_call", 2, "is not a program array"));
        };
        let index = index as u32;
        if self.tail_calls >= MAX_TAIL_CALLS {
            return Ok(None);
        }
        let Some(program) = Program::from_slot(array, index) else { return Ok(None) };
        self.tail_calls += 1;
        let pointer = Arc::as_ptr(&program);
        if !self.held.iter().any(|held| Arc::ptr_eq(held, &program)) {
            self.held.push(program);
        }
        Ok(Some(pointer))
    }

    // Maps.

    /// The map that an argument points to.
    pub(crate) fn map(&self, helper: &'static str, arg: u8, addr: u64) -> Step<&'r Arc<dyn Map>> {
        // SAFETY: as in `program`. A program that a tail call led to lives until the run ends, and nothing that helpers do with
        // a map outlives the run.
        let program = unsafe { &*self.program };
        let maps = program.maps();
        let offset = addr.wrapping_sub(maps.as_ptr() as u64);
        let size = size_of::<Arc<dyn Map>>() as u64;
        let index = (offset / size) as usize;
        match maps.get(index) {
            Some(map) if offset.is_multiple_of(size) && program.names(index) => Ok(map),
            _ => Err(argument(helper, arg, format!("{addr:#x} is not the address of a map"))),
        }
    }

    // Memory.

    /// The region that all of an access lies in.
    #[cold]
    fn find(&self, addr: u64, size: u64, access: Access) -> Step<Region> {
        let fault = |near: String| Box::new(FaultKind::Memory { addr, size, access, near });
        if let Some(region) = self.regions().find(|region| region.holds(addr, size)) {
            if access != Access::Read && !region.writable {
                return Err(fault(format!("{} is read-only", region.kind.describe())));
            }
            if region.kind == RegionKind::KernelMemory && !self.program().reads_kernel_memory() {
                return Err(fault(region.kind.describe().to_owned()));
            }
            return Ok(region);
        }
        for map in self.all_maps() {
            let Some(value) = map.value_at(addr as usize) else { continue };
            let region = Region {
                start: value.start as u64,
                len: value.len as u64,
                writable: value.writable,
                kind: RegionKind::MapValue,
            };
            if !region.holds(addr, size) {
                let map_type = map.spec().map_type.uapi_name();
                return Err(fault(format!(
                    "runs over the end of the {} bytes of a value of a {map_type} by {}",
                    region.len,
                    (addr - region.start).saturating_add(size).saturating_sub(region.len)
                )));
            }
            if access != Access::Read && !value.writable {
                return Err(fault("the map is read-only for programs (BPF_F_RDONLY_PROG)".to_owned()));
            }
            if access != Access::Write && !value.readable {
                return Err(fault("the map is write-only for programs (BPF_F_WRONLY_PROG)".to_owned()));
            }
            return Ok(region);
        }
        Err(fault(self.nearest(addr, size)))
    }

    fn all_maps(&self) -> impl Iterator<Item = &Arc<dyn Map>> {
        self.program().maps().iter().chain(self.held.iter().flat_map(|held| held.maps()))
    }

    /// All regions but map values.
    fn regions(&self) -> impl Iterator<Item = Region> + '_ {
        let deep = self.deep.iter().map(|memory| Region {
            start: memory.start() + 512,
            len: 512,
            writable: true,
            kind: RegionKind::Stack,
        });
        let keys =
            self.scratch.iter().flat_map(|scratch| &scratch.frames).filter_map(|frame| match &frame.resume {
                Resume::Elements(elements) => Some(Region::of(&elements.keys, false, RegionKind::MapKey)),
                _ => None,
            });
        std::iter::once(self.context_region)
            .chain(self.packet.as_ref().map(|packet| packet.region()))
            .chain(self.records.iter().map(|record| record.region))
            .chain(self.hits.frames())
            .chain(deep)
            .chain(keys)
            .chain(
                self.context
                    .kernel_memory
                    .iter()
                    .map(|bytes| Region::of(bytes, false, RegionKind::KernelMemory)),
            )
    }

    /// Says which region is nearest to an address that lies in none.
    fn nearest(&self, addr: u64, size: u64) -> String {
        if addr < 4096 {
            return "a null pointer, or an offset from one".to_owned();
        }
        let distance = |region: &Region| {
            let end = region.start + region.len;
            if addr < region.start { region.start - addr } else { addr.saturating_sub(end) }
        };
        let Some(region) = self.regions().min_by_key(distance).filter(|region| distance(region) < 1 << 20)
        else {
            return "far from everything that the program may access".to_owned();
        };
        let Region { start, len, .. } = region;
        let what = region.kind.describe();
        if addr < start {
            format!("starts {} bytes before {what} of {len} bytes", start - addr)
        } else if addr < start + len {
            let beyond = (addr - start).saturating_add(size) - len;
            format!("runs over the end of {what} of {len} bytes by {beyond}")
        } else {
            format!("starts {} bytes after the end of {what} of {len} bytes", addr - start - len)
        }
    }

    /// Checks an access of a helper or an atomic instruction.
    pub(crate) fn check(&mut self, addr: u64, size: u64, access: Access) -> Step<()> {
        let known = match access {
            Access::Read => self.hits.readable(addr, size),
            Access::Write | Access::Atomic => self.hits.writable(addr, size),
        };
        if size == 0 {
            return Ok(());
        }
        if !known {
            self.burn(self.search_cost());
            let region = self.find(addr, size, access)?;
            self.remember(&region);
        }
        if size >= MAX_ACCESS {
            let near = format!("accesses of {MAX_ACCESS} bytes and more are refused");
            return Err(Box::new(FaultKind::Memory { addr, size, access, near }));
        }
        self.burn(size / 8);
        Ok(())
    }

    fn remember(&mut self, region: &Region) {
        // Contexts that are not what they seem are looked at every time; write-only values must not look readable.
        let good = match region.kind {
            RegionKind::Context => self.rule.is_plain(),
            RegionKind::MapValue => self.find(region.start, region.len, Access::Read).is_ok(),
            _ => true,
        };
        if good {
            self.hits.remember(region);
        }
    }

    /// Forgets where memory was: some of it is gone.
    pub(crate) fn forget(&mut self) {
        self.hits.forget();
    }

    /// A load that [`Hits`] knows nothing about.
    #[cold]
    pub(super) fn slow_load(&mut self, addr: u64, size: u64) -> Step<u64> {
        if self.context_region.holds(addr, size) && !self.rule.is_plain() {
            let offset = addr - self.context_region.start;
            return self
                .rule
                .load(self.context.ctx, self.packet.as_deref(), offset, size)
                .map_err(|why| Box::new(FaultKind::Memory { addr, size, access: Access::Read, near: why }));
        }
        self.check(addr, size, Access::Read)?;
        // SAFETY: checked.
        Ok(unsafe { load_any(addr, size) })
    }

    /// A store that [`Hits`] knows nothing about.
    #[cold]
    pub(super) fn slow_store(&mut self, addr: u64, size: u64, value: u64) -> Step<()> {
        if self.context_region.holds(addr, size) && !self.rule.is_plain() {
            let offset = addr - self.context_region.start;
            return self
                .rule
                .store(self.context.ctx, offset, size, value)
                .map_err(|why| Box::new(FaultKind::Memory { addr, size, access: Access::Write, near: why }));
        }
        self.check(addr, size, Access::Write)?;
        // SAFETY: checked.
        unsafe { store_any(addr, size, value) };
        Ok(())
    }

    /// Copies memory of the program; `out.len()` says how much.
    pub(crate) fn read(&mut self, addr: u64, out: &mut [u8]) -> Step<()> {
        self.check(addr, out.len() as u64, Access::Read)?;
        // SAFETY: checked.
        unsafe { copy_out(addr, out) };
        Ok(())
    }

    /// Copies `len` bytes of the program's memory. `len` has been checked against memory before anything is allocated.
    pub(crate) fn read_vec(&mut self, addr: u64, len: u64) -> Step<Vec<u8>> {
        self.check(addr, len, Access::Read)?;
        let mut out = zeroes(len)?;
        // SAFETY: checked.
        unsafe { copy_out(addr, &mut out) };
        Ok(out)
    }

    /// Writes into memory of the program.
    pub(crate) fn write(&mut self, addr: u64, bytes: &[u8]) -> Step<()> {
        self.check(addr, bytes.len() as u64, Access::Write)?;
        // SAFETY: checked.
        unsafe { copy_in(addr, bytes) };
        Ok(())
    }

    /// Writes `len` zero bytes into memory of the program.
    pub(crate) fn write_zeroes(&mut self, addr: u64, len: u64) -> Step<()> {
        const ZEROES: [u8; 256] = [0; 256];
        self.check(addr, len, Access::Write)?;
        for at in (0..len).step_by(ZEROES.len()) {
            let part = (len - at).min(ZEROES.len() as u64) as usize;
            // SAFETY: part of what was checked.
            unsafe { copy_in(addr + at, &ZEROES[..part]) };
        }
        Ok(())
    }

    /// The word of a `bpf_spin_lock`. Only map values can have one: all other memory may go, or come to belong to others, while
    /// the lock is held.
    pub(crate) fn lock_address(&self, helper: &'static str, addr: u64) -> Step<()> {
        if !addr.is_multiple_of(4) {
            return Err(argument(helper, 1, "is not aligned to 4 bytes"));
        }
        let region = self.find(addr, 4, Access::Atomic)?;
        match region.kind {
            RegionKind::MapValue => Ok(()),
            other => Err(argument(helper, 1, format!("is in {}, not in a map value", other.describe()))),
        }
    }

    /// Whether `bpf_probe_read_kernel` may read these bytes, and if so copies them.
    pub(crate) fn probe(&mut self, addr: u64, out: &mut [u8]) -> bool {
        let size = out.len() as u64;
        let kernel = self.context.kernel_memory.iter();
        let kernel = kernel.map(|bytes| Region::of(bytes, false, RegionKind::KernelMemory));
        let known = kernel.clone().any(|region| region.holds(addr, size)) || self.hits.readable(addr, size);
        let good = known || {
            self.burn(self.search_cost());
            self.find(addr, size, Access::Read).is_ok()
        };
        if good {
            // SAFETY: inside memory that this run may read.
            unsafe { copy_out(addr, out) };
        }
        good
    }
}

/// A buffer of zero bytes; a fault where the host has no memory for it.
pub(crate) fn zeroes(len: u64) -> Step<Vec<u8>> {
    let mut buffer = Vec::new();
    match buffer.try_reserve_exact(len as usize) {
        Ok(()) => buffer.resize(len as usize, 0),
        Err(_) => return Err(Box::new(FaultKind::OutOfMemory(len))),
    }
    Ok(buffer)
}

fn new_scratch() -> Box<Scratch> {
    Box::new(Scratch { stack: StackMemory::new(MAX_FRAMES), frames: Vec::new() })
}

impl Drop for Run<'_, '_> {
    fn drop(&mut self) {
        if let Some(addr) = self.lock.take() {
            crate::helpers::release_lock(addr);
        }
        for record in self.records.drain(..) {
            crate::helpers::discard_record(&record);
        }
        if let Some(mut scratch) = self.scratch.take() {
            scratch.frames.clear();
            SCRATCH.set(Some(scratch));
        }
    }
}

/// A fault about an argument of a helper.
#[cold]
pub(crate) fn argument(helper: &'static str, arg: u8, why: impl Into<String>) -> Box<FaultKind> {
    Box::new(FaultKind::Argument { helper, arg, why: why.into() })
}

/// Reads a word of 1, 2, 4 or 8 bytes, zero-extended.
///
/// # Safety
/// Its bytes may be read.
unsafe fn load_any(addr: u64, size: u64) -> u64 {
    match size {
        // SAFETY: as the caller promises.
        1 => u64::from(unsafe { load8(addr) }),
        // SAFETY: as the caller promises.
        2 => u64::from(unsafe { load16(addr) }),
        // SAFETY: as the caller promises.
        4 => u64::from(unsafe { load32(addr) }),
        // SAFETY: as the caller promises.
        _ => unsafe { load64(addr) },
    }
}

/// Writes a word of 1, 2, 4 or 8 bytes.
///
/// # Safety
/// Its bytes may be written.
unsafe fn store_any(addr: u64, size: u64, value: u64) {
    match size {
        // SAFETY: as the caller promises.
        1 => unsafe { store8(addr, value as u8) },
        // SAFETY: as the caller promises.
        2 => unsafe { store16(addr, value as u16) },
        // SAFETY: as the caller promises.
        4 => unsafe { store32(addr, value as u32) },
        // SAFETY: as the caller promises.
        _ => unsafe { store64(addr, value) },
    }
}
