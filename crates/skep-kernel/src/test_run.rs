//! `BPF_PROG_TEST_RUN`.

use crate::error::{Errno, KernelError};
use crate::kernel::{TestRun, TestRunResult};
use crate::program::Program;
use crate::run::Task;

impl Program {
    /// `BPF_PROG_TEST_RUN` with the given input, in `task`.
    ///
    /// # Errors
    /// The errno of Linux for the same input.
    pub fn test_run(&self, run: &TestRun, task: &dyn Task) -> Result<TestRunResult, KernelError> {
        let _ = (run, task);
        Err(KernelError::new(Errno::ENOTSUPP, "test runs"))
    }
}
