//! The interpreter's loop.

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use super::alu::*;
use super::fault::{Access, FaultKind};
use super::memory::{copy_out, load8, load16, load32, load64, store8, store16, store32, store64};
use super::op::{Code, Op, PACKET_INDIRECT};
use super::run::{Elements, Frame, Resume, Run, Step};
use crate::helpers::{self, Special};

/// Times that the `may_goto` of one frame falls through before it jumps (Linux: `BPF_MAX_LOOPS`).
const MAY_GOTO_BUDGET: u64 = 8 << 20;
/// Instructions that calling a helper counts for, besides what it does.
const HELPER_COST: u64 = 4;
/// Places of a map that `bpf_for_each_map_elem` looks at at once, at most.
const WALK: u32 = 256;
/// Bytes of keys that it copies at once, about.
const WALK_KEYS: u32 = 64 << 10;

/// What the loop checks at run time. The checks cost nothing where they are off.
pub(crate) trait Policy {
    /// Every access is checked against the memory that the run may touch.
    const CHECKED: bool;
}

/// Everything is checked: programs that nobody has verified, and the debugger.
pub(crate) struct Checked;

impl Policy for Checked {
    const CHECKED: bool = true;
}

/// Registers, by number; the five beyond R10 are never used and spare bounds checks.
type Registers = [u64; 16];

/// A register by its number in an operation.
macro_rules! reg {
    ($regs:ident, $number:expr) => {
        $regs[($number & 15) as usize]
    };
}

/// An operation on two operands; a function so that the table below stays one line an operation.
#[inline(always)]
fn apply<T, R>(f: impl Fn(T, T) -> R, a: T, b: T) -> R {
    f(a, b)
}

