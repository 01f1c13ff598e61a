//! The object itself: everything a file holds, as plain data.

use skep_btf::{Btf, LineInfo};
use skep_isa::Endian;

use crate::error::{ErrorKind, ObjectError, Result};
use crate::externs::Extern;
use crate::map::MapDef;
use crate::program::{Code, FuncRef, Linkage, Program, Subprogram};
use crate::source::SourceLine;
use crate::variable::Variable;

/// An eBPF object file as plain, editable data.
///
/// Reading one touches no kernel and gives the same value on every machine. References between the parts are indices
/// into the vectors here, so append to them and edit their elements, but do not remove or reorder elements.
#[derive(Clone, Debug)]
pub struct Object {
    /// File, as given to [`Object::parse`]; errors begin with it.
    pub file: String,
    /// Name of the object: the file's name without directories, up to its first dot.
    pub name: String,
    /// Byte order of the kernel that the object is for.
    pub endian: Endian,
    /// Section `license`, such as `GPL`; empty without one.
    pub license: String,
    /// Section `version`: a kernel version as `LINUX_VERSION_CODE` has it, 0 without one.
    pub version: u32,
    /// Entry programs, in the order of the file.
    pub programs: Vec<Program>,
    /// Functions that programs call, in the order of the file.
    pub subprograms: Vec<Subprogram>,
    /// Maps: those of `maps` and `.maps`, then global data, kconfig and `struct_ops`.
    pub maps: Vec<MapDef>,
    /// Global variables.
    pub variables: Vec<Variable>,
    /// Symbols that the kernel defines.
    pub externs: Vec<Extern>,
    /// Types, with sizes and offsets of global variables as they are in the file's sections.
    pub btf: Option<Btf>,
    /// What reading found odd and passed over, one sentence each.
    pub warnings: Vec<String>,
}

impl Object {
    /// Reads an object file. `name` is its file name or path: errors begin with it, and the object and its data maps are
    /// named after it.
    ///
    /// # Errors
    /// Bytes that are not a relocatable ELF file for BPF, break its rules, or contradict themselves. The error names file,
    /// section, offset and reason. Troubles that concern only one program ([`Code::problems`]) are reported when that
    /// program is linked.
    pub fn parse(bytes: &[u8], name: &str) -> Result<Object> {
        crate::read::read(bytes, name).map_err(|error| error.in_file(name))
    }

    /// An object with nothing in it, for this host's byte order.
    #[must_use]
    pub fn empty(name: &str) -> Object {
        Object {
            file: name.to_owned(),
            name: object_name(name),
            endian: Endian::HOST,
            license: String::new(),
            version: 0,
            programs: Vec::new(),
            subprograms: Vec::new(),
            maps: Vec::new(),
            variables: Vec::new(),
            externs: Vec::new(),
            btf: None,
            warnings: Vec::new(),
        }
    }

    /// The program of this name.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.program_index(name).map(|index| &self.programs[index])
    }

    /// The program of this name, to edit.
    pub fn program_mut(&mut self, name: &str) -> Option<&mut Program> {
        self.program_index(name).map(|index| &mut self.programs[index])
    }

    /// Index of the program of this name.
    #[must_use]
    pub fn program_index(&self, name: &str) -> Option<usize> {
        self.programs.iter().position(|program| program.name == name)
    }

    /// The map of this name; maps of global data are also found by their section (`.rodata`).
    #[must_use]
    pub fn map(&self, name: &str) -> Option<&MapDef> {
        self.map_index(name).map(|index| &self.maps[index])
    }

    /// The map of this name or section, to edit.
    pub fn map_mut(&mut self, name: &str) -> Option<&mut MapDef> {
        self.map_index(name).map(|index| &mut self.maps[index])
    }

    /// Index of the map of this name or section.
    #[must_use]
    pub fn map_index(&self, name: &str) -> Option<usize> {
        let by_name = self.maps.iter().position(|map| map.name == name);
        by_name.or_else(|| self.maps.iter().position(|map| map.is_data() && map.section == name))
    }

    /// The extern of this name.
    #[must_use]
    pub fn extern_symbol(&self, name: &str) -> Option<&Extern> {
        self.externs.iter().find(|symbol| symbol.name == name)
    }

    /// Name of a function.
    #[must_use]
    pub fn function_name(&self, function: FuncRef) -> Option<&str> {
        match function {
            FuncRef::Program(index) => self.programs.get(index).map(|program| program.name.as_str()),
            FuncRef::Subprogram(index) => self.subprograms.get(index).map(|program| program.name.as_str()),
        }
    }

    /// Code of a function.
    #[must_use]
    pub fn function_code(&self, function: FuncRef) -> Option<&Code> {
        match function {
            FuncRef::Program(index) => self.programs.get(index).map(|program| &program.code),
            FuncRef::Subprogram(index) => self.subprograms.get(index).map(|program| &program.code),
        }
    }

    /// Linkage of a function.
    #[must_use]
    pub fn function_linkage(&self, function: FuncRef) -> Option<Linkage> {
        match function {
            FuncRef::Program(index) => self.programs.get(index).map(|program| program.linkage),
            FuncRef::Subprogram(index) => self.subprograms.get(index).map(|program| program.linkage),
        }
    }

    /// A line record with its strings; None in an object without BTF.
    #[must_use]
    pub fn source_line(&self, line: &LineInfo) -> Option<SourceLine> {
        self.btf.as_ref().map(|btf| SourceLine::new(line, btf))
    }

    /// The source line of a slot of a function, if the object says.
    #[must_use]
    pub fn source_at(&self, function: FuncRef, slot: usize) -> Option<SourceLine> {
        self.source_line(self.function_code(function)?.line_at(slot)?)
    }

    /// An error about this object.
    pub(crate) fn error(&self, kind: ErrorKind, reason: impl Into<String>) -> ObjectError {
        ObjectError::new(kind, reason).in_file(&self.file)
    }
}

/// The file's name without directories, up to its first dot, as libbpf names objects.
pub(crate) fn object_name(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    let stem = base.split('.').next().unwrap_or(base);
    stem.to_owned()
}
