//! Externs: symbols that the kernel defines, declared with `__kconfig` or `__ksym`.

use crate::error::{ErrorKind, ObjectError, Result};
use crate::object::Object;
use crate::variable::Scalar;

/// A symbol that the object uses and does not define.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extern {
    /// Name, such as `CONFIG_HZ`, `LINUX_KERNEL_VERSION` or `bpf_task_acquire`.
    pub name: String,
    /// What it names.
    pub kind: ExternKind,
    /// Declared `__weak`: absent counts as zero.
    pub weak: bool,
    /// BTF type id of the variable or function declaration, 0 without BTF.
    pub type_id: u32,
    /// Its value in the kernel that the object is linked for, once that is known.
    pub value: ExternValue,
}

/// What an extern names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExternKind {
    /// A value of the kernel's configuration, or one of libbpf's virtual ones (`LINUX_*`), which the programs read from
    /// the `.kconfig` map.
    Kconfig {
        /// Index of the `.kconfig` map in [`Object::maps`](crate::Object::maps).
        map: usize,
        /// Byte offset in its value.
        offset: u32,
        /// Bytes.
        size: u32,
    },
    /// Address of a kernel variable without a type (`extern const void X __ksym`).
    KsymAddress,
    /// A kernel variable with a type.
    KsymVariable,
    /// A kernel function (kfunc).
    Kfunc,
    /// Declared, but neither `__kconfig` nor `__ksym`: a symbol of another object, to be linked statically.
    Undefined,
}

/// Value of an extern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExternValue {
    /// Nobody looked yet, or the kernel does not have it.
    #[default]
    Unresolved,
    /// A kconfig value, already written into the `.kconfig` map.
    Kconfig,
    /// Address of a kernel symbol.
    Address(u64),
    /// A variable or function by BTF type id.
    Btf {
        /// Type id.
        id: u32,
        /// For a variable: descriptor of the module's BTF; for a kfunc: index of it in the load's descriptor array.
        /// 0 for the kernel's own.
        module: u16,
    },
}

/// What a loader knows of the kernel without asking for its configuration: libbpf's virtual kconfig values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelFacts {
    /// `LINUX_KERNEL_VERSION`, as `KERNEL_VERSION(major, minor, patch)`.
    pub version: u32,
    /// `LINUX_HAS_BPF_COOKIE`: `bpf_get_attach_cookie` exists.
    pub has_bpf_cookie: bool,
    /// `LINUX_HAS_SYSCALL_WRAPPER`: functions of system calls take a pointer to their registers.
    pub has_syscall_wrapper: bool,
}

impl Object {
    /// Strong externs without a value: linking a program that uses one fails.
    pub fn unresolved_externs(&self) -> impl Iterator<Item = &Extern> {
        self.externs.iter().filter(|symbol| symbol.value == ExternValue::Unresolved && !symbol.weak)
    }

    /// Gives `LINUX_KERNEL_VERSION`, `LINUX_HAS_BPF_COOKIE` and `LINUX_HAS_SYSCALL_WRAPPER` their values, as far as the
    /// object uses them.
    ///
    /// # Errors
    /// One of them is declared with a type that does not hold its value.
    pub fn set_kernel_facts(&mut self, facts: &KernelFacts) -> Result<()> {
        let values = [
            ("LINUX_KERNEL_VERSION", i128::from(facts.version)),
            ("LINUX_HAS_BPF_COOKIE", i128::from(facts.has_bpf_cookie)),
            ("LINUX_HAS_SYSCALL_WRAPPER", i128::from(facts.has_syscall_wrapper)),
        ];
        for (name, value) in values {
            let kconfig =
                |symbol: &Extern| symbol.name == name && matches!(symbol.kind, ExternKind::Kconfig { .. });
            if self.externs.iter().any(kconfig) {
                self.set_kconfig_number(name, value)?;
            }
        }
        Ok(())
    }