/// Runs a program to its end and gives R0.
pub(crate) fn execute<P: Policy>(run: &mut Run<'_, '_>) -> Step<u64> {
    let mut regs: Registers = [0; 16];
    regs[1] = run.context.ctx.as_ptr() as u64;
    regs[10] = run.enter_frame();
    let mut may_goto = MAY_GOTO_BUDGET;
    let mut ip: *const Op = run.program().ops().as_ptr();

    // `?` that remembers where.
    macro_rules! check {
        ($step:expr) => {
            match $step {
                Ok(value) => value,
                Err(fault) => {
                    run.at = ip.wrapping_sub(1);
                    return Err(fault);
                }
            }
        };
    }
    // Takes `cost` instructions from the budget.
    macro_rules! charge {
        ($cost:expr) => {
            run.fuel -= $cost;
            if run.fuel < 0 {
                check!(run.refuel());
            }
        };
    }

    loop {
        // SAFETY: `ip` points to an operation of the running program: loading checked that every jump and call leads to
        // one, and that no subprogram's last operation falls through.
        let op = unsafe { *ip };
        ip = ip.wrapping_add(1);

        macro_rules! alu64 {
            ($b:expr, $f:expr) => {{
                reg!(regs, op.dst) = apply::<u64, u64>($f, reg!(regs, op.dst), $b);
            }};
        }
        macro_rules! alu32 {
            ($b:expr, $f:expr) => {{
                reg!(regs, op.dst) = u64::from(apply::<u32, u32>($f, reg!(regs, op.dst) as u32, $b as u32));
            }};
        }
        macro_rules! src {
            () => {
                reg!(regs, op.src)
            };
        }
        macro_rules! imm {
            () => {
                op.imm.cast_unsigned()
            };
        }
        macro_rules! goto {
            () => {
                if op.off < 0 {
                    charge!(-i64::from(op.off));
                }
                ip = ip.wrapping_offset(op.off as isize);
            };
        }
        macro_rules! jump64 {
            ($b:expr, $condition:expr) => {{
                if apply::<u64, bool>($condition, reg!(regs, op.dst), $b) {
                    goto!();
                }
            }};
        }
        macro_rules! jump32 {
            ($b:expr, $condition:expr) => {{
                if apply::<u32, bool>($condition, reg!(regs, op.dst) as u32, $b as u32) {
                    goto!();
                }
            }};
        }
        macro_rules! load {
            ($load:ident, $word:ty, $as:ty) => {{
                let addr = src!().wrapping_add_signed(i64::from(op.off));
                const SIZE: u64 = size_of::<$word>() as u64;
                reg!(regs, op.dst) = if !P::CHECKED || run.hits.readable(addr, SIZE) {
                    // SAFETY: readable.
                    i64::from(unsafe { $load(addr) } as $as).cast_unsigned()
                } else {
                    match check!(run.slow_load(addr, SIZE)) {
                        // A field of 32 bits that stands for a pointer.
                        wide if wide > u64::from(<$word>::MAX) => wide,
                        value => i64::from(value as $word as $as).cast_unsigned(),
                    }
                };
            }};
        }
        macro_rules! store {
            ($store:ident, $word:ty, $value:expr) => {{
                let addr = reg!(regs, op.dst).wrapping_add_signed(i64::from(op.off));
                const SIZE: u64 = size_of::<$word>() as u64;
                if !P::CHECKED || run.hits.writable(addr, SIZE) {
                    // SAFETY: writable.
                    unsafe { $store(addr, $value as $word) };
                } else {
                    check!(run.slow_store(addr, SIZE, $value));
                }
            }};
        }
        macro_rules! aligned {
            ($addr:expr, $size:expr, $access:expr) => {
                if P::CHECKED {
                    check!(check_atomic(run, $addr, $size, $access));
                }
            };
        }
        macro_rules! load_acquire {
            ($atomic:ty) => {{
                let addr = src!().wrapping_add_signed(i64::from(op.off));
                aligned!(addr, size_of::<$atomic>() as u64, Access::Read);
                // SAFETY: aligned and readable.
                let word = unsafe { <$atomic>::from_ptr(addr as *mut _) };
                reg!(regs, op.dst) = u64::from(word.load(Ordering::Acquire));
            }};
        }
        macro_rules! store_release {
            ($atomic:ty) => {{
                let addr = reg!(regs, op.dst).wrapping_add_signed(i64::from(op.off));
                aligned!(addr, size_of::<$atomic>() as u64, Access::Write);
                // SAFETY: aligned and writable.
                let word = unsafe { <$atomic>::from_ptr(addr as *mut _) };
                word.store(src!() as _, Ordering::Release);
            }};
        }
        macro_rules! atomic {
            ($step:ident, $word:ty) => {{
                let addr = reg!(regs, op.dst).wrapping_add_signed(i64::from(op.off));
                aligned!(addr, size_of::<$word>() as u64, Access::Atomic);
                // SAFETY: aligned, readable and writable.
                let (src, r0) = unsafe { $step(op.sub, addr as *mut $word, src!(), regs[0]) };
                src!() = src;
                regs[0] = if op.sub == 9 { r0 } else { regs[0] };
            }};
        }
        macro_rules! movsx {
            ($from:ty) => {
                reg!(regs, op.dst) = i64::from(src!() as $from).cast_unsigned()
            };
        }

        match op.code {
            Code::Add64R => alu64!(src!(), u64::wrapping_add),
            Code::Add64I => alu64!(imm!(), u64::wrapping_add),
            Code::Add32R => alu32!(src!(), u32::wrapping_add),
            Code::Add32I => alu32!(imm!(), u32::wrapping_add),
            Code::Sub64R => alu64!(src!(), u64::wrapping_sub),
            Code::Sub64I => alu64!(imm!(), u64::wrapping_sub),
            Code::Sub32R => alu32!(src!(), u32::wrapping_sub),
            Code::Sub32I => alu32!(imm!(), u32::wrapping_sub),
            Code::Mul64R => alu64!(src!(), u64::wrapping_mul),
            Code::Mul64I => alu64!(imm!(), u64::wrapping_mul),
            Code::Mul32R => alu32!(src!(), u32::wrapping_mul),
            Code::Mul32I => alu32!(imm!(), u32::wrapping_mul),
            Code::Div64R => alu64!(src!(), div64),
            Code::Div64I => alu64!(imm!(), div64),
            Code::Div32R => alu32!(src!(), div32),
            Code::Div32I => alu32!(imm!(), div32),
            Code::Sdiv64R => alu64!(src!(), sdiv64),
            Code::Sdiv64I => alu64!(imm!(), sdiv64),
            Code::Sdiv32R => alu32!(src!(), sdiv32),
            Code::Sdiv32I => alu32!(imm!(), sdiv32),
            Code::Mod64R => alu64!(src!(), mod64),
            Code::Mod64I => alu64!(imm!(), mod64),
            Code::Mod32R => alu32!(src!(), mod32),
            Code::Mod32I => alu32!(imm!(), mod32),
            Code::Smod64R => alu64!(src!(), smod64),
            Code::Smod64I => alu64!(imm!(), smod64),
            Code::Smod32R => alu32!(src!(), smod32),
            Code::Smod32I => alu32!(imm!(), smod32),
            Code::Or64R => alu64!(src!(), |a, b| a | b),
            Code::Or64I => alu64!(imm!(), |a, b| a | b),
            Code::Or32R => alu32!(src!(), |a, b| a | b),
            Code::Or32I => alu32!(imm!(), |a, b| a | b),
            Code::And64R => alu64!(src!(), |a, b| a & b),
            Code::And64I => alu64!(imm!(), |a, b| a & b),
            Code::And32R => alu32!(src!(), |a, b| a & b),
            Code::And32I => alu32!(imm!(), |a, b| a & b),
            Code::Xor64R => alu64!(src!(), |a, b| a ^ b),
            Code::Xor64I => alu64!(imm!(), |a, b| a ^ b),
            Code::Xor32R => alu32!(src!(), |a, b| a ^ b),
            Code::Xor32I => alu32!(imm!(), |a, b| a ^ b),
            Code::Lsh64R => alu64!(src!(), lsh64),
            Code::Lsh64I => alu64!(imm!(), lsh64),
            Code::Lsh32R => alu32!(src!(), u32::wrapping_shl),
            Code::Lsh32I => alu32!(imm!(), u32::wrapping_shl),
            Code::Rsh64R => alu64!(src!(), rsh64),
            Code::Rsh64I => alu64!(imm!(), rsh64),
            Code::Rsh32R => alu32!(src!(), u32::wrapping_shr),
            Code::Rsh32I => alu32!(imm!(), u32::wrapping_shr),
            Code::Arsh64R => alu64!(src!(), arsh64),
            Code::Arsh64I => alu64!(imm!(), arsh64),
            Code::Arsh32R => alu32!(src!(), arsh32),
            Code::Arsh32I => alu32!(imm!(), arsh32),
            Code::Mov64R => reg!(regs, op.dst) = src!(),
            Code::Mov64I => reg!(regs, op.dst) = imm!(),
            Code::Mov32R => reg!(regs, op.dst) = u64::from(src!() as u32),
            Code::Mov32I => reg!(regs, op.dst) = u64::from(imm!() as u32),
            Code::Neg64 => reg!(regs, op.dst) = reg!(regs, op.dst).wrapping_neg(),
            Code::Neg32 => reg!(regs, op.dst) = u64::from((reg!(regs, op.dst) as u32).wrapping_neg()),
            Code::Movsx64B => movsx!(i8),
            Code::Movsx64H => movsx!(i16),
            Code::Movsx64W => movsx!(i32),
            Code::Movsx32B => reg!(regs, op.dst) = u64::from(i32::from(src!() as i8).cast_unsigned()),
            Code::Movsx32H => reg!(regs, op.dst) = u64::from(i32::from(src!() as i16).cast_unsigned()),
            Code::Trunc16 => reg!(regs, op.dst) &= 0xffff,
            Code::Trunc32 => reg!(regs, op.dst) &= 0xffff_ffff,
            Code::Swap16 => reg!(regs, op.dst) = u64::from((reg!(regs, op.dst) as u16).swap_bytes()),
            Code::Swap32 => reg!(regs, op.dst) = u64::from((reg!(regs, op.dst) as u32).swap_bytes()),
            Code::Swap64 => reg!(regs, op.dst) = reg!(regs, op.dst).swap_bytes(),
            Code::Nop => {}

            Code::LoadB => load!(load8, u8, u8),
            Code::LoadH => load!(load16, u16, u16),
            Code::LoadW => load!(load32, u32, u32),
            Code::LoadDW => load!(load64, u64, i64),
            Code::LoadSB => load!(load8, u8, i8),
            Code::LoadSH => load!(load16, u16, i16),
            Code::LoadSW => load!(load32, u32, i32),
            Code::StoreRB => store!(store8, u8, src!()),
            Code::StoreRH => store!(store16, u16, src!()),
            Code::StoreRW => store!(store32, u32, src!()),
            Code::StoreRDW => store!(store64, u64, src!()),
            Code::StoreIB => store!(store8, u8, imm!()),
            Code::StoreIH => store!(store16, u16, imm!()),
            Code::StoreIW => store!(store32, u32, imm!()),
            Code::StoreIDW => store!(store64, u64, imm!()),
            Code::LoadAcqB => load_acquire!(AtomicU8),
            Code::LoadAcqH => load_acquire!(AtomicU16),
            Code::LoadAcqW => load_acquire!(AtomicU32),
            Code::LoadAcqDW => load_acquire!(AtomicU64),
            Code::StoreRelB => store_release!(AtomicU8),
            Code::StoreRelH => store_release!(AtomicU16),
            Code::StoreRelW => store_release!(AtomicU32),
            Code::StoreRelDW => store_release!(AtomicU64),
            Code::Atomic32 => atomic!(atomic32, u32),
            Code::Atomic64 => atomic!(atomic64, u64),
            Code::Packet => {
                let index = if op.sub & PACKET_INDIRECT != 0 { src!() as i32 } else { 0 };
                let size = usize::from(op.sub & !PACKET_INDIRECT);
                match check!(helpers::packet_load(run, index.wrapping_add(op.off), size)) {
                    Some(value) => regs[0] = value,
                    // Out of the packet: the whole program ends with 0.
                    None => {
                        check!(end_of_run(run));
                        return Ok(0);
                    }
                }
            }

            Code::Jump => {
                goto!();
            }
            Code::JeqR64 => jump64!(src!(), |a, b| a == b),
            Code::JeqI64 => jump64!(imm!(), |a, b| a == b),
            Code::JeqR32 => jump32!(src!(), |a, b| a == b),
            Code::JeqI32 => jump32!(imm!(), |a, b| a == b),
            Code::JneR64 => jump64!(src!(), |a, b| a != b),
            Code::JneI64 => jump64!(imm!(), |a, b| a != b),
            Code::JneR32 => jump32!(src!(), |a, b| a != b),
            Code::JneI32 => jump32!(imm!(), |a, b| a != b),
            Code::JgtR64 => jump64!(src!(), |a, b| a > b),
            Code::JgtI64 => jump64!(imm!(), |a, b| a > b),
            Code::JgtR32 => jump32!(src!(), |a, b| a > b),
            Code::JgtI32 => jump32!(imm!(), |a, b| a > b),
            Code::JgeR64 => jump64!(src!(), |a, b| a >= b),
            Code::JgeI64 => jump64!(imm!(), |a, b| a >= b),
            Code::JgeR32 => jump32!(src!(), |a, b| a >= b),
            Code::JgeI32 => jump32!(imm!(), |a, b| a >= b),
            Code::JltR64 => jump64!(src!(), |a, b| a < b),
            Code::JltI64 => jump64!(imm!(), |a, b| a < b),
            Code::JltR32 => jump32!(src!(), |a, b| a < b),
            Code::JltI32 => jump32!(imm!(), |a, b| a < b),
            Code::JleR64 => jump64!(src!(), |a, b| a <= b),
            Code::JleI64 => jump64!(imm!(), |a, b| a <= b),
            Code::JleR32 => jump32!(src!(), |a, b| a <= b),
            Code::JleI32 => jump32!(imm!(), |a, b| a <= b),
            Code::JsgtR64 => jump64!(src!(), |a, b| a.cast_signed() > b.cast_signed()),
            Code::JsgtI64 => jump64!(imm!(), |a, b| a.cast_signed() > b.cast_signed()),
            Code::JsgtR32 => jump32!(src!(), |a, b| a.cast_signed() > b.cast_signed()),
            Code::JsgtI32 => jump32!(imm!(), |a, b| a.cast_signed() > b.cast_signed()),
            Code::JsgeR64 => jump64!(src!(), |a, b| a.cast_signed() >= b.cast_signed()),
            Code::JsgeI64 => jump64!(imm!(), |a, b| a.cast_signed() >= b.cast_signed()),
            Code::JsgeR32 => jump32!(src!(), |a, b| a.cast_signed() >= b.cast_signed()),
            Code::JsgeI32 => jump32!(imm!(), |a, b| a.cast_signed() >= b.cast_signed()),
            Code::JsltR64 => jump64!(src!(), |a, b| a.cast_signed() < b.cast_signed()),
            Code::JsltI64 => jump64!(imm!(), |a, b| a.cast_signed() < b.cast_signed()),
            Code::JsltR32 => jump32!(src!(), |a, b| a.cast_signed() < b.cast_signed()),
            Code::JsltI32 => jump32!(imm!(), |a, b| a.cast_signed() < b.cast_signed()),
            Code::JsleR64 => jump64!(src!(), |a, b| a.cast_signed() <= b.cast_signed()),
            Code::JsleI64 => jump64!(imm!(), |a, b| a.cast_signed() <= b.cast_signed()),
            Code::JsleR32 => jump32!(src!(), |a, b| a.cast_signed() <= b.cast_signed()),
            Code::JsleI32 => jump32!(imm!(), |a, b| a.cast_signed() <= b.cast_signed()),
            Code::JsetR64 => jump64!(src!(), |a, b| a & b != 0),
            Code::JsetI64 => jump64!(imm!(), |a, b| a & b != 0),
            Code::JsetR32 => jump32!(src!(), |a, b| a & b != 0),
            Code::JsetI32 => jump32!(imm!(), |a, b| a & b != 0),
            Code::MayGoto => {
                if may_goto == 0 {
                    goto!();
                } else {
                    may_goto -= 1;
                }
            }

            Code::Helper => {
                let args = [regs[1], regs[2], regs[3], regs[4], regs[5]];
                run.burn(HELPER_COST);
                match helpers::entry(op.imm) {
                    helpers::Action::Call(helper) => {
                        regs[0] = check!(helper(run, args));
                        // What it did is paid when it is done.
                        charge!(0);
                    }
                    helpers::Action::Special(Special::TailCall) => {
                        match check!(run.tail_call(args[1], args[2])) {
                            // The call fails and the program goes on; R0 is not specified, Linux leaves it as it is.
                            None => {}
                            Some(program) => {
                                charge!(1);
                                run.set_program(program);
                                run.entered_at = run.depth();
                                ip = run.program().ops().as_ptr();
                                regs[10] = run.enter_frame();
                                may_goto = MAY_GOTO_BUDGET;
                            }
                        }
                    }
                    helpers::Action::Special(special) => {
                        let begin = match special {
                            Special::ForEach => begin_elements(run, args),
                            _ => begin_loop(run, args),
                        };
                        match check!(begin) {
                            Begin::Done(value) => regs[0] = value,
                            Begin::Callback(resume) => {
                                check!(run.check_depth());
                                push(run, ip, &regs, may_goto, resume);
                                may_goto = MAY_GOTO_BUDGET;
                                match next_iteration(run, &mut regs, &mut ip) {
                                    Some(cost) => {
                                        charge!(cost);
                                    }
                                    None => may_goto = pop(run, &mut regs, &mut ip),
                                }
                            }
                        }
                        charge!(0);
                    }
                }
            }
            Code::CallLocal => {
                check!(run.check_depth());
                charge!(op.imm);
                push(run, ip, &regs, may_goto, Resume::Call);
                may_goto = MAY_GOTO_BUDGET;
                regs[10] = run.enter_frame();
                ip = ip.wrapping_offset(op.off as isize);
            }
            Code::CallReg => {
                let target = reg!(regs, op.dst);
                let (function, cost) = check!(function(run, target));
                check!(run.check_depth());
                charge!(cost);
                push(run, ip, &regs, may_goto, Resume::Call);
                may_goto = MAY_GOTO_BUDGET;
                regs[10] = run.enter_frame();
                ip = function;
            }
            Code::Exit => {
                if run.depth() == 0 {
                    check!(end_of_run(run));
                    return Ok(regs[0]);
                }
                match next_iteration_after(run, &mut regs, &mut ip) {
                    Some(cost) => {
                        charge!(cost);
                        may_goto = MAY_GOTO_BUDGET;
                    }
                    None => may_goto = pop(run, &mut regs, &mut ip),
                }
            }
            Code::AddrSpaceCast => check!(Err(Box::new(FaultKind::NoArena))),
        }
    }
}

