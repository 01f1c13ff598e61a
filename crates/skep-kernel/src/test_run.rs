//! `BPF_PROG_TEST_RUN`: a program on given input, with the rules and errors of Linux.
//!
//! | program types | input | output |
//! | --- | --- | --- |
//! | socket filter, `sched_cls`, `sched_act`, cgroup skb, LWT | packet, `__sk_buff` | packet, `__sk_buff` |
//! | XDP | packet, `xdp_md` | packet with metadata, `xdp_md` |
//! | raw tracepoint | arguments as context | |
//! | syscall | context | context |
//! | tracepoint, kprobe, perf event | context; Linux has no test run for these | |

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use skep_catalog::ProgramType;
use skep_catalog::contexts::{ContextStruct, SK_BUFF, XDP_MD};

use crate::error::{Errno, KernelError};
use crate::interp::{Fault, Packet, RunOptions};
use crate::kernel::{TestRun, TestRunResult};
use crate::program::Program;
use crate::run::{RunContext, Task};

type Result<T> = std::result::Result<T, KernelError>;

/// Bytes of an Ethernet header.
const ETH_HLEN: usize = 14;
/// Room before the packet (`XDP_PACKET_HEADROOM`).
const HEADROOM: usize = 256;
/// Bytes of packet and headroom together, as long as the packet fits: a page without what the kernel keeps at its end.
const FRAME: usize = 4096 - 320;
/// Longest packet.
const MAX_PACKET: usize = 0xffff;
/// `BPF_F_TEST_RUN_ON_CPU`.
const ON_CPU: u32 = 1 << 0;
/// Interface index of the loopback device, which test packets come from.
const LOOPBACK: u32 = 1;
/// Arguments of a raw tracepoint (`MAX_BPF_FUNC_ARGS`).
const MAX_ARGUMENTS: usize = 12;

fn refuse<T>(errno: Errno, what: impl Into<String>) -> Result<T> {
    Err(KernelError::new(errno, what))
}

/// What a run that faulted answers.
fn faulted(fault: &Fault) -> KernelError {
    KernelError::new(Errno::EFAULT, format!("the program did what the verifier does not allow: {fault}"))
}

impl Program {
    /// `BPF_PROG_TEST_RUN` with the given input, in `task`.
    ///
    /// # Errors
    /// The errno of Linux for the same input: `EINVAL` for input that the program type does not take, `ENOSPC` when the
    /// output does not fit, `ENOTSUPP` for program types without test runs. `EFAULT` when the program faulted.
    pub fn test_run(&self, run: &TestRun, task: &dyn Task) -> Result<TestRunResult> {
        self.test_run_with(run, task, &RunOptions::default())
    }

    /// [`Program::test_run`] with a budget for each repetition and a stop flag.
    ///
    /// # Errors
    /// As [`Program::test_run`]; `EINTR` when the flag was set between two repetitions.
    pub fn test_run_with(
        &self,
        run: &TestRun,
        task: &dyn Task,
        options: &RunOptions<'_>,
    ) -> Result<TestRunResult> {
        match self.prog_type() {
            ProgramType::SocketFilter
            | ProgramType::SchedCls
            | ProgramType::SchedAct
            | ProgramType::CgroupSkb
            | ProgramType::LwtIn
            | ProgramType::LwtOut
            | ProgramType::LwtXmit => self.test_run_skb(run, task, options),
            ProgramType::Xdp => self.test_run_xdp(run, task, options),
            ProgramType::RawTracepoint | ProgramType::RawTracepointWritable => {
                self.test_run_raw_tp(run, task, options)
            }
            ProgramType::Syscall => self.test_run_syscall(run, task, options),
            ProgramType::Tracepoint | ProgramType::Kprobe | ProgramType::PerfEvent => {
                self.test_run_event(run, task, options)
            }
            other => {
                refuse(Errno::ENOTSUPP, format!("programs of type {} have no test run", other.uapi_name()))
            }
        }
    }

