//! Test runs of packet programs: input rules, contexts, output and errors, compared with Linux.

use std::io;
use std::sync::Arc;

use skep_catalog::ProgramType;
use skep_kernel::{KernelError, TestRun, TestRunResult, TraceBuffer};

use super::bpf::{self, Input, Output};

/// What a run answers on either side: output, or the errno.
type Answer = Result<Output, i32>;

fn ours(answer: Result<TestRunResult, KernelError>) -> Answer {
    answer
        .map(|run| Output { retval: run.retval, data: run.data_out, ctx: run.ctx_out })
        .map_err(|error| error.errno.0)
}

fn linux(answer: io::Result<Output>) -> Answer {
    answer.map_err(|error| error.raw_os_error().unwrap())
}

/// Runs a program on all inputs on both sides.
fn compare(test: &str, prog_type: ProgramType, text: &str, inputs: &[Input]) {
    if !bpf::available() {
        return;
    }
    let insns = super::assemble(text);
    let program = super::load(prog_type, &insns, Vec::new(), &Arc::new(TraceBuffer::default()));
    let on_linux = bpf::load(prog_type, &insns, &[]).unwrap_or_else(|failure| panic!("{}", failure.log));
    for input in inputs {
        let run = TestRun {
            data_in: input.data.clone(),
            data_out_size: input.data_out_size,
            ctx_in: input.ctx.clone(),
            ctx_out_size: input.ctx_out_size,
            repeat: input.repeat,
            flags: input.flags,
            cpu: 0,
        };
        let answer = program.test_run(&run, &super::NoTask);
        let why = answer.as_ref().err().map(ToString::to_string);
        let (ours, linux) = (ours(answer), linux(bpf::test_run(&on_linux, input)));
        assert_eq!(ours, linux, "{test}: ours ({why:?}) and Linux' answer to {input:?}");
    }
}

/// A packet of `len` bytes to this address with this protocol.
fn packet(to: [u8; 6], proto: u16, len: usize) -> Vec<u8> {
    let mut data: Vec<u8> = (0..len).map(|byte| byte as u8).collect();
    for (place, byte) in
        data.iter_mut().zip(to.into_iter().chain([2, 0, 0, 0, 0, 1]).chain(proto.to_be_bytes()))
    {
        *place = byte;
    }
    data
}

fn with_ctx(data: Vec<u8>, ctx: Vec<u8>) -> Input {
    Input { data_out_size: 4096, ctx_out_size: ctx.len() as u32, data, ctx, repeat: 1, flags: 0 }
}

fn without_ctx(data: Vec<u8>) -> Input {
    Input { data_out_size: 4096, data, repeat: 1, ..Input::default() }
}

