//! The `Kernel` interface in `bpf(2)` terms, and the user-space kernel that implements it: program, map, link and BTF
//! objects with ids and references, helpers, run contexts, the interpreter, test runs and the trace pipe.

mod error;
mod hook;
mod kernel;
mod run;

pub use error::{Errno, KernelError, LoadError};
pub use hook::{Attached, EventSource, HookTable};
pub use kernel::{
    AttachPoint, Fd, Kernel, LinkCreate, LinkInfo, MapBtf, MapCreate, MapInfo, ObjectKind, ProgBtf, ProgInfo,
    ProgLoad, Result, RingReader, TestRun, TestRunResult, TracePipe,
};
pub use run::{RunContext, Task};
