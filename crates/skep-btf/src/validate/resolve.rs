//! What types are made of: every reference leads to a type that may stand there, and nothing contains itself.

use std::collections::HashMap;

use super::Rules;
use super::records::{optional_identifier, shown};
use crate::{Btf, BtfError, Kind, Member, POINTER_SIZE, Type, VarLinkage};

/// The kernel follows references no deeper than this (`MAX_RESOLVE_DEPTH`).
const MAX_DEPTH: usize = 32;

/// How the kernel follows references, so that `struct list { struct list *next; }` is fine and `struct s { struct s s; }` is
/// not: from a pointer through pointers and modifiers only, from a structure or array through what lies inside it
/// only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Neither pointer nor structure nor array on the way so far.
    Any,
    /// Behind a pointer.
    Pointer,
    /// Inside a structure or array.
    Value,
}

/// Bits of [`Resolver::state`].
const DONE_AS_POINTER: u8 = 1;
const DONE_AS_VALUE: u8 = 2;
const ON_STACK: u8 = 4;

struct Resolver<'a> {
    btf: &'a Btf,
    rules: Rules,
    /// By id.
    state: Vec<u8>,
    /// By id: what stands behind modifiers (and variables), itself for other kinds.
    ends: Vec<u32>,
    /// By id: sizes of arrays in bytes.
    array_sizes: Vec<u32>,
    /// By id of a prototype that a function has: the first parameter without a name.
    unnamed: HashMap<u32, Option<usize>>,
    stack: Vec<Frame<'a>>,
}

struct Frame<'a> {
    ty: Type<'a>,
    mode: Mode,
    /// Index of the next reference to follow.
    next: usize,
}

/// Checks how the types refer to one another.
pub(super) fn check(btf: &Btf, rules: Rules) -> Result<(), BtfError> {
    let count = btf.last_id() as usize + 1;
    let mut resolver = Resolver {
        btf,
        rules,
        state: vec![0; count],
        ends: (0..count as u32).collect(),
        array_sizes: vec![0; count],
        unnamed: HashMap::new(),
        stack: Vec::new(),
    };
    for ty in btf.types() {
        resolver.resolve(ty)?;
        if ty.kind() == Kind::FuncProto {
            resolver.check_proto(ty)?;
        }
    }
    if rules == Rules::Kernel {
        for ty in btf.own_types() {
            resolver.check_tag_order(ty)?;
        }
    }
    Ok(())
}

/// Whether a type refers to others that decide its shape.
fn needs_resolving(kind: Kind) -> bool {
    kind.is_modifier()
        || kind.is_composite()
        || matches!(kind, Kind::Ptr | Kind::Array | Kind::Var | Kind::Func | Kind::DeclTag | Kind::Datasec)
}

/// Whether nothing may be made of a type: it only tells something about other types.
fn only_describes(kind: Kind) -> bool {
    matches!(kind, Kind::Var | Kind::DeclTag | Kind::Datasec)
}

fn has_no_size(kind: Kind) -> bool {
    matches!(kind, Kind::Void | Kind::Fwd | Kind::Func | Kind::FuncProto | Kind::DeclTag)
}

impl<'a> Resolver<'a> {
    /// Follows references from `start`, depth first with the stack on the heap, and checks each type once all it refers to
    /// is checked.
    fn resolve(&mut self, start: Type<'a>) -> Result<(), BtfError> {
        if !needs_resolving(start.kind()) || self.is_done(start.id(), Mode::Any) {
            return Ok(());
        }
        self.push(start, Mode::Any)?;
        while let Some(frame) = self.stack.last_mut() {
            let (ty, mode, index) = (frame.ty, frame.mode, frame.next);
            frame.next += 1;
            match reference(ty, index) {
                Some(id) => {
                    // A missing type is an error that the check of this type words better.
                    let Some(next) = self.btf.get(id) else { continue };
                    if self.follows(ty, next, mode) && !self.is_done(id, mode) {
                        self.push(next, mode)?;
                    }
                }
                None => {
                    self.check_type(ty)?;
                    self.state[ty.id() as usize] &= !ON_STACK;
                    self.state[ty.id() as usize] |= match mode {
                        Mode::Any => DONE_AS_POINTER | DONE_AS_VALUE,
                        Mode::Pointer => DONE_AS_POINTER,
                        Mode::Value => DONE_AS_VALUE,
                    };
                    self.stack.pop();
                }
            }
        }
        Ok(())
    }

