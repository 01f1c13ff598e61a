//! The objects of the user-space kernel, and who holds them.
//!
//! References are `Arc`s: descriptors, pins, attachments, a program's hold on its maps and its BTF, a map's hold on its
//! BTF, a program array's hold on its programs. A map also counts the references that come from outside, descriptors and
//! pins, because a program array is emptied when the last of those goes: otherwise an array and a program in it that uses
//! it would keep each other for ever.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use skep_catalog::{AttachType, ProgramType};
use skep_isa::RawInsn;
use skep_maps::Map;

use crate::error::{Errno, KernelError};
use crate::hook::{Attached, HookTable};
use crate::interp::Fault;
use crate::kernel::AttachPoint;
use crate::program::Program;
use crate::run::RunContext;

use super::registry::Id;

/// A map.
pub(crate) struct MapObject {
    pub(crate) id: Id<MapObject>,
    pub(crate) map: Arc<dyn Map>,
    pub(crate) name: String,
    pub(crate) btf: Option<MapTypes>,
    pub(crate) frozen: AtomicBool,
    /// Descriptors and pins.
    outside: AtomicUsize,
    /// What programs a program array takes: decided by the first one that uses it or is put in it.
    owner: Mutex<Option<TailCallKind>>,
}

/// BTF of a map's key and value.
pub(crate) struct MapTypes {
    pub(crate) btf: Arc<BtfObject>,
    pub(crate) key: u32,
    pub(crate) value: u32,
}

/// What programs must agree in to call each other's tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TailCallKind {
    pub(crate) prog_type: ProgramType,
    pub(crate) expected_attach_type: Option<AttachType>,
}

impl MapObject {
    pub(crate) fn new(
        id: Id<MapObject>,
        map: Arc<dyn Map>,
        name: String,
        btf: Option<MapTypes>,
    ) -> MapObject {
        MapObject {
            id,
            map,
            name,
            btf,
            frozen: AtomicBool::new(false),
            outside: AtomicUsize::new(0),
            owner: Mutex::new(None),
        }
    }

    /// Whether a program of this kind may use this program array, or be put in it.
    pub(crate) fn admit(&self, kind: TailCallKind) -> Result<(), KernelError> {
        let mut owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = *owner.get_or_insert(kind);
        if owner == kind {
            return Ok(());
        }
        let describe = |kind: TailCallKind| {
            let attach = kind.expected_attach_type.map(AttachType::uapi_name);
            format!(
                "{} programs{}",
                kind.prog_type.uapi_name(),
                attach.map(|name| format!(" for {name}")).unwrap_or_default()
            )
        };
        let name = &self.name;
        let (owner, kind) = (describe(owner), describe(kind));
        Err(KernelError::new(Errno::EINVAL, format!("program array {name} is for {owner}, not for {kind}")))
    }
}

/// A reference to a map from outside: a descriptor's or a pin's.
pub(crate) struct MapHandle {
    object: Arc<MapObject>,
}

impl MapHandle {
    pub(crate) fn new(object: Arc<MapObject>) -> MapHandle {
        object.outside.fetch_add(1, Ordering::Relaxed);
        MapHandle { object }
    }

    pub(crate) fn object(&self) -> &Arc<MapObject> {
        &self.object
    }
}

impl std::ops::Deref for MapHandle {
    type Target = MapObject;

    fn deref(&self) -> &MapObject {
        &self.object
    }
}

impl Clone for MapHandle {
    fn clone(&self) -> Self {
        MapHandle::new(Arc::clone(&self.object))
    }
}

impl Drop for MapHandle {
    fn drop(&mut self) {
        if self.object.outside.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(programs) = self.object.map.prog_array()
        {
            programs.clear();
        }
    }
}

/// A program.
pub(crate) struct ProgObject {
    pub(crate) id: Id<ProgObject>,
    pub(crate) program: Arc<Program>,
    pub(crate) kind: TailCallKind,
    pub(crate) name: String,
    pub(crate) tag: [u8; 8],
    pub(crate) gpl_compatible: bool,
    /// Instructions, with maps named by id.
    pub(crate) xlated: Vec<RawInsn>,
    /// Maps that the instructions use, each once.
    pub(crate) maps: Vec<Arc<MapObject>>,
    pub(crate) btf: Option<Arc<BtfObject>>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) run_cnt: AtomicU64,
    pub(crate) run_time_ns: AtomicU64,
}

/// What the kernel keeps about runs on events.
#[derive(Default)]
pub(crate) struct Stats {
    /// `BPF_ENABLE_STATS`: runs are counted and timed.
    pub(crate) enabled: AtomicBool,
    pub(crate) on_fault: Mutex<Option<Arc<OnFault>>>,
}

/// Told of each run that faulted: the program's id and name, and the fault.
pub(crate) type OnFault = dyn Fn(u32, &str, &Fault) + Send + Sync;

impl ProgObject {
    /// Runs it on an event. A run that faults is reported, and gives 0.
    fn run(&self, event: &mut RunContext<'_>) -> u64 {
        let start = self.stats.enabled.load(Ordering::Relaxed).then(Instant::now);
        let result = self.program.run(event);
        if let Some(start) = start {
            let elapsed = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.run_time_ns.fetch_add(elapsed, Ordering::Relaxed);
            self.run_cnt.fetch_add(1, Ordering::Relaxed);
        }
        result.unwrap_or_else(|fault| {
            let report = self.stats.on_fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(report) = report {
                report(self.id.number(), &self.name, &fault);
            }
            0
        })
    }
}

/// A link: a program on a hook, until the link goes or is detached.
pub(crate) struct LinkObject {
    pub(crate) id: Id<LinkObject>,
    pub(crate) hooks: Arc<HookTable>,
    pub(crate) point: AttachPoint,
    pub(crate) cookie: u64,
    pub(crate) state: Mutex<LinkState>,
}

/// What changes about a link.
pub(crate) struct LinkState {
    pub(crate) program: Arc<ProgObject>,
    pub(crate) attached: bool,
}

/// A link's program as the hook holds it.
struct Attachment {
    program: Arc<ProgObject>,
    cookie: u64,
}

impl Attached for Attachment {
    fn run(&self, event: &mut RunContext<'_>) -> u64 {
        let outer = std::mem::replace(&mut event.cookie, self.cookie);
        let result = self.program.run(event);
        event.cookie = outer;
        result
    }
}

impl LinkObject {
    /// Puts the program on the hook, in the place of the one that is there.
    pub(crate) fn attach(&self, program: Arc<ProgObject>) {
        let attachment = Attachment { program, cookie: self.cookie };
        self.hooks.attach(&self.point, self.id.number(), Arc::new(attachment));
    }

    /// Takes the program off the hook; false if it was off already.
    pub(crate) fn detach(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let was = std::mem::replace(&mut state.attached, false);
        if was {
            self.hooks.detach(&self.point, self.id.number());
        }
        was
    }
}

impl Drop for LinkObject {
    fn drop(&mut self) {
        self.detach();
    }
}

/// A BTF object.
pub(crate) struct BtfObject {
    pub(crate) id: Id<BtfObject>,
    /// As it was loaded.
    pub(crate) bytes: Vec<u8>,
    pub(crate) btf: skep_btf::Btf,
}
