//! A loaded program: checked in structure, bound to its maps, decoded for the interpreter.

use std::any::Any;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;

use skep_catalog::{AttachType, ProgramType};
use skep_isa::{Insn, RawInsn};
use skep_maps::{Map, ProgArray, ProgSlot};

use crate::error::{Errno, LoadError};
use crate::helpers;
use crate::interp::{
    Binding, Checked, Fault, FaultKind, Lowered, Op, Packet, Refusal, Run, RunOptions, SourceLine, lower,
    run_program,
};
use crate::run::RunContext;
use crate::trace_pipe::TraceBuffer;

/// What a program is loaded from: [`ProgLoad`](crate::ProgLoad) with its descriptors resolved.
pub struct ProgramSpec<'a> {
    /// Type.
    pub prog_type: ProgramType,
    /// Expected attach type, where the type has one.
    pub expected_attach_type: Option<AttachType>,
    /// Instructions, all subprograms appended; `ld_imm64` names maps by index into `maps` (kinds 5 and 6).
    pub insns: &'a [RawInsn],
    /// Maps named by the instructions.
    pub maps: Vec<Arc<dyn Map>>,
    /// License: decides whether GPL-only helpers may be called.
    pub license: &'a str,
    /// Name, for messages.
    pub name: &'a str,
    /// `BPF_F_*` load flags.
    pub flags: u32,
    /// Line information by rising slot, see [`SourceLine::parse`].
    pub lines: Vec<SourceLine>,
    /// Where `bpf_trace_printk` of this program goes.
    pub trace: Arc<TraceBuffer>,
}

/// A program that can be run, by any number of threads at once.
pub struct Program {
    prog_type: ProgramType,
    expected_attach_type: Option<AttachType>,
    name: String,
    gpl: bool,
    flags: u32,
    raw: Box<[RawInsn]>,
    maps: Box<[Arc<dyn Map>]>,
    /// Which of them the instructions name. What lies beside them in the list, a program may not reach by its address.
    named: Box<[bool]>,
    lines: Vec<SourceLine>,
    trace: Arc<TraceBuffer>,
    lowered: Lowered,
}

/// Licenses that count as GPL-compatible (the kernel's module licenses).
const GPL_LICENSES: [&str; 6] =
    ["GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"];

/// Whether programs under this license may call GPL-only helpers.
#[must_use]
pub fn is_gpl_compatible(license: &str) -> bool {
    GPL_LICENSES.contains(&license)
}

struct Bindings<'a> {
    maps: &'a [Arc<dyn Map>],
    named: RefCell<Box<[bool]>>,
    prog_type: ProgramType,
    attach: Option<AttachType>,
    gpl: bool,
}

impl Bindings<'_> {
    fn map(&self, index: i32) -> Result<&Arc<dyn Map>, String> {
        let found = usize::try_from(index).ok().and_then(|index| Some((index, self.maps.get(index)?)));
        let Some((index, map)) = found else {
            return Err(format!("names map {index}, but the load has {} maps", self.maps.len()));
        };
        if let Some(named) = self.named.borrow_mut().get_mut(index) {
            *named = true;
        }
        Ok(map)
    }
}

impl Binding for Bindings<'_> {
    fn map_address(&self, index: i32) -> Result<u64, String> {
        Ok(std::ptr::from_ref(self.map(index)?) as u64)
    }

    fn map_value_address(&self, index: i32, off: u32) -> Result<u64, String> {
        let map = self.map(index)?;
        match map.direct_value(off) {
            Ok(address) => Ok(address.as_ptr() as u64),
            Err(error) => Err(format!("address of byte {off} of map {index}: {error}")),
        }
    }

    fn helper(&self, number: i32) -> Result<usize, (Errno, String)> {
        helpers::resolve(number, self.prog_type, self.attach, self.gpl)
    }
}

impl Program {
    /// Checks a program's structure, binds it to its maps and decodes it: every slot is a valid instruction, jumps and calls
    /// lead to instructions inside the program, no subprogram runs over its end, maps and helpers exist and may be used by
    /// this program type and license. Whether its accesses are good is found out when it runs.
    ///
    /// # Errors
    /// The errno of Linux for the same program, or `EOPNOTSUPP` for what only Linux has; the log names the instruction with
    /// its text, the reason, and the source line where it is known.
    pub fn load(spec: ProgramSpec<'_>) -> Result<Program, LoadError> {
        let gpl = is_gpl_compatible(spec.license);
        // The maps do not move any more: programs know them by the address of their handle.
        let maps = spec.maps.into_boxed_slice();
        let bindings = Bindings {
            maps: &maps,
            named: RefCell::new(vec![false; maps.len()].into_boxed_slice()),
            prog_type: spec.prog_type,
            attach: spec.expected_attach_type,
            gpl,
        };
        let lowered = lower(spec.insns, &bindings)
            .map_err(|refusal| load_error(&refusal, spec.name, spec.insns, &spec.lines))?;
        let named = bindings.named.into_inner();
        Ok(Program {
            named,
            prog_type: spec.prog_type,
            expected_attach_type: spec.expected_attach_type,
            name: spec.name.to_owned(),
            gpl,
            flags: spec.flags,
            raw: spec.insns.into(),
            maps,
            lines: spec.lines,
            trace: spec.trace,
            lowered,
        })
    }

