//! The interpreter: runs a program's operations, in checked mode with a look at every memory access.

mod alu;
mod context;
mod exec;
mod fault;
mod lower;
mod memory;
mod op;
mod run;

pub use fault::{Access, Fault, FaultKind, SourceLine};
pub use run::RunOptions;

pub(crate) use exec::{Checked, run_program};
pub(crate) use lower::{Binding, Lowered, Refusal, lower};
pub(crate) use memory::{Region, RegionKind};
pub(crate) use op::Op;
pub(crate) use run::{Packet, Record, Run, Step, argument, zeroes};
