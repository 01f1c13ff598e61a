//! Legacy packet loads, compared with Linux: every size, offsets inside and outside of the packet and at the headers.

use std::sync::Arc;

use skep_catalog::ProgramType;
use skep_isa::{AluOp, Insn, Operand, Reg, Size, Width};
use skep_kernel::{TestRun, TraceBuffer};

use super::bpf;

const NET_OFF: i32 = -0x10_0000;
const LL_OFF: i32 = -0x20_0000;

#[test]
fn packet_loads_give_what_linux_gives() {
    if !bpf::available() {
        return;
    }
    let mov = |dst, src| Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src };
    let offsets = [0, 1, 3, 30, 46, 47, 48, 49, 50, 63, 64, 1000, i32::MAX - 3, -1, -4, i32::MIN];
    let headers = [
        NET_OFF,
        NET_OFF + 1,
        NET_OFF + 48,
        NET_OFF + 50,
        LL_OFF,
        LL_OFF + 12,
        LL_OFF + 62,
        LL_OFF + 64,
        LL_OFF - 4,
    ];
    let data: Vec<u8> = (0..64u8).map(|byte| byte.wrapping_mul(3) ^ 0x80).collect();
    for prog_type in [ProgramType::SocketFilter, ProgramType::SchedCls] {
        for size in [Size::B, Size::H, Size::W] {
            for off in offsets.into_iter().chain(headers) {
                for index in [None, Some(0), Some(7), Some(-3)] {
                    let load = match index {
                        None => vec![Insn::LoadAbs { size, off }],
                        Some(index) => {
                            vec![mov(Reg::R7, Operand::Imm(index)), Insn::LoadInd { size, src: Reg::R7, off }]
                        }
                    };
                    let mut code = vec![mov(Reg::R6, Operand::Reg(Reg::R1))];
                    code.extend(load);
                    // Tells a zero that was loaded from the end of the program.
                    code.push(Insn::Alu {
                        width: Width::W32,
                        op: AluOp::Xor,
                        dst: Reg::R0,
                        src: Operand::Imm(0x5555_5555),
                    });
                    code.push(Insn::Exit);
                    let insns = Insn::encode_all(&code);
                    let program =
                        super::load(prog_type, &insns, Vec::new(), &Arc::new(TraceBuffer::default()));
                    let run = TestRun { data_in: data.clone(), ..TestRun::default() };
                    let ours = program.test_run(&run, &super::NoTask).unwrap().retval;
                    let on_linux = bpf::load(prog_type, &insns, &[]).unwrap();
                    let input = bpf::Input { data: data.clone(), ..bpf::Input::default() };
                    let linux = bpf::test_run(&on_linux, &input).unwrap().retval;
                    assert_eq!(ours, linux, "{prog_type:?} {size:?} at {off:#x}, index {index:?}");
                }
            }
        }
    }
}
