//! Translation to eBPF with the semantics that Linux gives classic programs.
//!
//! A lives in R0 and X in R7, both zero-extended; R6 holds the context, as legacy packet loads want it; R8 is for
//! constants and for values held over a load. Scratch memory is the top 64 bytes of the stack. Arithmetic is 32-bit.
//! Code that no jump reaches, which classic BPF allows and eBPF does not, is left out.

use super::{
    Extension, MAX_INSNS, Op, SCRATCH_WORDS, SECCOMP_DATA_SIZE, SeccompFilter, SocketFilter, Source,
};
use crate::{AluOp, CallTarget, Insn, JumpOp, Operand, RawInsn, Reg, Size, SwapKind, Width};

const A: Reg = Reg::R0;
const X: Reg = Reg::R7;
const CTX: Reg = Reg::R6;
const TMP: Reg = Reg::R8;

/// Slots before the first instruction: A, X and the context.
const PROLOGUE: usize = 3;
/// Most slots that one instruction becomes (`ldxb 4*([k]&0xf)`).
const MAX_EXPANSION: usize = 6;
// So every jump of the longest program fits the 16-bit offset of eBPF's jumps.
const _: () = assert!(PROLOGUE + MAX_INSNS * MAX_EXPANSION <= i16::MAX as usize);

/// An instruction that has no equivalent in eBPF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("instruction {index}: `{}` cannot be translated: {why}", .extension.name())]
pub struct TranslateError {
    /// Index of the instruction.
    pub index: usize,
    /// What it loads.
    pub extension: Extension,
    /// Why eBPF cannot.
    pub why: &'static str,
}

impl SocketFilter {
    /// Translates to eBPF for programs whose context is `struct __sk_buff` (socket filters, `sched_cls`, ...) and that
    /// may use legacy packet loads. R0 at exit is the 32-bit result.
    ///
    /// # Errors
    /// When the program loads an extension that `struct __sk_buff` and helpers do not offer: `nla`, `nlan`, `poff`,
    /// `hatype`.
    pub fn to_ebpf(&self) -> Result<Vec<RawInsn>, TranslateError> {
        translate(&self.ops, |index, op, out| {
            socket_load(op, out).map_err(|(e, why)| TranslateError { index, extension: e, why })
        })
    }
}

impl SeccompFilter {
    /// Translates to eBPF with `struct seccomp_data` as the context. R0 at exit is the 32-bit action.
    #[must_use]
    pub fn to_ebpf(&self) -> Vec<RawInsn> {
        let result: Result<_, std::convert::Infallible> = translate(&self.ops, |_, op, out| {
            seccomp_load(op, out);
            Ok(())
        });
        match result {
            Ok(insns) => insns,
        }
    }
}

/// Loads of a socket filter's input; all other operations leave `out` alone.
fn socket_load(op: Op, out: &mut Output) -> Result<(), (Extension, &'static str)> {
    match op {
        Op::LdAbs(size, k) => out.emit(Insn::LoadAbs { size, off: k.cast_signed() }),
        Op::LdInd(size, k) => out.emit(Insn::LoadInd { size, src: X, off: k.cast_signed() }),
        Op::LdLen => out.field(A, sk_buff::LEN),
        Op::LdxLen => out.field(X, sk_buff::LEN),
        Op::LdxMsh(k) => {
            out.mov(TMP, Operand::Reg(A));
            out.emit(Insn::LoadAbs { size: Size::B, off: k.cast_signed() });
            out.alu(AluOp::And, A, Operand::Imm(0xf));
            out.alu(AluOp::Lsh, A, Operand::Imm(2));
            out.mov(X, Operand::Reg(A));
            out.mov(A, Operand::Reg(TMP));
        }
        Op::LdExt(_, extension) => return extension_load(extension, out).map_err(|why| (extension, why)),
        _ => {}
    }
    Ok(())
}

fn extension_load(extension: Extension, out: &mut Output) -> Result<(), &'static str> {
    match extension {
        Extension::Protocol => {
            out.field(A, sk_buff::PROTOCOL);
            out.ntohs(A);
        }
        Extension::VlanTpid => {
            out.field(A, sk_buff::VLAN_PROTO);
            out.ntohs(A);
        }
        Extension::PktType => out.field(A, sk_buff::PKT_TYPE),
        Extension::Mark => out.field(A, sk_buff::MARK),
        Extension::Queue => out.field(A, sk_buff::QUEUE_MAPPING),
        Extension::Rxhash => out.field(A, sk_buff::HASH),
        Extension::VlanTci => out.field(A, sk_buff::VLAN_TCI),
        Extension::VlanAvail => out.field(A, sk_buff::VLAN_PRESENT),
        Extension::Ifindex => {
            // Without a device the field is 0, and the classic program ends with A as it is.
            out.field(TMP, sk_buff::IFINDEX);
            out.skip(JumpOp::Ne, TMP, 1);
            out.emit(Insn::Exit);
            out.mov(A, Operand::Reg(TMP));
        }
        Extension::Cpu => out.emit(Insn::Call(CallTarget::Helper(GET_SMP_PROCESSOR_ID))),
        Extension::Random => out.emit(Insn::Call(CallTarget::Helper(GET_PRANDOM_U32))),
        Extension::AluXorX => out.alu(AluOp::Xor, A, Operand::Reg(X)),
        Extension::Hatype => return Err("struct __sk_buff has no field for the type of the interface"),
        Extension::PayOffset => return Err("no helper gives the offset of the payload; parse the headers"),
        Extension::NlAttr | Extension::NlAttrNest => {
            return Err("no helper looks for netlink attributes; walk them with loads");
        }
    }
    Ok(())
}