/// Checks an atomic access.
fn check_atomic(run: &mut Run<'_, '_>, addr: u64, size: u64, access: Access) -> Step<()> {
    if !addr.is_multiple_of(size) {
        return Err(Box::new(FaultKind::Misaligned { addr, size, access: Access::Atomic }));
    }
    run.check(addr, size, access)
}

/// What the program must have given back when it ends.
fn end_of_run(run: &mut Run<'_, '_>) -> Step<()> {
    if let Some(addr) = run.lock {
        return Err(Box::new(FaultKind::Lock { addr, why: "is still held at exit" }));
    }
    if !run.records.is_empty() {
        return Err(Box::new(FaultKind::Unreleased(run.records.len())));
    }
    Ok(())
}

/// The subprogram at an address, and what calling it costs.
fn function(run: &Run<'_, '_>, addr: u64) -> Step<(*const Op, i64)> {
    let program = run.program();
    let offset = addr.wrapping_sub(program.ops().as_ptr() as u64);
    let size = size_of::<Op>() as u64;
    let index = u32::try_from(offset / size).ok().filter(|_| offset.is_multiple_of(size));
    let starts = program.subprogram_starts();
    let Some(number) = index.and_then(|index| starts.binary_search(&index).ok()) else {
        return Err(Box::new(FaultKind::BadFunction(addr)));
    };
    let start = starts[number] as usize;
    let end = starts.get(number + 1).map_or(program.ops().len(), |&end| end as usize);
    Ok((&raw const program.ops()[start], (end - start) as i64))
}

