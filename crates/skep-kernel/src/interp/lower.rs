//! From instructions to operations, with the structural checks that a program must pass before anything can run it.

use std::collections::BTreeSet;

use skep_isa::{AluOp, CallTarget, Imm64, Insn, JumpOp, Operand, RawInsn, Reg, Size, SwapKind, Width};

use super::alu::atomic_number;
use super::op::{Code, Op, PACKET_INDIRECT};
use crate::error::Errno;

/// Slots that Linux takes at most (`BPF_COMPLEXITY_LIMIT_INSNS`).
pub(crate) const MAX_SLOTS: usize = 1_000_000;

/// An instruction that cannot be loaded.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Its slot.
    pub(crate) slot: usize,
    /// As `bpf(2)` sets it for this reason.
    pub(crate) errno: Errno,
    /// Why.
    pub(crate) why: String,
}

/// What lowering asks about the program's surroundings.
pub(crate) trait Binding {
    /// The value that a program gets for the map with this index.
    fn map_address(&self, index: i32) -> Result<u64, String>;
    /// The address of byte `off` of the first value of the map with this index.
    fn map_value_address(&self, index: i32, off: u32) -> Result<u64, String>;
    /// The index of a helper in the interpreter's table.
    fn helper(&self, number: i32) -> Result<usize, (Errno, String)>;
}

/// A program in the interpreter's form.
pub(crate) struct Lowered {
    /// Operations.
    pub(crate) ops: Box<[Op]>,
    /// Slot of each operation.
    pub(crate) slots: Box<[u32]>,
    /// First operation of each subprogram in rising order; the main program is the first.
    pub(crate) subprograms: Box<[u32]>,
}

const NOT_A_START: u32 = u32::MAX;

fn refuse<T>(slot: usize, errno: Errno, why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { slot, errno, why: why.into() })
}

/// Checks and lowers a program.
pub(crate) fn lower(raw: &[RawInsn], binding: &dyn Binding) -> Result<Lowered, Refusal> {
    if raw.is_empty() {
        return refuse(0, Errno::EINVAL, "the program has no instructions");
    }
    if raw.len() > MAX_SLOTS {
        return refuse(
            MAX_SLOTS,
            Errno::E2BIG,
            format!("{} instructions are more than {MAX_SLOTS}", raw.len()),
        );
    }
    let (insns, index_of_slot) = decode(raw)?;
    let flow = Flow::of(&insns, &index_of_slot)?;

    let mut ops = Vec::with_capacity(insns.len());
    for (index, (slot, insn)) in insns.iter().enumerate() {
        ops.push(flow.lower_one(index, *slot, insn, binding)?);
    }
    let mut ops = ops.into_boxed_slice();
    resolve_function_addresses(&mut ops, &insns);
    Ok(Lowered {
        ops,
        slots: insns.iter().map(|(slot, _)| *slot as u32).collect(),
        subprograms: flow.starts.iter().map(|&start| start as u32).collect(),
    })
}

type Decoded = (Vec<(usize, Insn)>, Vec<u32>);

/// Decodes every slot. Answers the instructions with their slots, and the index of the instruction that starts at each slot.
fn decode(raw: &[RawInsn]) -> Result<Decoded, Refusal> {
    let mut insns = Vec::with_capacity(raw.len());
    let mut index_of_slot = vec![NOT_A_START; raw.len()];
    let mut slot = 0;
    while let Some(rest) = raw.get(slot..).filter(|rest| !rest.is_empty()) {
        let insn = match Insn::decode(rest) {
            Ok(insn) => insn,
            Err(error) => return refuse(slot, Errno::EINVAL, error.to_string()),
        };
        index_of_slot[slot] = insns.len() as u32;
        insns.push((slot, insn));
        slot += insn.slots();
    }
    Ok((insns, index_of_slot))
}

/// Where control goes: the targets of jumps and calls, checked.
struct Flow<'a> {
    insns: &'a [(usize, Insn)],
    index_of_slot: &'a [u32],
    /// First instruction of each subprogram.
    starts: Vec<usize>,
}