fn seccomp_load(op: Op, out: &mut Output) {
    const SIZE: i32 = SECCOMP_DATA_SIZE as i32;
    match op {
        // Checked to be an aligned word below 64.
        Op::LdAbs(_, k) => {
            out.emit(Insn::Load { size: Size::W, sign_extend: false, dst: A, base: CTX, off: k as i16 });
        }
        Op::LdLen => out.mov(A, Operand::Imm(SIZE)),
        Op::LdxLen => out.mov(X, Operand::Imm(SIZE)),
        // Nothing else of the packet is allowed.
        _ => {}
    }
}

/// Byte offsets in `struct __sk_buff` (`linux/bpf.h`).
mod sk_buff {
    pub(super) const LEN: i16 = 0;
    pub(super) const PKT_TYPE: i16 = 4;
    pub(super) const MARK: i16 = 8;
    pub(super) const QUEUE_MAPPING: i16 = 12;
    pub(super) const PROTOCOL: i16 = 16;
    pub(super) const VLAN_PRESENT: i16 = 20;
    pub(super) const VLAN_TCI: i16 = 24;
    pub(super) const VLAN_PROTO: i16 = 28;
    pub(super) const IFINDEX: i16 = 40;
    pub(super) const HASH: i16 = 68;
}

/// `bpf_get_prandom_u32`.
const GET_PRANDOM_U32: i32 = 7;
/// `bpf_get_smp_processor_id`.
const GET_SMP_PROCESSOR_ID: i32 = 8;

/// eBPF instructions, each one slot, whose jumps to classic instructions are still to be resolved.
struct Output {
    insns: Vec<Insn>,
    /// Slot of a jump, and the classic instruction it goes to.
    jumps: Vec<(usize, usize)>,
}

impl Output {
    fn emit(&mut self, insn: Insn) {
        self.insns.push(insn);
    }

    fn alu(&mut self, op: AluOp, dst: Reg, src: Operand) {
        self.emit(Insn::Alu { width: Width::W32, op, dst, src });
    }

    fn mov(&mut self, dst: Reg, src: Operand) {
        self.alu(AluOp::Mov, dst, src);
    }

    fn imm(&mut self, dst: Reg, k: u32) {
        self.mov(dst, Operand::Imm(k.cast_signed()));
    }

    /// A 32-bit field of the context.
    fn field(&mut self, dst: Reg, off: i16) {
        self.emit(Insn::Load { size: Size::W, sign_extend: false, dst, base: CTX, off });
    }

    fn ntohs(&mut self, dst: Reg) {
        self.emit(Insn::Swap { kind: SwapKind::ToBe, size: Size::H, dst });
    }

    /// Skips `off` slots if the register compares so with 0.
    fn skip(&mut self, op: JumpOp, dst: Reg, off: i16) {
        self.emit(Insn::JumpIf { width: Width::W64, op, dst, src: Operand::Imm(0), off });
    }

    fn jump_to(&mut self, target: usize) {
        self.jumps.push((self.insns.len(), target));
        self.emit(Insn::Jump { off: 0, long: false });
    }

    fn jump_to_if(&mut self, target: usize, op: JumpOp, src: Operand) {
        self.jumps.push((self.insns.len(), target));
        self.emit(Insn::JumpIf { width: Width::W64, op, dst: A, src, off: 0 });
    }

    /// Both registers of a 64-bit comparison are zero-extended; an immediate would be sign-extended.
    fn comparand(&mut self, src: Source) -> Operand {
        match src {
            Source::X => Operand::Reg(X),
            Source::K(k) if k <= i32::MAX.cast_unsigned() => Operand::Imm(k.cast_signed()),
            Source::K(k) => {
                self.imm(TMP, k);
                Operand::Reg(TMP)
            }
        }
    }
}

/// Where a word of scratch memory is, relative to the frame pointer.
fn scratch(k: u32) -> i16 {
    (k as i16 - SCRATCH_WORDS as i16) * 4
}