    /// Runs the program on one event and gives R0.
    ///
    /// # Errors
    /// A [`Fault`] when the program did what the verifier would not have accepted, or exceeded
    /// [`RunOptions::DEFAULT_BUDGET`].
    pub fn run(&self, context: &mut RunContext<'_>) -> Result<u64, Fault> {
        self.run_with(context, &RunOptions::default())
    }

    /// [`Program::run`] with a budget and a stop flag.
    ///
    /// # Errors
    /// As [`Program::run`].
    pub fn run_with(&self, context: &mut RunContext<'_>, options: &RunOptions<'_>) -> Result<u64, Fault> {
        self.run_packet(context, None, options)
    }

    pub(crate) fn run_packet(
        &self,
        context: &mut RunContext<'_>,
        packet: Option<&mut Packet>,
        options: &RunOptions<'_>,
    ) -> Result<u64, Fault> {
        let mut run = Run::new(self, context, packet, options);
        run_program::<Checked>(&mut run).map_err(|(op, kind)| run.program().fault(op, kind))
    }

    /// Type.
    #[must_use]
    pub fn prog_type(&self) -> ProgramType {
        self.prog_type
    }

    /// Expected attach type.
    #[must_use]
    pub fn expected_attach_type(&self) -> Option<AttachType> {
        self.expected_attach_type
    }

    /// Name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its license is GPL-compatible.
    #[must_use]
    pub fn gpl_compatible(&self) -> bool {
        self.gpl
    }

    /// `BPF_F_*` load flags.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// Instructions as they were loaded.
    #[must_use]
    pub fn insns(&self) -> &[RawInsn] {
        &self.raw
    }

    /// Maps that the instructions may name.
    #[must_use]
    pub fn maps(&self) -> &[Arc<dyn Map>] {
        &self.maps
    }

    /// Whether the instructions name the map with this index.
    pub(crate) fn names(&self, map: usize) -> bool {
        self.named.get(map).is_some_and(|named| *named)
    }

    /// The source line that the instruction at a slot comes from, if the program carries line information.
    #[must_use]
    pub fn line_of(&self, slot: usize) -> Option<&SourceLine> {
        line_of(&self.lines, slot)
    }

    /// What a slot of a program array holds for this program, see [`ProgArray::set`]: `id` is its id, `object` whatever the
    /// slot shall keep besides. Tail calls find only programs put there so.
    #[must_use]
    pub fn slot(self: &Arc<Self>, id: u32, object: Arc<dyn Any + Send + Sync>) -> ProgSlot {
        ProgSlot { id, program: Arc::clone(self) as _, object }
    }

    /// The program in a slot of a program array.
    pub(crate) fn from_slot(array: &ProgArray, index: u32) -> Option<Arc<Program>> {
        let slot = array.get(index)?;
        let program = Arc::clone(&slot.as_ref()?.program);
        program.downcast().ok()
    }

    pub(crate) fn ops(&self) -> &[Op] {
        &self.lowered.ops
    }

    pub(crate) fn subprogram_starts(&self) -> &[u32] {
        &self.lowered.subprograms
    }

    pub(crate) fn trace(&self) -> &TraceBuffer {
        &self.trace
    }

    /// Programs whose context holds typed kernel pointers, which they may follow without a helper.
    pub(crate) fn reads_kernel_memory(&self) -> bool {
        matches!(self.prog_type, ProgramType::Tracing | ProgramType::Lsm | ProgramType::StructOps)
    }

    fn fault(&self, op: *const Op, kind: FaultKind) -> Fault {
        let index = (op as usize).wrapping_sub(self.ops().as_ptr() as usize) / size_of::<Op>();
        let slot = |index: usize| self.lowered.slots.get(index).map_or(0, |&slot| slot as usize);
        let subprogram = self.lowered.subprograms.partition_point(|&start| start as usize <= index);
        let start = subprogram.checked_sub(1).and_then(|number| self.lowered.subprograms.get(number));
        let insn = slot(index);
        Fault {
            insn,
            subprogram: start.map_or(0, |&start| slot(start as usize)),
            program: self.name.as_str().into(),
            text: insn_text(&self.raw, insn).into(),
            line: self.line_of(insn).cloned().map(Box::new),
            kind,
        }
    }
}

fn line_of(lines: &[SourceLine], slot: usize) -> Option<&SourceLine> {
    let after = lines.partition_point(|line| line.insn <= slot);
    lines.get(after.checked_sub(1)?)
}

/// The instruction at a slot as text; its bytes when it is not one.
fn insn_text(raw: &[RawInsn], slot: usize) -> String {
    let rest = raw.get(slot..).unwrap_or_default();
    match (Insn::decode(rest), rest.first()) {
        (Ok(insn), _) => insn.to_string(),
        (Err(_), Some(raw)) => format!("{raw:?}"),
        (Err(_), None) => "end of the program".to_owned(),
    }
}

fn load_error(refusal: &Refusal, name: &str, raw: &[RawInsn], lines: &[SourceLine]) -> LoadError {
    let Refusal { slot, errno, why } = refusal;
    let mut log = format!("{slot}: {}\n{why}\n", insn_text(raw, *slot));
    if let Some(line) = line_of(lines, *slot) {
        // Writing to a String cannot fail.
        let _ = writeln!(log, "; {line}");
    }
    LoadError { errno: *errno, what: format!("program {name}: instruction {slot}: {why}"), log }
}