    /// Runs as often as asked; gives the last R0 and the mean time of a run.
    fn repeat(
        &self,
        run: &TestRun,
        task: &dyn Task,
        options: &RunOptions<'_>,
        ctx: &mut [u8],
        mut packet: Option<&mut Packet>,
    ) -> Result<(u32, Duration)> {
        let times = run.repeat.max(1);
        let start = Instant::now();
        let mut retval = 0;
        for done in 0..times {
            if options.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return refuse(Errno::EINTR, format!("stopped on request after {done} of {times} runs"));
            }
            let mut context = RunContext { cpu: run.cpu, task, ctx, kernel_memory: &[], cookie: 0 };
            retval = self
                .run_packet(&mut context, packet.as_deref_mut(), options)
                .map_err(|fault| faulted(&fault))?;
        }
        Ok((retval as u32, start.elapsed() / times))
    }

    fn test_run_skb(
        &self,
        run: &TestRun,
        task: &dyn Task,
        options: &RunOptions<'_>,
    ) -> Result<TestRunResult> {
        if run.flags != 0 || run.cpu != 0 {
            return refuse(Errno::EINVAL, "test runs of packet programs take no flags and no CPU");
        }
        check_packet(run)?;
        let mut ctx = ctx_in(run, &SK_BUFF)?;
        let given = ctx.is_some();
        let ctx = ctx.get_or_insert_with(|| vec![0; SK_BUFF.size as usize]);
        check_sk_buff(ctx)?;

        let at_link_layer = matches!(self.prog_type(), ProgramType::SchedCls | ProgramType::SchedAct);
        let mut packet = Packet::new(&run.data_in, HEADROOM, 0, at_link_layer);
        if !at_link_layer {
            packet.start += ETH_HLEN;
            packet.meta = packet.start;
        }
        fill_sk_buff(ctx, given, &run.data_in, packet.end - packet.start)?;
        let (retval, duration) = self.repeat(run, task, options, ctx, Some(&mut packet))?;
        if !at_link_layer {
            // Linux gives the link-layer header back as zeroes.
            packet.start -= ETH_HLEN;
            if let Some(header) = packet.buffer.get_mut(packet.start..packet.start + ETH_HLEN) {
                header.fill(0);
            }
        }
        let data_out = output(packet.buffer.get(packet.start..packet.end), run.data_out_size, "packet")?;
        clear_unshown(ctx);
        let ctx_out = if given { output(Some(ctx), run.ctx_out_size, "context")? } else { Vec::new() };
        Ok(TestRunResult { retval, data_out, ctx_out, duration })
    }

    fn test_run_xdp(
        &self,
        run: &TestRun,
        task: &dyn Task,
        options: &RunOptions<'_>,
    ) -> Result<TestRunResult> {
        if run.flags != 0 || run.cpu != 0 {
            return refuse(
                Errno::EINVAL,
                "test runs of XDP programs take no flags and no CPU on the user target",
            );
        }
        check_packet(run)?;
        let mut ctx = ctx_in(run, &XDP_MD)?;
        let given = ctx.is_some();
        let ctx = ctx.get_or_insert_with(|| vec![0; XDP_MD.size as usize]);
        let metadata = if given { check_xdp_md(ctx, run.data_in.len())? } else { 0 };
        let mut packet = Packet::new(&run.data_in, HEADROOM, metadata, true);
        put(ctx, &XDP_MD, "ingress_ifindex", LOOPBACK);
        let (retval, duration) = self.repeat(run, task, options, ctx, Some(&mut packet))?;
        let data_out = output(packet.buffer.get(packet.meta..packet.end), run.data_out_size, "packet")?;
        put(ctx, &XDP_MD, "data_meta", 0);
        put(ctx, &XDP_MD, "data", (packet.start - packet.meta) as u32);
        put(ctx, &XDP_MD, "data_end", (packet.end - packet.meta) as u32);
        // What was given as 0 stays so.
        put(ctx, &XDP_MD, "ingress_ifindex", word(&run.ctx_in, &XDP_MD, "ingress_ifindex"));
        let ctx_out = if given { output(Some(ctx), run.ctx_out_size, "context")? } else { Vec::new() };
        Ok(TestRunResult { retval, data_out, ctx_out, duration })
    }

    fn test_run_raw_tp(
        &self,
        run: &TestRun,
        task: &dyn Task,
        options: &RunOptions<'_>,
    ) -> Result<TestRunResult> {
        let unwanted = !run.data_in.is_empty() || run.data_out_size != 0 || run.ctx_out_size != 0;
        if unwanted || run.repeat != 0 {
            return refuse(
                Errno::EINVAL,
                "test runs of raw tracepoints take arguments as context and nothing else",
            );
        }
        if run.flags & ON_CPU == 0 && run.cpu != 0 {
            return refuse(Errno::EINVAL, "a CPU needs BPF_F_TEST_RUN_ON_CPU");
        }
        if run.ctx_in.len() > MAX_ARGUMENTS * 8 {
            return refuse(Errno::EINVAL, format!("{} bytes are more than 12 arguments", run.ctx_in.len()));
        }
        let mut ctx = run.ctx_in.clone();
        let (retval, _) = self.repeat(run, task, options, &mut ctx, None)?;
        Ok(TestRunResult { retval, ..TestRunResult::default() })
    }

    fn test_run_syscall(
        &self,
        run: &TestRun,
        task: &dyn Task,
        options: &RunOptions<'_>,
    ) -> Result<TestRunResult> {
        let unwanted = !run.data_in.is_empty() || run.data_out_size != 0 || run.ctx_out_size != 0;
        if unwanted || run.repeat != 0 || run.flags != 0 {
            return refuse(Errno::EINVAL, "test runs of syscall programs take a context and nothing else");
        }
        if run.ctx_in.len() > usize::from(u16::MAX) {
            return refuse(
                Errno::EINVAL,
                format!("a context of {} bytes is longer than 65535", run.ctx_in.len()),
            );
        }
        let mut ctx = run.ctx_in.clone();
        let (retval, duration) = self.repeat(run, task, options, &mut ctx, None)?;
        Ok(TestRunResult { retval, data_out: Vec::new(), ctx_out: ctx, duration })
    }

    /// Programs on events, on the bytes of an event: an extension, Linux answers `ENOTSUPP`.
    fn test_run_event(
        &self,
        run: &TestRun,
        task: &dyn Task,
        options: &RunOptions<'_>,
    ) -> Result<TestRunResult> {
        if !run.data_in.is_empty() || run.data_out_size != 0 || run.ctx_out_size != 0 || run.flags != 0 {
            return refuse(Errno::EINVAL, "test runs of programs on events take a context and nothing else");
        }
        let mut ctx = run.ctx_in.clone();
        let (retval, duration) = self.repeat(run, task, options, &mut ctx, None)?;
        Ok(TestRunResult { retval, duration, ..TestRunResult::default() })
    }
}