/// Puts the caller away until its callee returns.
fn push(run: &mut Run<'_, '_>, ip: *const Op, regs: &Registers, may_goto: u64, resume: Resume) {
    let [.., r6, r7, r8, r9, r10, _, _, _, _, _] = *regs;
    let frame = Frame {
        return_to: ip,
        program: run.program_pointer(),
        saved: [r6, r7, r8, r9, r10],
        may_goto,
        entered_at: run.entered_at,
        resume,
    };
    run.frames().push(frame);
}

/// Goes back to the caller; gives its `may_goto` budget.
fn pop(run: &mut Run<'_, '_>, regs: &mut Registers, ip: &mut *const Op) -> u64 {
    let Some(frame) = run.frames().pop() else { return 0 };
    run.leave_frame();
    regs[6..11].copy_from_slice(&frame.saved);
    *ip = frame.return_to;
    run.set_program(frame.program);
    run.entered_at = frame.entered_at;
    if matches!(frame.resume, Resume::Elements(_)) {
        // The copies of the keys go with the frame.
        run.forget();
    }
    frame.may_goto
}

/// How a helper that calls back begins.
enum Begin {
    /// It has its result.
    Done(u64),
    /// It calls.
    Callback(Resume),
}

fn begin_loop(run: &Run<'_, '_>, [count, callback, context, flags, _]: [u64; 5]) -> Step<Begin> {
    let count = count & 0xffff_ffff;
    let (callback, cost) = function(run, callback)?;
    Ok(match helpers::check_loop(count, flags) {
        Some(error) => Begin::Done(error),
        None => Begin::Callback(Resume::Loop { callback, cost, next: 0, count, context }),
    })
}