    /// Gives a kconfig extern its value as the kernel's `.config` writes it: `y`, `n`, `m`, a number, or text in double
    /// quotes.
    ///
    /// # Errors
    /// No such kconfig extern, or a value that its type does not hold.
    pub fn set_kconfig(&mut self, name: &str, value: &str) -> Result<()> {
        if let Some(text) = value.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            return self.set_kconfig_text(name, text);
        }
        let (scalar, ..) = self.kconfig_type(name)?;
        let letter = match value {
            "y" => Some(('y', 1)),
            "n" => Some(('n', 0)),
            "m" => Some(('m', 2)),
            _ => None,
        };
        if let Some((letter, number)) = letter {
            // A character takes the letter itself, a boolean y or n, enum libbpf_tristate all three.
            return match scalar {
                Some(Scalar { character: true, .. }) => {
                    self.set_kconfig_number(name, i128::from(u32::from(letter)))
                }
                Some(Scalar { size: 1, .. })
                    if !scalar.as_ref().is_some_and(|s| s.boolean) && number == 2 =>
                {
                    self.set_kconfig_number(name, i128::from(u32::from(letter)))
                }
                Some(_) => self.set_kconfig_number(name, number),
                None => Err(self.kconfig_error(name, format!("{value} does not fit its type"))),
            };
        }
        let (digits, negative) = value.strip_prefix('-').map_or((value, false), |digits| (digits, true));
        let number = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(hex) => i128::from_str_radix(hex, 16),
            None => digits.parse(),
        };
        match number {
            Ok(number) => self.set_kconfig_number(name, if negative { -number } else { number }),
            Err(_) => Err(self.kconfig_error(
                name,
                format!("{value} is not a value of a kernel configuration (y, n, m, a number, \"text\")"),
            )),
        }
    }

    /// Type (None if it is not a number), map, offset and size of a kconfig extern.
    fn kconfig_type(&self, name: &str) -> Result<(Option<Scalar>, usize, u32, u32)> {
        let found = self.externs.iter().find(|symbol| symbol.name == name);
        let Some(Extern { kind: ExternKind::Kconfig { map, offset, size }, type_id, .. }) = found else {
            return Err(self.kconfig_error(name, "the object has no kconfig extern of this name".to_owned()));
        };
        let target = self.btf.as_ref().and_then(|btf| Some((btf, btf.get(*type_id)?.target()?)));
        let scalar = target.and_then(|(btf, target)| Scalar::of(btf, target).ok());
        Ok((scalar, *map, *offset, *size))
    }

    fn set_kconfig_number(&mut self, name: &str, value: i128) -> Result<()> {
        let (scalar, map, offset, size) = self.kconfig_type(name)?;
        let Some(scalar) = scalar.filter(|scalar| scalar.size == size) else {
            return Err(self.kconfig_error(name, format!("it is not a number, so it cannot be {value}")));
        };
        let bytes = scalar.encode(value, self.endian).map_err(|reason| self.kconfig_error(name, reason))?;
        self.write_kconfig(name, map, offset, &bytes)
    }

    fn set_kconfig_text(&mut self, name: &str, text: &str) -> Result<()> {
        let (scalar, map, offset, size) = self.kconfig_type(name)?;
        if scalar.is_some() || size == 0 {
            return Err(self.kconfig_error(name, format!("it is a number, so it cannot be \"{text}\"")));
        }
        // As libbpf does: cut to what fits, always ending in a zero byte.
        let mut bytes: Vec<u8> = text.bytes().take(size as usize - 1).collect();
        bytes.resize(size as usize, 0);
        self.write_kconfig(name, map, offset, &bytes)
    }

    fn write_kconfig(&mut self, name: &str, map: usize, offset: u32, bytes: &[u8]) -> Result<()> {
        if !self.write_value(map, offset, bytes) {
            return Err(self.kconfig_error(name, "its map is not there or too small".to_owned()));
        }
        for symbol in self.externs.iter_mut().filter(|symbol| symbol.name == name) {
            symbol.value = ExternValue::Kconfig;
        }
        Ok(())
    }

    fn kconfig_error(&self, name: &str, reason: String) -> ObjectError {
        self.error(ErrorKind::Value, reason).symbol(name)
    }
}