    /// Whether the shape of `from` depends on that of `to`, given where `from` is looked at.
    fn follows(&self, from: Type<'a>, to: Type<'a>, mode: Mode) -> bool {
        let kind = to.kind();
        // What cannot be referred to is an error of the one that does; following it would find worse words.
        let allowed = match from.kind() {
            Kind::DeclTag => kind.is_composite() || matches!(kind, Kind::Func | Kind::Var | Kind::Typedef),
            Kind::Datasec => kind == Kind::Var,
            _ => !only_describes(kind) && kind != Kind::Func,
        };
        allowed
            && match mode {
                Mode::Any => needs_resolving(kind),
                Mode::Pointer => kind.is_modifier() || kind == Kind::Ptr,
                Mode::Value => kind.is_modifier() || kind.is_composite() || kind == Kind::Array,
            }
    }

    fn is_done(&self, id: u32, mode: Mode) -> bool {
        let state = self.state[id as usize];
        match (mode, self.btf.get(id).map(Type::kind)) {
            // From here on these are looked at in their own way, however they were reached.
            (_, Some(Kind::Ptr)) => state & DONE_AS_POINTER != 0,
            (_, Some(Kind::Struct | Kind::Union | Kind::Array)) => state & DONE_AS_VALUE != 0,
            (Mode::Any, _) => state & (DONE_AS_POINTER | DONE_AS_VALUE) == DONE_AS_POINTER | DONE_AS_VALUE,
            (Mode::Pointer, _) => state & DONE_AS_POINTER != 0,
            (Mode::Value, _) => state & DONE_AS_VALUE != 0,
        }
    }

    fn push(&mut self, ty: Type<'a>, mode: Mode) -> Result<(), BtfError> {
        let state = &mut self.state[ty.id() as usize];
        if *state & ON_STACK != 0 {
            return Err(self.loop_error(ty));
        }
        if self.stack.len() == MAX_DEPTH && self.rules == Rules::Kernel {
            let start = self.stack.first().map_or(ty, |frame| frame.ty);
            return fail(start, format!("its references are nested more than {MAX_DEPTH} deep (at {ty:?})"));
        }
        *state |= ON_STACK;
        let mode = match (mode, ty.kind()) {
            (Mode::Any, Kind::Ptr) => Mode::Pointer,
            (Mode::Any, Kind::Struct | Kind::Union | Kind::Array) => Mode::Value,
            _ => mode,
        };
        self.stack.push(Frame { ty, mode, next: 0 });
        Ok(())
    }

    /// `ty` is reached again from itself: names the way.
    fn loop_error(&self, ty: Type<'a>) -> BtfError {
        const SHOWN: usize = 8;
        let from = self.stack.iter().position(|frame| frame.ty.id() == ty.id()).unwrap_or(0);
        let way = &self.stack[from..];
        let mut text: String =
            way.iter().take(SHOWN).map(|frame| format!("[{}] -> ", frame.ty.id())).collect();
        if way.len() > SHOWN {
            text.push_str("... -> ");
        }
        BtfError::of_type(self.btf, ty.id(), format!("it is made of itself: {text}[{}]", ty.id()))
    }

