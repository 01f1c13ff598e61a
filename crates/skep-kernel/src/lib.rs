//! The `Kernel` interface in `bpf(2)` terms, and the user-space kernel that implements it: program, map, link and BTF
//! objects with ids and references, helpers, run contexts, the interpreter, test runs and the trace pipe.

mod error;
mod helpers;
mod hook;
mod interp;
mod kernel;
mod program;
mod run;
mod test_run;
mod trace_pipe;
mod user;

pub use error::{Errno, KernelError, LoadError};
pub use helpers::supported_helpers;
pub use hook::{Attached, EventSource, HookTable};
pub use interp::{Access, Fault, FaultKind, RunOptions, SourceLine};
pub use kernel::{
    AttachPoint, Fd, Kernel, LinkCreate, LinkInfo, MapBtf, MapCreate, MapInfo, ObjectKind, ProgBtf, ProgInfo,
    ProgLoad, Result, RingReader, TestRun, TestRunResult, TracePipe,
};
pub use program::{Program, ProgramSpec, is_gpl_compatible};
pub use run::{RunContext, Task};
pub use trace_pipe::{TraceBuffer, TraceReader};
pub use user::UserKernel;