impl<'a> Flow<'a> {
    fn of(insns: &'a [(usize, Insn)], index_of_slot: &'a [u32]) -> Result<Flow<'a>, Refusal> {
        let mut flow = Flow { insns, index_of_slot, starts: Vec::new() };
        let mut starts = BTreeSet::from([0]);
        for (slot, insn) in insns {
            if let Insn::Call(CallTarget::Local(off)) | Insn::LoadImm64 { value: Imm64::Func(off), .. } = insn
            {
                starts.insert(flow.target(*slot, *off, "call of a subprogram")?);
            }
        }
        flow.starts = starts.into_iter().collect();
        flow.check_ends()?;
        Ok(flow)
    }

    /// Index of the instruction that an offset leads to.
    fn target(&self, slot: usize, off: i32, what: &str) -> Result<usize, Refusal> {
        let to = slot as i64 + 1 + i64::from(off);
        let index = usize::try_from(to).ok().and_then(|to| self.index_of_slot.get(to)).copied();
        match index {
            Some(NOT_A_START) => {
                refuse(slot, Errno::EINVAL, format!("{what} leads to {to}, the second half of an ld_imm64"))
            }
            Some(index) => Ok(index as usize),
            None => refuse(
                slot,
                Errno::EINVAL,
                format!(
                    "{what} leads to {to}, outside the program of {} instructions",
                    self.index_of_slot.len()
                ),
            ),
        }
    }

    /// Number of the subprogram that an instruction belongs to.
    fn subprogram(&self, index: usize) -> usize {
        self.starts.partition_point(|&start| start <= index) - 1
    }

    /// Instructions of the subprogram with this number.
    fn len(&self, subprogram: usize) -> usize {
        let end = self.starts.get(subprogram + 1).copied().unwrap_or(self.insns.len());
        end - self.starts[subprogram]
    }

    /// Every subprogram's last instruction ends the flow.
    fn check_ends(&self) -> Result<(), Refusal> {
        for number in 0..self.starts.len() {
            let (slot, last) = self.insns[self.starts[number] + self.len(number) - 1];
            if !matches!(last, Insn::Exit | Insn::Jump { .. }) {
                return refuse(slot, Errno::EINVAL, "last instruction is not an exit or a jump");
            }
        }
        Ok(())
    }

    /// Distance of a jump in operations from the next one.
    fn jump(&self, index: usize, slot: usize, off: i32) -> Result<i32, Refusal> {
        let target = self.target(slot, off, "jump")?;
        if self.subprogram(index) != self.subprogram(target) {
            return refuse(slot, Errno::EINVAL, "jump leads out of the subprogram");
        }
        Ok((target as i64 - index as i64 - 1) as i32)
    }

    fn lower_one(
        &self,
        index: usize,
        slot: usize,
        insn: &Insn,
        binding: &dyn Binding,
    ) -> Result<Op, Refusal> {
        let mut op = Op { code: Code::Nop, dst: 0, src: 0, sub: 0, off: 0, imm: 0 };
        let writes = |reg: Reg| {
            if reg == Reg::FP {
                refuse(slot, Errno::EACCES, "frame pointer is read only")
            } else {
                Ok(reg.number())
            }
        };
        match *insn {
            Insn::Alu { width, op: alu, dst, src } => {
                op.dst = writes(dst)?;
                op.code = alu_code(alu, width, operand(&mut op, src));
            }
            Insn::Movsx { width, from, dst, src } => {
                (op.dst, op.src) = (writes(dst)?, src.number());
                op.code = match (width, from) {
                    (Width::W64, Size::B) => Code::Movsx64B,
                    (Width::W64, Size::H) => Code::Movsx64H,
                    (Width::W64, _) => Code::Movsx64W,
                    (Width::W32, Size::B) => Code::Movsx32B,
                    (Width::W32, _) => Code::Movsx32H,
                };
            }
            Insn::Neg { width, dst } => {
                op.dst = writes(dst)?;
                op.code = if width == Width::W64 { Code::Neg64 } else { Code::Neg32 };
            }
            Insn::Swap { kind, size, dst } => {
                op.dst = writes(dst)?;
                op.code = swap_code(kind, size);
            }
            Insn::AddrSpaceCast { dst, src, .. } => {
                (op.dst, op.src) = (writes(dst)?, src.number());
                op.code = Code::AddrSpaceCast;
            }
            Insn::LoadImm64 { dst, value } => {
                op.dst = writes(dst)?;
                op.code = Code::Mov64I;
                op.imm = self.immediate(slot, value, binding)?.cast_signed();
            }
            Insn::Load { size, sign_extend, dst, base, off } => {
                (op.dst, op.src, op.off) = (writes(dst)?, base.number(), i32::from(off));
                op.code = match (size, sign_extend) {
                    (Size::B, false) => Code::LoadB,
                    (Size::H, false) => Code::LoadH,
                    (Size::W, false) => Code::LoadW,
                    (Size::B, true) => Code::LoadSB,
                    (Size::H, true) => Code::LoadSH,
                    (Size::W, true) => Code::LoadSW,
                    (Size::DW, _) => Code::LoadDW,
                };
            }
            Insn::StoreImm { size, base, off, imm } => {
                (op.dst, op.off, op.imm) = (base.number(), i32::from(off), i64::from(imm));
                op.code = by_size(size, [Code::StoreIB, Code::StoreIH, Code::StoreIW, Code::StoreIDW]);
            }
            Insn::StoreReg { size, base, off, src } => {
                (op.dst, op.off, op.src) = (base.number(), i32::from(off), src.number());
                op.code = by_size(size, [Code::StoreRB, Code::StoreRH, Code::StoreRW, Code::StoreRDW]);
            }
            Insn::Atomic { op: atomic, size, base, off, src } => {
                (op.dst, op.off) = (base.number(), i32::from(off));
                op.sub = atomic_number(atomic);
                // Operations that fetch write the source register.
                op.src =
                    if op.sub % 2 == 1 && op.sub < 8 || op.sub == 8 { writes(src)? } else { src.number() };
                op.code = if size == Size::DW { Code::Atomic64 } else { Code::Atomic32 };
            }
            Insn::LoadAcquire { size, dst, base, off } => {
                (op.dst, op.src, op.off) = (writes(dst)?, base.number(), i32::from(off));
                op.code = by_size(size, [Code::LoadAcqB, Code::LoadAcqH, Code::LoadAcqW, Code::LoadAcqDW]);
            }
            Insn::StoreRelease { size, base, off, src } => {
                (op.dst, op.src, op.off) = (base.number(), src.number(), i32::from(off));
                op.code =
                    by_size(size, [Code::StoreRelB, Code::StoreRelH, Code::StoreRelW, Code::StoreRelDW]);
            }
            Insn::LoadAbs { size, off } => {
                (op.code, op.sub, op.off) = (Code::Packet, size.bytes() as u8, off);
            }
            Insn::LoadInd { size, src, off } => {
                (op.code, op.sub, op.off) = (Code::Packet, size.bytes() as u8 | PACKET_INDIRECT, off);
                op.src = src.number();
            }
            Insn::Jump { off, .. } => {
                (op.code, op.off) = (Code::Jump, self.jump(index, slot, off)?);
            }
            Insn::JumpIf { width, op: jump, dst, src, off } => {
                (op.dst, op.off) = (dst.number(), self.jump(index, slot, i32::from(off))?);
                op.code = jump_code(jump, width, operand(&mut op, src));
            }
            Insn::MayGoto { off } => {
                (op.code, op.off) = (Code::MayGoto, self.jump(index, slot, i32::from(off))?);
            }
            Insn::Call(CallTarget::Helper(number)) => {
                let helper = binding.helper(number);
                let helper = helper.map_err(|(errno, why)| Refusal { slot, errno, why })?;
                (op.code, op.imm) = (Code::Helper, helper as i64);
            }
            Insn::Call(CallTarget::Local(off)) => {
                let target = self.target(slot, off, "call of a subprogram")?;
                op.code = Code::CallLocal;
                op.off = (target as i64 - index as i64 - 1) as i32;
                // What the call costs of the run's budget.
                op.imm = self.len(self.subprogram(target)) as i64;
            }
            Insn::Call(CallTarget::Kfunc { btf_id, .. }) => {
                return refuse(
                    slot,
                    Errno::EACCES,
                    format!(
                        "kernel function with BTF id {btf_id} is not available on the user target; use --target linux"
                    ),
                );
            }
            Insn::CallReg { target } => (op.code, op.dst) = (Code::CallReg, target.number()),
            Insn::Exit => op.code = Code::Exit,
        }
        Ok(op)
    }

    fn immediate(&self, slot: usize, value: Imm64, binding: &dyn Binding) -> Result<u64, Refusal> {
        let by_fd = "names a map by descriptor, which has no meaning here; name it by its index in the load's list of maps";
        let bound = match value {
            Imm64::Value(value) => Ok(value),
            Imm64::MapIdx(index) => binding.map_address(index),
            Imm64::MapValueIdx { idx, off } => binding.map_value_address(idx, off),
            // The target's index; `resolve_function_addresses` turns it into an address.
            Imm64::Func(off) => return Ok(self.target(slot, off, "address of a subprogram")? as u64),
            Imm64::MapFd(fd) | Imm64::MapValueFd { fd, .. } => Err(format!("{by_fd} (descriptor {fd})")),
            Imm64::BtfId { id, .. } => Err(format!(
                "kernel variable with BTF id {id} is not available on the user target; use --target linux"
            )),
        };
        bound.or_else(|why| refuse(slot, Errno::EINVAL, why))
    }
}

