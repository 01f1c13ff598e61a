//! A small evaluator of the eBPF that translation gives: written apart from it, over decoded instructions, and strict
//! (reading a register or stack word that was not written panics).

use std::collections::HashMap;

use skep_isa::cbpf::{Packet, SKF_LL_OFF, SKF_NET_OFF};
use skep_isa::{AluOp, CallTarget, Insn, JumpOp, Operand, RawInsn, Reg, Size, SwapKind, Width};

/// Runs on a packet, the context being its `struct __sk_buff`; the result as a socket filter's, 32 bits.
pub(crate) fn run(program: &[RawInsn], packet: &Packet<'_>) -> u32 {
    let fields = [
        (0, (packet.buffer.len() - packet.data.min(packet.buffer.len())) as u32),
        (4, packet.pkt_type.into()),
        (8, packet.mark),
        (12, packet.queue.into()),
        (16, packet.protocol.to_be().into()),
        (20, packet.vlan.is_some().into()),
        (24, packet.vlan.map_or(0, |vlan| vlan.tci.into())),
        (28, packet.vlan.map_or(0, |vlan| vlan.tpid.to_be().into())),
        (40, packet.device.map_or(0, |device| device.ifindex)),
        (68, packet.rxhash),
    ];
    evaluate(program, &HashMap::from(fields), packet)
}

/// Runs on a context of bytes.
pub(crate) fn run_on_context(program: &[RawInsn], ctx: &[u8]) -> u32 {
    let words = ctx.chunks(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap()));
    let fields = words.enumerate().map(|(n, word)| (4 * n as i16, word)).collect();
    evaluate(program, &fields, &Packet::new(&[]))
}

fn evaluate(program: &[RawInsn], ctx: &HashMap<i16, u32>, packet: &Packet<'_>) -> u32 {
    let mut regs: [Option<u64>; 11] = [None; 11];
    // A token for the context pointer.
    const CTX: u64 = 0xc0de_0000_0000;
    regs[1] = Some(CTX);
    let mut stack: HashMap<i16, u32> = HashMap::new();
    let mut pc = 0_usize;
    loop {
        let insn = Insn::decode(&program[pc..]).unwrap();
        pc += insn.slots();
        let get = |reg: Reg| regs[reg.index()].unwrap_or_else(|| panic!("{reg} is read before {pc}"));
        let operand = |src: Operand| match src {
            Operand::Reg(reg) => get(reg),
            Operand::Imm(imm) => i64::from(imm) as u64,
        };
        match insn {
            Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src } => {
                regs[dst.index()] = Some(operand(src));
            }
            Insn::Alu { width: Width::W32, op, dst, src } => {
                let b = operand(src) as u32;
                let a = if op == AluOp::Mov { 0 } else { get(dst) as u32 };
                let value = match op {
                    AluOp::Add => a.wrapping_add(b),
                    AluOp::Sub => a.wrapping_sub(b),
                    AluOp::Mul => a.wrapping_mul(b),
                    AluOp::Div => a.checked_div(b).unwrap_or(0),
                    AluOp::Mod => a.checked_rem(b).unwrap_or(a),
                    AluOp::Or => a | b,
                    AluOp::And => a & b,
                    AluOp::Xor => a ^ b,
                    AluOp::Lsh => a << (b & 31),
                    AluOp::Rsh => a >> (b & 31),
                    AluOp::Mov => b,
                    other => panic!("{other:?}"),
                };
                regs[dst.index()] = Some(value.into());
            }
            Insn::Neg { width: Width::W32, dst } => {
                regs[dst.index()] = Some((get(dst) as u32).wrapping_neg().into());
            }
            Insn::Swap { kind: SwapKind::ToBe, size: Size::H, dst } => {
                regs[dst.index()] = Some((get(dst) as u16).to_be().into());
            }
            Insn::Load { size: Size::W, sign_extend: false, dst, base, off } => {
                let word = if base == Reg::FP {
                    stack[&off]
                } else {
                    assert_eq!(get(base), CTX);
                    ctx[&off]
                };
                regs[dst.index()] = Some(word.into());
            }
            Insn::StoreReg { size: Size::W, base: Reg::R10, off, src } => {
                assert!((-512..0).contains(&off));
                stack.insert(off, get(src) as u32);
            }
            Insn::LoadAbs { .. } | Insn::LoadInd { .. } => {
                assert_eq!(get(Reg::R6), CTX);
                let (size, offset) = match insn {
                    Insn::LoadAbs { size, off } => (size, off as u32),
                    Insn::LoadInd { size, src, off } => (size, (get(src) as u32).wrapping_add(off as u32)),
                    _ => unreachable!(),
                };
                match load(packet, size, offset) {
                    Some(value) => regs[0] = Some(value.into()),
                    None => return 0,
                }
                regs[1..6].fill(None);
            }
            Insn::Jump { off, long: false } => pc = pc.checked_add_signed(off as isize).unwrap(),
            Insn::JumpIf { width: Width::W64, op, dst, src, off } => {
                let (a, b) = (get(dst), operand(src));
                let holds = match op {
                    JumpOp::Eq => a == b,
                    JumpOp::Ne => a != b,
                    JumpOp::Gt => a > b,
                    JumpOp::Ge => a >= b,
                    JumpOp::Lt => a < b,
                    JumpOp::Le => a <= b,
                    JumpOp::Set => a & b != 0,
                    other => panic!("{other:?}"),
                };
                if holds {
                    pc = pc.checked_add_signed(off.into()).unwrap();
                }
            }
            Insn::Call(CallTarget::Helper(helper)) => {
                regs[..6].fill(None);
                regs[0] = Some(match helper {
                    7 => packet.random.into(),
                    8 => packet.cpu.into(),
                    other => panic!("helper {other}"),
                });
            }
            Insn::Exit => return get(Reg::R0) as u32,
            other => panic!("{other:?} is not translated to"),
        }
    }
}

fn load(packet: &Packet<'_>, size: Size, offset: u32) -> Option<u32> {
    let start = match offset {
        ..0x8000_0000 => packet.data + offset as usize,
        SKF_NET_OFF.. => packet.network_header + (offset - SKF_NET_OFF) as usize,
        SKF_LL_OFF.. => packet.mac_header? + (offset - SKF_LL_OFF) as usize,
        _ => return None,
    };
    let bytes = packet.buffer.get(start..start + size.bytes())?;
    let mut word = [0; 4];
    word[4 - bytes.len()..].copy_from_slice(bytes);
    Some(u32::from_be_bytes(word))
}