impl Packet {
    /// A packet of `data`, of which the first `metadata` bytes are metadata.
    fn new(data: &[u8], headroom: usize, metadata: usize, writable: bool) -> Packet {
        // Metadata takes from the headroom.
        let begin = headroom.saturating_sub(metadata);
        let len = (begin + data.len()).max(FRAME);
        let mut buffer = vec![0; len].into_boxed_slice();
        if let Some(place) = buffer.get_mut(begin..begin + data.len()) {
            place.copy_from_slice(data);
        }
        let start = begin + metadata;
        Packet { buffer, start, end: begin + data.len(), meta: begin, mac: start, writable }
    }
}

fn check_packet(run: &TestRun) -> Result<()> {
    match run.data_in.len() {
        len @ ..ETH_HLEN => refuse(Errno::EINVAL, format!("a packet of {len} bytes has no Ethernet header")),
        len if len > MAX_PACKET => {
            refuse(Errno::EINVAL, format!("a packet of {len} bytes is longer than {MAX_PACKET}"))
        }
        _ => Ok(()),
    }
}

/// The context given, cut or padded to the structure's size; None when there is none.
fn ctx_in(run: &TestRun, layout: &ContextStruct) -> Result<Option<Vec<u8>>> {
    if run.ctx_in.is_empty() && run.ctx_out_size == 0 {
        return Ok(None);
    }
    let size = layout.size as usize;
    if run.ctx_in.get(size..).is_some_and(|tail| tail.iter().any(|byte| *byte != 0)) {
        return refuse(Errno::E2BIG, format!("bytes beyond {} are not zero", layout.name));
    }
    let mut ctx = run.ctx_in.clone();
    ctx.resize(size, 0);
    Ok(Some(ctx))
}

/// Output of a test run, if anybody wants it.
fn output(bytes: Option<&[u8]>, room: u32, what: &str) -> Result<Vec<u8>> {
    let bytes = bytes.unwrap_or_default();
    if room == 0 {
        return Ok(Vec::new());
    }
    if bytes.len() > room as usize {
        return refuse(Errno::ENOSPC, format!("{what} of {} bytes does not fit into {room}", bytes.len()));
    }
    Ok(bytes.to_vec())
}

/// Offset of a field and its size.
fn field(layout: &ContextStruct, name: &str) -> std::ops::Range<usize> {
    let found = layout.field(name).map(|field| (field.offset as usize, field.size as usize));
    let (offset, size) = found.unwrap_or_default();
    offset..offset + size
}

/// Sets a 32-bit field.
fn put(ctx: &mut [u8], layout: &ContextStruct, name: &str, value: u32) {
    if let Some(place) = ctx.get_mut(field(layout, name)).filter(|place| place.len() == 4) {
        place.copy_from_slice(&value.to_ne_bytes());
    }
}