/// Gives `ld_imm64` of subprograms the addresses of their first operations, now that these do not move any more.
fn resolve_function_addresses(ops: &mut [Op], insns: &[(usize, Insn)]) {
    let base = ops.as_ptr() as u64;
    for (op, (_, insn)) in ops.iter_mut().zip(insns) {
        if let Insn::LoadImm64 { value: Imm64::Func(_), .. } = insn {
            op.imm = (base + op.imm.cast_unsigned() * size_of::<Op>() as u64).cast_signed();
        }
    }
}

/// Puts the second operand into an operation; true for an immediate.
fn operand(op: &mut Op, src: Operand) -> bool {
    match src {
        Operand::Reg(reg) => {
            op.src = reg.number();
            false
        }
        Operand::Imm(imm) => {
            op.imm = i64::from(imm);
            true
        }
    }
}

fn by_size(size: Size, codes: [Code; 4]) -> Code {
    match size {
        Size::B => codes[0],
        Size::H => codes[1],
        Size::W => codes[2],
        Size::DW => codes[3],
    }
}

fn swap_code(kind: SwapKind, size: Size) -> Code {
    let swaps = match kind {
        SwapKind::Bswap => true,
        SwapKind::ToBe => cfg!(target_endian = "little"),
        SwapKind::ToLe => cfg!(target_endian = "big"),
    };
    match (size, swaps) {
        (Size::H, true) => Code::Swap16,
        (Size::W, true) => Code::Swap32,
        (Size::DW, true) => Code::Swap64,
        (Size::H, false) => Code::Trunc16,
        (Size::W, false) => Code::Trunc32,
        _ => Code::Nop,
    }
}