fn begin_elements(run: &Run<'_, '_>, [map, callback, context, flags, _]: [u64; 5]) -> Step<Begin> {
    let (callback, cost) = function(run, callback)?;
    let cpu = run.context.cpu;
    let object = Arc::clone(run.map("for_each_map_elem", 1, map)?);
    // A look at no place says whether the map can be walked.
    if flags != 0 || object.walk(cpu, 0, 0, &mut |_, _| ()).is_err() {
        return Ok(Begin::Done(helpers::error(crate::error::Errno::EINVAL)));
    }
    let (keys, values) = (Vec::new(), Vec::new());
    let position = Some(0);
    let elements =
        Elements { callback, cost, context, map, object, keys, values, next: 0, visited: 0, position };
    Ok(Begin::Callback(Resume::Elements(Box::new(elements))))
}

impl Elements {
    /// Gets more elements once all are visited. Answers the number of places of the map that it looked at; the keys move.
    fn refill(&mut self, cpu: u32) -> u64 {
        let Elements { object, keys, values, next, position, .. } = self;
        let key_size = object.spec().key_size as usize;
        let part = (WALK_KEYS / object.spec().key_size.max(1)).clamp(1, WALK);
        let mut places = 0;
        while *next == values.len()
            && let Some(from) = *position
        {
            keys.clear();
            values.clear();
            *next = 0;
            let mut each = |key: NonNull<u8>, value: NonNull<u8>| {
                let at = keys.len();
                keys.resize(at + key_size, 0);
                // SAFETY: the map hands out the address of a key, which has `key_size` readable bytes.
                unsafe { copy_out(key.as_ptr() as u64, &mut keys[at..]) };
                values.push(value.as_ptr() as u64);
            };
            *position = object.walk(cpu, from, part, &mut each).unwrap_or(None);
            places += u64::from(part) + keys.len() as u64 / 8;
        }
        places
    }
}