/// An `__sk_buff` with some fields set.
fn sk_buff(fields: &[(usize, u32)]) -> Vec<u8> {
    let mut ctx = vec![0; 192];
    for (offset, value) in fields {
        ctx[*offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
    }
    ctx
}

const MARK: usize = 8;
const PRIORITY: usize = 32;
const INGRESS_IFINDEX: usize = 36;
const IFINDEX: usize = 40;
const CB: usize = 48;
const TSTAMP: usize = 152;
const WIRE_LEN: usize = 160;
const GSO_SEGS: usize = 164;
const GSO_SIZE: usize = 176;

fn skb_inputs() -> Vec<Input> {
    let hosts = [[0; 6], [0xff; 6], [1, 0, 0x5e, 0, 0, 1], [2, 0, 0, 0, 0, 2]];
    let mut inputs: Vec<Input> = hosts.into_iter().map(|to| without_ctx(packet(to, 0x0800, 256))).collect();
    inputs.extend([0x86dd, 0x0806, 0x1234, 100, 0].map(|proto| without_ctx(packet([0; 6], proto, 256))));
    inputs.extend([0, 1, 13, 14, 15, 33, 34, 64, 200].map(|len| without_ctx(packet([0; 6], 0x88b5, len))));
    let contexts = [
        sk_buff(&[]),
        sk_buff(&[
            (MARK, 7),
            (PRIORITY, 8),
            (INGRESS_IFINDEX, 1),
            (IFINDEX, 1),
            (GSO_SEGS, 3),
            (GSO_SIZE, 9),
        ]),
        sk_buff(&[
            (CB, 1),
            (CB + 4, 2),
            (CB + 8, 3),
            (CB + 12, 4),
            (CB + 16, 5),
            (TSTAMP, 77),
            (TSTAMP + 4, 5),
        ]),
        sk_buff(&[(WIRE_LEN, 300)]),
        sk_buff(&[(WIRE_LEN, 10)]),
        sk_buff(&[(WIRE_LEN, 65536)]),
        sk_buff(&[(WIRE_LEN, 65537)]),
    ];
    inputs.extend(contexts.map(|ctx| with_ctx(packet([0; 6], 0x0800, 256), ctx)));
    // Every byte that may not be given.
    for offset in (0..192).step_by(4) {
        inputs.push(with_ctx(
            packet([0; 6], 0x88b5, 256),
            sk_buff(&[(offset, if offset == IFINDEX { 1 } else { 0x100 })]),
        ));
    }
    // Contexts of other sizes, and output that does not fit.
    let data = packet([0; 6], 0x88b5, 256);
    inputs.push(with_ctx(data.clone(), vec![0; 64]));
    inputs.push(with_ctx(data.clone(), vec![0; 200]));
    inputs.push(with_ctx(data.clone(), [sk_buff(&[]), vec![0, 0, 1, 0]].concat()));
    inputs.push(Input { ctx_out_size: 100, ..with_ctx(data.clone(), sk_buff(&[])) });
    inputs.push(Input { ctx_out_size: 0, ..with_ctx(data.clone(), sk_buff(&[])) });
    inputs.push(Input { ctx_out_size: 192, ..without_ctx(data.clone()) });
    inputs.push(Input { data_out_size: 255, ..without_ctx(data.clone()) });
    inputs.push(Input { data_out_size: 0, ..without_ctx(data.clone()) });
    inputs.push(Input { repeat: 3, ..without_ctx(data.clone()) });
    inputs.push(Input { flags: 1, ..without_ctx(data) });
    inputs
}

/// Copies fields of `__sk_buff` into the packet, one 32-bit word after the other.
fn copy_fields(offsets: &[usize]) -> String {
    let mut text = String::from(
        "r6 = r1
         r7 = *(u32 *)(r6 + 76)
         r3 = *(u32 *)(r6 + 80)
         r4 = r7
         r4 += 192
         r0 = 77
         if r4 > r3 goto out
        ",
    );
    for (index, offset) in offsets.iter().enumerate() {
        let to = 14 + index * 4;
        text += &format!("r5 = *(u32 *)(r6 + {offset})\n*(u32 *)(r7 + {to}) = r5\n");
    }
    // The distance from data to data_end.
    text += "r3 -= r7\nr0 = r3\nout: exit\n";
    text
}

#[test]
fn sched_cls_sees_the_fields_that_linux_shows() {
    let fields = [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 68, 72, 84, 160, 164, 176];
    compare("sched_cls fields", ProgramType::SchedCls, &copy_fields(&fields), &skb_inputs());
}

#[test]
fn what_sched_cls_writes_comes_out() {
    let text = "
        *(u32 *)(r1 + 8) = 1111
        *(u32 *)(r1 + 32) = 2222
        *(u32 *)(r1 + 48) = 1
        *(u32 *)(r1 + 64) = 5
        r2 = 123456789 ll
        *(u64 *)(r1 + 152) = r2
        r0 = *(u32 *)(r1 + 0)
        exit";
    compare("sched_cls writes", ProgramType::SchedCls, text, &skb_inputs());
}

#[test]
fn socket_filters_see_the_packet_without_its_link_layer_header() {
    let text = "r0 = *(u32 *)(r1 + 0)\nexit";
    compare("socket filter", ProgramType::SocketFilter, text, &skb_inputs());
}

#[test]
fn skb_helpers_answer_as_on_linux() {
    for (offset, len) in
        [(0, 4), (14, 16), (240, 16), (241, 16), (255, 1), (256, 1), (-1, 4), (0x7fff_ffff, 4)]
    {
        let load = format!(
            "r6 = r1
             r1 = 0
             *(u64 *)(r10 - 16) = r1
             *(u64 *)(r10 - 8) = r1
             r1 = r6
             r2 = {offset}
             r3 = r10
             r3 += -16
             r4 = {len}
             call skb_load_bytes
             r7 = r0
             r1 = r6
             r2 = 20
             r3 = r10
             r3 += -16
             r4 = 16
             r5 = 0
             call skb_store_bytes
             r1 = r6
             r2 = {offset}
             r3 = r10
             r3 += -16
             r4 = {len}
             r5 = 1
             call skb_store_bytes
             r0 <<= 8
             r0 += r7
             exit"
        );
        compare("skb_load_bytes", ProgramType::SchedCls, &load, &[without_ctx(packet([0; 6], 0x88b5, 256))]);
    }
}

fn xdp_inputs() -> Vec<Input> {
    let md = |fields: &[(usize, u32)]| {
        let mut ctx = vec![0; 24];
        for (offset, value) in fields {
            ctx[*offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        }
        ctx
    };
    let data = packet([0; 6], 0x0800, 100);
    let mut inputs: Vec<Input> =
        [0, 13, 14, 15, 60, 100, 1000, 3000].map(|len| without_ctx(packet([0; 6], 1, len))).into();
    for fields in [
        &[(4, 100)][..],
        &[(4, 100), (0, 8)],
        &[(4, 100), (0, 6)],
        &[(4, 100), (0, 104)],
        &[(4, 100), (8, 4)],
        &[(4, 100), (12, 1)],
        &[(4, 100), (12, 1), (16, 0)],
        &[(4, 100), (16, 1)],
        &[(4, 100), (20, 1)],
    ] {
        inputs.push(with_ctx(data.clone(), md(fields)));
    }
    inputs.push(Input { data_out_size: 99, ..without_ctx(data.clone()) });
    inputs.push(Input { repeat: 2, ..without_ctx(data) });
    inputs
}

#[test]
fn xdp_runs_answer_as_on_linux() {
    let text = "
        r2 = *(u32 *)(r1 + 0)
        r3 = *(u32 *)(r1 + 4)
        r4 = *(u32 *)(r1 + 8)
        r5 = *(u32 *)(r1 + 12)
        r0 = *(u32 *)(r1 + 16)
        r6 = r2
        r6 += 60
        if r6 > r3 goto short
        *(u32 *)(r2 + 16) = r5
        *(u32 *)(r2 + 20) = r0
        r6 = r4
        r6 += 4
        if r6 > r2 goto short
        *(u32 *)(r4 + 0) = 99
    short:
        r3 -= r2
        r2 -= r4
        r2 <<= 16
        r0 = r3
        r0 += r2
        exit";
    compare("xdp", ProgramType::Xdp, text, &xdp_inputs());
}

#[test]
fn xdp_helpers_that_move_the_packets_ends_answer_as_on_linux() {
    let deltas =
        [0, 1, 4, 14, 40, 86, 87, 100, 252, 256, -1, -2, -4, -8, -40, -86, -87, -215, -216, -217, -252, -256];
    for helper in ["xdp_adjust_head", "xdp_adjust_tail", "xdp_adjust_meta"] {
        for delta in deltas {
            let text = format!("r2 = {delta}\ncall {helper}\nexit");
            let inputs: Vec<Input> = xdp_inputs().into_iter().filter(|input| input.repeat < 2).collect();
            compare(helper, ProgramType::Xdp, &text, &inputs);
        }
    }
}

#[test]
fn raw_tracepoint_runs_take_arguments() {
    let text = "r0 = *(u64 *)(r1 + 0)\nr1 = *(u64 *)(r1 + 8)\nr0 += r1\nexit";
    let arguments: Vec<u8> = [40u64, 2].iter().flat_map(|word| word.to_ne_bytes()).collect();
    let good = Input { ctx: arguments.clone(), ..Input::default() };
    let inputs = [
        good.clone(),
        Input { ctx: vec![1; 96], ..Input::default() },
        Input { ctx: vec![1; 97], ..Input::default() },
        Input { repeat: 1, ..good.clone() },
        Input { data: vec![0; 64], ..good.clone() },
        Input { data_out_size: 64, ..good.clone() },
        Input { ctx_out_size: 16, ..good.clone() },
        Input { flags: 2, ..good.clone() },
        Input { flags: 1, ..good },
    ];
    compare("raw_tracepoint", ProgramType::RawTracepoint, text, &inputs);
}

#[test]
fn checksum_differences_are_those_of_linux() {
    // Four words of the packet are the operands, so that they are unknown and different.
    for (from, to, seed) in
        [(0, 8, 0), (8, 0, 0), (8, 8, 0), (0, 0, 7), (4, 16, 0xffff), (16, 4, -1), (8, 8, 0x1234_5678)]
    {
        let text = format!(
            "r6 = r1
             r2 = 0
             r3 = r10
             r3 += -32
             r4 = 32
             call skb_load_bytes
             r1 = r10
             r1 += -32
             r2 = {from}
             r3 = r10
             r3 += -16
             r4 = {to}
             r5 = {seed}
             call csum_diff
             exit"
        );
        let inputs = [1u8, 0x80, 0xff].map(|byte| {
            let mut data = packet([byte; 6], 0x0800, 64);
            data[20..].iter_mut().for_each(|place| *place = place.wrapping_mul(byte));
            without_ctx(data)
        });
        compare("csum_diff", ProgramType::SchedCls, &text, &inputs);
    }
}