fn translate<E>(
    ops: &[Op],
    mut load: impl FnMut(usize, Op, &mut Output) -> Result<(), E>,
) -> Result<Vec<RawInsn>, E> {
    let reachable = reachable(ops);
    let mut out = Output { insns: Vec::with_capacity(PROLOGUE + 2 * ops.len()), jumps: Vec::new() };
    out.imm(A, 0);
    out.imm(X, 0);
    out.emit(Insn::Alu { width: Width::W64, op: AluOp::Mov, dst: CTX, src: Operand::Reg(Reg::R1) });

    let mut starts = Vec::with_capacity(ops.len());
    for (index, &op) in ops.iter().enumerate() {
        starts.push(out.insns.len());
        if !reachable[index] {
            continue;
        }
        match op {
            Op::LdAbs(..) | Op::LdInd(..) | Op::LdExt(..) | Op::LdLen | Op::LdxLen | Op::LdxMsh(_) => {
                load(index, op, &mut out)?;
            }
            Op::LdImm(k) => out.imm(A, k),
            Op::LdxImm(k) => out.imm(X, k),
            Op::LdMem(k) => load_scratch(&mut out, A, k),
            Op::LdxMem(k) => load_scratch(&mut out, X, k),
            Op::St(k) => store_scratch(&mut out, A, k),
            Op::Stx(k) => store_scratch(&mut out, X, k),
            Op::Alu(op, src) => alu(&mut out, op, src),
            Op::Neg => out.emit(Insn::Neg { width: Width::W32, dst: A }),
            Op::Ja(0) => {}
            Op::Ja(k) => out.jump_to(index + 1 + k as usize),
            Op::Jump { op, src, jt, jf } => jump(&mut out, index + 1, op, src, jt.into(), jf.into()),
            Op::RetK(k) => {
                out.imm(A, k);
                out.emit(Insn::Exit);
            }
            Op::RetA => out.emit(Insn::Exit),
            Op::Tax => out.mov(X, Operand::Reg(A)),
            Op::Txa => out.mov(A, Operand::Reg(X)),
        }
    }
    resolve_jumps(&mut out, &starts);
    Ok(Insn::encode_all(&out.insns))
}

/// Jumps only go forward, so one pass finds what is reachable.
fn reachable(ops: &[Op]) -> Vec<bool> {
    let mut reachable = vec![false; ops.len()];
    let mark = |reachable: &mut Vec<bool>, index: usize| {
        if let Some(seen) = reachable.get_mut(index) {
            *seen = true;
        }
    };
    mark(&mut reachable, 0);
    for (index, op) in ops.iter().enumerate() {
        if !reachable[index] {
            continue;
        }
        match *op {
            Op::RetA | Op::RetK(_) => {}
            Op::Ja(k) => mark(&mut reachable, index + 1 + k as usize),
            Op::Jump { jt, jf, .. } => {
                mark(&mut reachable, index + 1 + usize::from(jt));
                mark(&mut reachable, index + 1 + usize::from(jf));
            }
            _ => mark(&mut reachable, index + 1),
        }
    }
    reachable
}

fn load_scratch(out: &mut Output, dst: Reg, k: u32) {
    out.emit(Insn::Load { size: Size::W, sign_extend: false, dst, base: Reg::FP, off: scratch(k) });
}

fn store_scratch(out: &mut Output, src: Reg, k: u32) {
    out.emit(Insn::StoreReg { size: Size::W, base: Reg::FP, off: scratch(k), src });
}

fn alu(out: &mut Output, op: AluOp, src: Source) {
    match src {
        Source::K(k) => out.alu(op, A, Operand::Imm(k.cast_signed())),
        Source::X => {
            if matches!(op, AluOp::Div | AluOp::Mod) {
                out.skip(JumpOp::Ne, X, 2);
                out.imm(A, 0);
                out.emit(Insn::Exit);
            }
            out.alu(op, A, Operand::Reg(X));
        }
    }
}

fn jump(out: &mut Output, next: usize, op: JumpOp, src: Source, jt: usize, jf: usize) {
    if jt == jf {
        if jt != 0 {
            out.jump_to(next + jt);
        }
        return;
    }
    let src = out.comparand(src);
    let inverted = match op {
        JumpOp::Eq => Some(JumpOp::Ne),
        JumpOp::Gt => Some(JumpOp::Le),
        JumpOp::Ge => Some(JumpOp::Lt),
        // `jset` has no inverse.
        _ => None,
    };
    match inverted {
        Some(inverted) if jt == 0 => out.jump_to_if(next + jf, inverted, src),
        _ => {
            out.jump_to_if(next + jt, op, src);
            if jf != 0 {
                out.jump_to(next + jf);
            }
        }
    }
}

fn resolve_jumps(out: &mut Output, starts: &[usize]) {
    for &(slot, target) in &out.jumps {
        // Fits: see the assertion on MAX_EXPANSION.
        let distance = (starts[target] - slot - 1) as i16;
        match &mut out.insns[slot] {
            Insn::Jump { off, .. } => *off = distance.into(),
            Insn::JumpIf { off, .. } => *off = distance,
            _ => {}
        }
    }
}