/// After a callback returned: whether its helper calls it again, and what that costs.
fn next_iteration_after(run: &mut Run<'_, '_>, regs: &mut Registers, ip: &mut *const Op) -> Option<i64> {
    let stop = regs[0] != 0;
    let frame = run.frames().last_mut()?;
    match &mut frame.resume {
        Resume::Call => return None,
        Resume::Loop { count, next, .. } if stop => *count = *next,
        Resume::Elements(elements) if stop => {
            elements.values.truncate(elements.next);
            elements.position = None;
        }
        _ => {}
    }
    // The callback may have ended in another program, by a tail call.
    let (program, entered_at) = (frame.program, frame.entered_at);
    run.set_program(program);
    run.entered_at = entered_at;
    next_iteration(run, regs, ip)
}

/// Sets the registers for the next call of the callback on top; None when there is none, with R0 the helper's result.
fn next_iteration(run: &mut Run<'_, '_>, regs: &mut Registers, ip: &mut *const Op) -> Option<i64> {
    let cpu = run.context.cpu;
    if let Resume::Elements(elements) = &mut run.frames().last_mut()?.resume {
        let places = elements.refill(cpu);
        if places > 0 {
            run.burn(places);
            // The keys that were there are gone.
            run.forget();
        }
    }
    let cost = match &mut run.frames().last_mut()?.resume {
        Resume::Call => return None,
        Resume::Loop { callback, cost, next, count, context } => {
            if *next >= *count {
                regs[0] = *next;
                return None;
            }
            (regs[1], regs[2]) = (*next, *context);
            *ip = *callback;
            *next += 1;
            *cost
        }
        Resume::Elements(elements) => {
            let Elements { callback, cost, context, map, object, keys, values, next, visited, .. } =
                &mut **elements;
            let Some(value) = values.get(*next) else {
                regs[0] = *visited;
                return None;
            };
            let key = keys.as_ptr() as u64 + *next as u64 * u64::from(object.spec().key_size);
            *visited += 1;
            (regs[1], regs[2], regs[3], regs[4]) = (*map, key, *value, *context);
            *ip = *callback;
            *next += 1;
            *cost
        }
    };
    regs[10] = run.enter_frame();
    Some(cost)
}

/// Runs a program under a policy; on a fault, also answers the operation, which belongs to the run's current program.
pub(crate) fn run_program<P: Policy>(run: &mut Run<'_, '_>) -> Result<u64, (*const Op, FaultKind)> {
    execute::<P>(run).map_err(|kind| (run.at, *kind))
}
