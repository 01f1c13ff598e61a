//! The verifier: proves that an eBPF program is safe to run, or says why not.
//!
//! This crate holds its *value domain*: what is known of a number that a program computes. On it the abstract interpreter will
//! be built, which walks all paths of a program with such numbers instead of values.
//!
//! - [`Tnum`], tristate numbers: which bits are 0, 1 or unknown.
//! - [`Scalar`]: a tristate number with an unsigned and a signed range of all 64 bits and of the low 32 bits, each as tight as the
//!   others allow. It has every arithmetic instruction ([`alu`](ScalarOf::alu) and its neighbours), every conditional jump
//!   ([`branch_taken`] and [`refine`]), and what pruning and loops need ([`includes`](ScalarOf::includes), [`widen`](ScalarOf::widen)).
//!
//! Two laws hold everywhere. *Soundness*: a value that a program can compute is a member of the scalar computed for it.
//! *Fidelity*: a scalar says what Linux 6.18 would say of the same register, so that the verdicts built on it are the same. Where
//! that means less than could be known, the function says so. Linux 6.12 knows less in a few places: results of `and`, `or`, `xor` and `*`,
//! and ranges that cross the sign.
//!
//! ```
//! use skep_isa::{AluOp, JumpOp, Width};
//! use skep_verifier::{Scalar, branch_taken, refine};
//!
//! // r1 = an unknown value; if r1 > 15 goto out; r1 <<= 2; r1 += 8
//! let mut r1 = Scalar::unknown();
//! let limit = &mut Scalar::constant(15);
//! assert_eq!(branch_taken(JumpOp::Gt, Width::W64, &r1, limit), None);
//! refine(JumpOp::Gt, Width::W64, false, &mut r1, limit).unwrap();
//! let r1 = r1.alu(AluOp::Lsh, Width::W64, &Scalar::constant(2)).alu(AluOp::Add, Width::W64, &Scalar::constant(8));
//! assert_eq!((r1.umin(), r1.umax()), (8, 68));
//! assert_eq!(r1.to_string(), "scalar(smin=umin=smin32=umin32=8,smax=umax=smax32=umax32=68,var_off=(0x0; 0x7c))");
//! ```
#![forbid(unsafe_code)]

mod alu;
mod branch;
mod range;
mod scalar;
mod tnum;

pub use branch::{branch_taken, refine};
pub use range::Empty;
pub use scalar::{Scalar, ScalarOf};
pub use tnum::Tnum;