    /// What stands behind the modifiers of an already checked type.
    fn end(&self, id: u32) -> Option<Type<'a>> {
        self.btf.get(*self.ends.get(id as usize)?)
    }

    /// The sized type behind modifiers, with its size in bytes.
    fn sized(&self, id: u32) -> Option<(Type<'a>, u32)> {
        let end = self.end(id)?;
        if has_no_size(end.kind()) || end.kind().is_modifier() || end.kind() == Kind::Var {
            return None;
        }
        let size = match end.kind() {
            Kind::Ptr => POINTER_SIZE,
            Kind::Array => self.array_sizes[end.id() as usize],
            _ => end.size()?,
        };
        Some((end, size))
    }

    fn check_type(&mut self, ty: Type<'a>) -> Result<(), BtfError> {
        match ty.kind() {
            kind if kind.is_modifier() || kind == Kind::Ptr => self.check_reference(ty),
            Kind::Array => self.check_array(ty),
            Kind::Struct | Kind::Union => ty.members().enumerate().try_for_each(|(i, member)| {
                self.member_problem(ty, &member).map_or(Ok(()), |reason| {
                    fail(ty, format!("member {i} '{}': {reason}", shown(self.btf, member.name_off)))
                })
            }),
            Kind::Var => self.check_var(ty),
            Kind::Datasec => self.check_datasec(ty),
            Kind::Func => self.check_func(ty),
            Kind::DeclTag => self.check_decl_tag(ty),
            _ => Ok(()),
        }
    }

    /// Pointers and modifiers: anything that is a type, with or without a size.
    fn check_reference(&mut self, ty: Type<'a>) -> Result<(), BtfError> {
        let target = self.target(ty)?;
        if only_describes(target.kind()) || target.kind() == Kind::Func {
            return fail(ty, format!("it refers to {target:?}, which is not a type"));
        }
        if ty.kind().is_modifier() {
            self.ends[ty.id() as usize] = self.ends[target.id() as usize];
        }
        Ok(())
    }

    fn target(&self, ty: Type<'a>) -> Result<Type<'a>, BtfError> {
        self.btf.require(ty.target().unwrap_or(0))
    }

    fn check_array(&mut self, ty: Type<'a>) -> Result<(), BtfError> {
        let Some(array) = ty.array() else { return Ok(()) };
        let describes = |id| self.btf.get(id).is_none_or(|ty| only_describes(ty.kind()));
        let index = self.sized(array.index).filter(|_| !describes(array.index));
        if !index.is_some_and(|(index, _)| index.int().is_some_and(crate::Int::is_regular)) {
            return fail(ty, format!("its index, type id {}, is not an integer of whole bytes", array.index));
        }
        let Some((element, size)) = self.sized(array.element).filter(|_| !describes(array.element)) else {
            return fail(ty, format!("its element, type id {}, has no size", array.element));
        };
        if element.int().is_some_and(|int| !int.is_regular()) {
            return fail(
                ty,
                format!("its element, {element:?}, is an integer that is no whole number of bytes"),
            );
        }
        let Some(size) = size.checked_mul(array.len) else {
            return fail(ty, format!("{} elements of {size} bytes are more than 4 GiB", array.len));
        };
        self.array_sizes[ty.id() as usize] = size;
        Ok(())
    }

    /// Why a member cannot lie where it does.
    fn member_problem(&self, parent: Type<'a>, member: &Member<'a>) -> Option<String> {
        let direct = self.btf.get(member.type_id)?;
        let sized = self.sized(member.type_id).filter(|_| !only_describes(direct.kind()));
        let Some((end, size)) = sized else {
            return Some(format!("its type, {direct:?}, has no size"));
        };
        let (offset, width, room) =
            (u64::from(member.bit_offset), u64::from(member.bitfield_size), u64::from(parent.size()?) * 8);
        let beyond = |end: u64| {
            (end > room).then(|| format!("it ends at bit {end}, behind the {} bytes of its parent", room / 8))
        };
        let unaligned = || {
            (!offset.is_multiple_of(8)).then(|| format!("it is at bit offset {offset}, not at a whole byte"))
        };
        let no_bitfield =
            || (width != 0).then(|| format!("it is a bitfield of {width} bits, but its type is {end:?}"));
        let bits = u64::from(size) * 8;
        match end.kind() {
            Kind::Int => {
                let int = end.int()?;
                let (start, value) = if parent.kind_flag() {
                    if !int.is_regular() {
                        return Some(format!("its type, {end:?}, is no whole number of bytes"));
                    }
                    if width == 0 && !offset.is_multiple_of(8) {
                        return unaligned();
                    }
                    (offset, if width == 0 { u64::from(int.bits) } else { width })
                } else {
                    (offset + u64::from(int.bit_offset), u64::from(int.bits))
                };
                if value > u64::from(int.bits) {
                    return Some(format!("it is a bitfield of {value} bits of a type that has {}", int.bits));
                }
                if start % 8 + value > 128 {
                    return Some(format!("its {value} bits at bit offset {start} touch more than 16 bytes"));
                }
                beyond((start + value).next_multiple_of(8))
            }
            Kind::Enum | Kind::Enum64 if parent.kind_flag() => {
                if width == 0 {
                    return unaligned().or_else(|| beyond(offset + 32));
                }
                if width > 32 {
                    return Some(format!(
                        "it is a bitfield of {width} bits, more than 32, of an enumeration"
                    ));
                }
                beyond((offset + width).next_multiple_of(8))
            }
            Kind::Float => no_bitfield().or_else(|| {
                let align = u64::from(size.min(POINTER_SIZE)) * 8;
                if offset.is_multiple_of(align) {
                    beyond(offset + bits)
                } else {
                    Some(format!("it is at bit offset {offset}, not at a multiple of {align}"))
                }
            }),
            _ => no_bitfield().or_else(unaligned).or_else(|| beyond(offset + bits)),
        }
    }

    fn check_var(&mut self, ty: Type<'a>) -> Result<(), BtfError> {
        let target = self.target(ty)?;
        if ty.var_linkage() == Some(VarLinkage::Extern) && self.rules == Rules::Object {
            return Ok(());
        }
        if only_describes(target.kind()) || self.sized(target.id()).is_none() {
            return fail(ty, format!("its type, {target:?}, has no size"));
        }
        self.ends[ty.id() as usize] = self.ends[target.id() as usize];
        Ok(())
    }

    fn check_datasec(&self, ty: Type<'a>) -> Result<(), BtfError> {
        for (i, info) in ty.secinfos().enumerate() {
            let var = self.btf.require(info.type_id)?;
            let reason = match var.kind() {
                Kind::Func if self.rules == Rules::Object => continue,
                Kind::Var => {
                    let size = self.sized(var.id()).map_or(0, |(_, size)| size);
                    if info.size >= size {
                        continue;
                    }
                    format!("{} bytes are less than the {size} of its type", info.size)
                }
                _ => "it is not a variable".to_owned(),
            };
            return fail(ty, format!("variable {i} ({var:?}): {reason}"));
        }
        Ok(())
    }

    fn check_func(&mut self, ty: Type<'a>) -> Result<(), BtfError> {
        let proto = self.target(ty)?;
        if proto.kind() != Kind::FuncProto {
            return fail(ty, format!("it refers to {proto:?}, which is not a prototype"));
        }
        let extern_func = ty.func_linkage() == Some(crate::FuncLinkage::Extern);
        if extern_func && self.rules == Rules::Object {
            // A declaration need not name its parameters.
            return Ok(());
        }
        // Many functions may share one long prototype.
        let find = || proto.params().position(|param| param.name_off == 0 && param.type_id != 0);
        match *self.unnamed.entry(proto.id()).or_insert_with(find) {
            Some(i) => fail(ty, format!("parameter {i} of its prototype [{}] has no name", proto.id())),
            None => Ok(()),
        }
    }

    fn check_decl_tag(&self, ty: Type<'a>) -> Result<(), BtfError> {
        let target = self.target(ty)?;
        let components = match target.kind() {
            Kind::Struct | Kind::Union => target.vlen(),
            Kind::Func => self.target(target)?.vlen(),
            Kind::Var | Kind::Typedef => 0,
            _ => {
                return fail(
                    ty,
                    format!(
                        "it is attached to {target:?}, not to a structure, union, function, variable or typedef"
                    ),
                );
            }
        };
        let index = ty.component_idx().unwrap_or(-1);
        if index >= i32::from(components) {
            return fail(
                ty,
                format!("component index {index} is too large: {target:?} has {components} components"),
            );
        }
        Ok(())
    }

    /// Return type and parameters. Prototypes are not followed from other types, so each is looked at on its own.
    fn check_proto(&mut self, ty: Type<'a>) -> Result<(), BtfError> {
        let ret = self.target(ty)?;
        if ret.id() != 0 {
            self.resolve(ret)?;
            if only_describes(ret.kind()) || self.sized(ret.id()).is_none() {
                return fail(ty, format!("its return type, {ret:?}, has no size"));
            }
        }
        let last = ty.params().len().wrapping_sub(1);
        for (i, param) in ty.params().enumerate() {
            let named = |reason: &str| {
                fail(ty, format!("parameter {i} '{}': {reason}", shown(self.btf, param.name_off)))
            };
            if param.type_id == 0 && i == last {
                if param.name_off != 0 {
                    return named("it is void and has a name; void without a name stands for '...'");
                }
                continue;
            }
            if param.type_id == 0 {
                return named("it is void and not the last one");
            }
            let direct = self.btf.require(param.type_id)?;
            if let Some(reason) = optional_identifier(self.btf, param.name_off, self.rules) {
                return named(&reason);
            }
            self.resolve(direct)?;
            if only_describes(direct.kind()) || self.sized(direct.id()).is_none() {
                return named(&format!("its type, {direct:?}, has no size"));
            }
        }
        Ok(())
    }

    /// Type tags come before other modifiers: pointer, tags, then `const` and the like.
    fn check_tag_order(&self, ty: Type<'a>) -> Result<(), BtfError> {
        // Looking one step ahead from every modifier finds any tag that is out of order.
        let is_tag = |ty: Type<'_>| ty.kind() == Kind::TypeTag;
        if !ty.kind().is_modifier() || is_tag(ty) {
            return Ok(());
        }
        let target = self.target(ty)?;
        if is_tag(target) {
            return fail(ty, format!("it stands before the type tag {target:?}; tags must come first"));
        }
        Ok(())
    }
}

/// The references of a type that decide its shape, one by one.
fn reference(ty: Type<'_>, index: usize) -> Option<u32> {
    match ty.kind() {
        Kind::Array => {
            let array = ty.array()?;
            [array.index, array.element].get(index).copied()
        }
        Kind::Struct | Kind::Union => ty.members().nth(index).map(|member| member.type_id),
        Kind::Datasec => ty.secinfos().nth(index).map(|info| info.type_id),
        _ => ty.target().filter(|_| index == 0),
    }
}

fn fail<T>(ty: Type<'_>, reason: String) -> Result<T, BtfError> {
    Err(BtfError::of_type(ty.btf(), ty.id(), reason))
}
