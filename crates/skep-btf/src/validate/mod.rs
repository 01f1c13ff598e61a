//! Whether BTF makes sense: the rules that the kernel applies when BTF is loaded.
//!
//! The rules are those of the kernel documentation (<https://docs.kernel.org/bpf/btf.html>) and, where it is silent, of what
//! `BPF_BTF_LOAD` of Linux 6.18 accepts and refuses.

mod layout;
mod names;
mod records;
mod resolve;

use crate::{Btf, BtfError};

/// For whom BTF must be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    /// `BPF_BTF_LOAD`.
    Kernel,
    /// A loader, which completes what the compiler left open.
    Object,
}

impl Btf {
    /// Checks everything that the kernel checks when it loads BTF: that the sections follow one another without gaps, that each
    /// record has the fields, names, sizes and offsets that its kind allows, and that types refer to
    /// one another in a way that gives every type a definite shape.
    ///
    /// BTF that passes may be loaded with `BPF_BTF_LOAD` (the kernel then also looks at its own special types, such as `struct
    /// bpf_spin_lock`). Work and memory are linear in the size of the BTF; of split BTF the base is resolved again
    /// too.
    ///
    /// Two things that Linux 6.18 refuses or accepts depending on the order of the types are always refused here: a pointer or
    /// modifier in front of a function (instead of its prototype), and a structure that contains itself in an array behind a
    /// typedef that a pointer has used before.
    ///
    /// # Errors
    /// The first broken rule, with the type, its place and the reason.
    pub fn validate(&self) -> Result<(), BtfError> {
        self.validate_as(Rules::Kernel)
    }

    /// Checks BTF as it stands in an object file, where the loader has yet to fill in what the compiler left open.
    ///
    /// As [`Btf::validate`], except that these are allowed: sections (DATASEC) of size 0 with unordered variables or functions in them,
    /// extern functions and variables, variables without a size behind extern, names that are not C
    /// identifiers and members that are not in the order of their offsets (both from languages other than C), type tags behind modifiers,
    /// deep nesting, no types at all, a section layout with gaps.
    ///
    /// # Errors
    /// As [`Btf::validate`].
    pub fn validate_object(&self) -> Result<(), BtfError> {
        self.validate_as(Rules::Object)
    }

    fn validate_as(&self, rules: Rules) -> Result<(), BtfError> {
        if rules == Rules::Kernel {
            layout::check(self)?;
        }
        for ty in self.own_types() {
            records::check(ty, rules)?;
        }
        resolve::check(self, rules)
    }
}