/// A 32-bit field; 0 where the context is too short.
fn word(ctx: &[u8], layout: &ContextStruct, name: &str) -> u32 {
    ctx.get(field(layout, name)).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

/// Fields of `__sk_buff` that a test run takes in and gives out.
const SK_BUFF_INPUT: [&str; 10] = [
    "mark",
    "priority",
    "ingress_ifindex",
    "ifindex",
    "cb",
    "tstamp",
    "wire_len",
    "gso_segs",
    "gso_size",
    "hwtstamp",
];

/// Bytes of `__sk_buff` outside of the fields that a test run takes.
fn outside_of_input() -> impl Iterator<Item = usize> {
    let input = SK_BUFF_INPUT.map(|name| field(&SK_BUFF, name));
    (0..SK_BUFF.size as usize).filter(move |byte| !input.iter().any(|range| range.contains(byte)))
}

fn check_sk_buff(ctx: &[u8]) -> Result<()> {
    if let Some(byte) = outside_of_input().find(|byte| ctx.get(*byte).is_some_and(|value| *value != 0)) {
        return refuse(
            Errno::EINVAL,
            format!("byte {byte} of __sk_buff must be zero: test runs do not take that field"),
        );
    }
    Ok(())
}

/// Sets what a packet's `__sk_buff` shows besides what was given. `len` is the number of bytes from `data` to `data_end`.
fn fill_sk_buff(ctx: &mut [u8], given: bool, data: &[u8], len: usize) -> Result<()> {
    let wire_len = word(ctx, &SK_BUFF, "wire_len");
    if !given {
        // Linux sets the length on the wire only where a context is given.
    } else if wire_len == 0 {
        put(ctx, &SK_BUFF, "wire_len", len as u32);
    } else if (wire_len as usize) < len || wire_len > 65536 {
        return refuse(
            Errno::EINVAL,
            format!("wire_len {wire_len} is not between the packet's {len} bytes and 65536"),
        );
    }
    if word(ctx, &SK_BUFF, "ifindex") > LOOPBACK {
        return refuse(Errno::ENODEV, "the only network device of test runs is 1, the loopback device");
    }
    put(ctx, &SK_BUFF, "ifindex", LOOPBACK);
    put(ctx, &SK_BUFF, "len", len as u32);
    let proto = data.get(12..14).map_or(0, |bytes| u32::from(u16::from_ne_bytes([bytes[0], bytes[1]])));
    // Below 1536 the bytes are a length: frames of IEEE 802.2 (`ETH_P_802_2`), or of Novell (`ETH_P_802_3`).
    let proto = match u16::from_be(proto as u16) {
        1536.. => proto,
        _ if data.get(14..16) == Some(&[0xff, 0xff]) => u32::from(1u16.to_be()),
        _ => u32::from(4u16.to_be()),
    };
    put(ctx, &SK_BUFF, "protocol", proto);
    // The loopback device's address and broadcast address are both zero.
    let host = [0; 6];
    let pkt_type = match data.get(..6) {
        Some(to) if to.first().is_some_and(|byte| byte & 1 != 0) => 2,
        Some(to) if to != host => 3,
        _ => 0,
    };
    put(ctx, &SK_BUFF, "pkt_type", pkt_type);
    Ok(())
}

/// Zeroes what a test run does not give out.
fn clear_unshown(ctx: &mut [u8]) {
    for byte in outside_of_input() {
        if let Some(byte) = ctx.get_mut(byte) {
            *byte = 0;
        }
    }
}

/// Checks an `xdp_md`; gives the length of the metadata, which its field `data` says.
fn check_xdp_md(ctx: &[u8], len: usize) -> Result<usize> {
    let get = |name| word(ctx, &XDP_MD, name);
    let metadata = get("data") as usize;
    if get("data_meta") != 0 || get("data_end") as usize != len || metadata > len {
        // Since 6.18 Linux puts what lies beyond data_end into fragments, which packets do not have here.
        return refuse(
            Errno::EINVAL,
            "xdp_md of a test run: data_meta must be 0, data the length of the metadata, data_end that of the input",
        );
    }
    if !metadata.is_multiple_of(4) || metadata > 252 {
        return refuse(Errno::EINVAL, format!("{metadata} bytes are not a valid length of metadata"));
    }
    if get("ingress_ifindex") == 0 && get("rx_queue_index") != 0 || get("egress_ifindex") != 0 {
        return refuse(
            Errno::EINVAL,
            "xdp_md of a test run: rx_queue_index needs ingress_ifindex; egress_ifindex must be 0",
        );
    }
    if get("ingress_ifindex") > LOOPBACK {
        return refuse(Errno::ENODEV, "the only network device of test runs is 1, the loopback device");
    }
    Ok(metadata)
}