#[rustfmt::skip]
fn alu_code(op: AluOp, width: Width, imm: bool) -> Code {
    use Code::*;
    let codes = match op {
        AluOp::Add => [Add64R, Add64I, Add32R, Add32I],
        AluOp::Sub => [Sub64R, Sub64I, Sub32R, Sub32I],
        AluOp::Mul => [Mul64R, Mul64I, Mul32R, Mul32I],
        AluOp::Div => [Div64R, Div64I, Div32R, Div32I],
        AluOp::Sdiv => [Sdiv64R, Sdiv64I, Sdiv32R, Sdiv32I],
        AluOp::Mod => [Mod64R, Mod64I, Mod32R, Mod32I],
        AluOp::Smod => [Smod64R, Smod64I, Smod32R, Smod32I],
        AluOp::Or => [Or64R, Or64I, Or32R, Or32I],
        AluOp::And => [And64R, And64I, And32R, And32I],
        AluOp::Xor => [Xor64R, Xor64I, Xor32R, Xor32I],
        AluOp::Lsh => [Lsh64R, Lsh64I, Lsh32R, Lsh32I],
        AluOp::Rsh => [Rsh64R, Rsh64I, Rsh32R, Rsh32I],
        AluOp::Arsh => [Arsh64R, Arsh64I, Arsh32R, Arsh32I],
        AluOp::Mov => [Mov64R, Mov64I, Mov32R, Mov32I],
    };
    codes[usize::from(width == Width::W32) * 2 + usize::from(imm)]
}

#[rustfmt::skip]
fn jump_code(op: JumpOp, width: Width, imm: bool) -> Code {
    use Code::*;
    let codes = match op {
        JumpOp::Eq => [JeqR64, JeqI64, JeqR32, JeqI32],
        JumpOp::Ne => [JneR64, JneI64, JneR32, JneI32],
        JumpOp::Gt => [JgtR64, JgtI64, JgtR32, JgtI32],
        JumpOp::Ge => [JgeR64, JgeI64, JgeR32, JgeI32],
        JumpOp::Lt => [JltR64, JltI64, JltR32, JltI32],
        JumpOp::Le => [JleR64, JleI64, JleR32, JleI32],
        JumpOp::Sgt => [JsgtR64, JsgtI64, JsgtR32, JsgtI32],
        JumpOp::Sge => [JsgeR64, JsgeI64, JsgeR32, JsgeI32],
        JumpOp::Slt => [JsltR64, JsltI64, JsltR32, JsltI32],
        JumpOp::Sle => [JsleR64, JsleI64, JsleR32, JsleI32],
        JumpOp::Set => [JsetR64, JsetI64, JsetR32, JsetI32],
    };
    codes[usize::from(width == Width::W32) * 2 + usize::from(imm)]
}
