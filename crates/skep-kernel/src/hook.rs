//! Hooks: where event sources find the attached programs, and where links put them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::error::KernelError;
use crate::kernel::AttachPoint;
use crate::run::RunContext;

/// A program attached to a hook.
pub trait Attached: Send + Sync {
    /// Runs it on one event and gives R0. A run that faults gives 0, as the kernel's fault-safe hooks do, and is
    /// reported by the implementation.
    fn run(&self, event: &mut RunContext<'_>) -> u64;
}

/// Something that makes events happen on hooks: a tracer, a packet source.
pub trait EventSource: Send + Sync {
    /// Whether this source can observe `point`. `None` when points of this kind are not its business.
    fn offers(&self, point: &AttachPoint) -> Option<Result<(), KernelError>>;
}

/// Programs at one point, each with the id of the link that holds it there.
type Programs = Vec<(u32, Arc<dyn Attached>)>;

/// The attached programs of a user-space kernel, by attach point, in the order in which they were attached.
#[derive(Default)]
pub struct HookTable {
    points: RwLock<HashMap<AttachPoint, Programs>>,
    generation: AtomicU64,
}

impl HookTable {
    /// A number that changes whenever a program is attached, replaced or detached, so that event sources can keep what
    /// they looked up.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Points that have at least one program.
    #[must_use]
    pub fn points(&self) -> Vec<AttachPoint> {
        self.points.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Programs at `point`, in order of attachment.
    #[must_use]
    pub fn programs(&self, point: &AttachPoint) -> Vec<Arc<dyn Attached>> {
        let points = self.points.read().unwrap_or_else(PoisonError::into_inner);
        points.get(point).into_iter().flatten().map(|(_, program)| Arc::clone(program)).collect()
    }

    /// Puts a program at a point on behalf of a link. A link that is there already gets the new program in its place.
    pub fn attach(&self, point: &AttachPoint, link_id: u32, program: Arc<dyn Attached>) {
        let mut points = self.points.write().unwrap_or_else(PoisonError::into_inner);
        let programs = points.entry(point.clone()).or_default();
        match programs.iter_mut().find(|(id, _)| *id == link_id) {
            Some((_, old)) => *old = program,
            None => programs.push((link_id, program)),
        }
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Takes a link's program away from a point.
    pub fn detach(&self, point: &AttachPoint, link_id: u32) {
        let mut points = self.points.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(programs) = points.get_mut(point) {
            programs.retain(|(id, _)| *id != link_id);
            if programs.is_empty() {
                points.remove(point);
            }
        }
        self.generation.fetch_add(1, Ordering::Release);
    }
}
