//! Questions about types: size, alignment, what stands behind modifiers, where a member lies.

use std::collections::{HashMap, HashSet};

use crate::{Btf, BtfError, Kind, Member, Type};

/// Size in bytes of a pointer: BPF has 64-bit pointers (RFC 9669 section 2).
pub const POINTER_SIZE: u32 = 8;

/// How many modifiers or arrays in front of a type are looked through. Compilers write a handful (libbpf and the kernel stop
/// at 32); without a limit, a file of nothing but typedefs would make every question take as long as the file is.
const MAX_CHAIN: u32 = 256;

/// A member found by name, perhaps inside anonymous structures and unions.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// The structure or union that directly holds it.
    pub parent: Type<'a>,
    /// The member itself; its `bit_offset` counts from the start of `parent`.
    pub member: Member<'a>,
    /// Offset in bits from the start of the type that was searched.
    pub bit_offset: u64,
}

impl Btf {
    /// What stands behind typedefs, `const`, `volatile`, `restrict` and type tags; the type itself if it is none of these.
    ///
    /// # Errors
    /// An id that does not exist, or more than 256 modifiers in a row, as when they refer to one another in a circle.
    pub fn resolve(&self, id: u32) -> Result<Type<'_>, BtfError> {
        let mut ty = self.require(id)?;
        for _ in 0..=MAX_CHAIN {
            match ty.target() {
                Some(next) if ty.kind().is_modifier() => ty = self.require(next)?,
                _ => return Ok(ty),
            }
        }
        Err(self.circle(id))
    }

    fn circle(&self, id: u32) -> BtfError {
        let reason = format!("more than {MAX_CHAIN} types stand for one another: perhaps they form a circle");
        BtfError::of_type(self, id, reason)
    }

    /// Size of a type in bytes, as C's `sizeof`; that of a variable is that of its type.
    ///
    /// # Errors
    /// Types without a size (void, functions, prototypes, forward declarations, declaration tags), arrays of more than
    /// 4 GiB, circles, ids that do not exist.
    pub fn size_of(&self, id: u32) -> Result<u32, BtfError> {
        let mut count = 1u32;
        let mut ty = self.require(id)?;
        for _ in 0..=MAX_CHAIN {
            let item_size = match ty.kind() {
                Kind::Ptr => Some(POINTER_SIZE),
                Kind::Array => {
                    let array = ty.array().unwrap_or(crate::Array { element: 0, index: 0, len: 0 });
                    let Some(product) = count.checked_mul(array.len) else { return Err(self.too_large(id)) };
                    count = product;
                    ty = self.require(array.element)?;
                    continue;
                }
                kind if kind.is_modifier() || kind == Kind::Var => {
                    ty = self.require(ty.target().unwrap_or(0))?;
                    continue;
                }
                _ => ty.size(),
            };
            let Some(item_size) = item_size else {
                return Err(self.without(id, ty, "size"));
            };
            return count.checked_mul(item_size).ok_or_else(|| self.too_large(id));
        }
        Err(self.circle(id))
    }

    fn too_large(&self, id: u32) -> BtfError {
        BtfError::of_type(self, id, "its size is more than 4 GiB")
    }

    fn without(&self, id: u32, end: Type<'_>, what: &str) -> BtfError {
        if end.id() == id {
            BtfError::of_type(self, id, format!("a type of this kind has no {what}"))
        } else {
            BtfError::of_type(self, id, format!("it has no {what}, because it consists of {end:?}"))
        }
    }

    /// Alignment of a type in bytes on BPF: 1, 2, 4 or 8.
    ///
    /// A structure is as aligned as its most aligned member, unless its layout shows that it is packed (a member
    /// at an offset, or a size, that this alignment does not divide), which makes it 1, as libbpf's `btf__align_of` has
    /// it.
    ///
    /// # Errors
    /// As [`Btf::size_of`].
    pub fn align_of(&self, id: u32) -> Result<u32, BtfError> {
        // Depth first over structures inside structures, with the stack on the heap: nesting may be as deep as the file is
        // long. `None` marks those whose members are being looked at.
        let mut known: HashMap<u32, Option<u32>> = HashMap::new();
        let end = self.storage(id)?;
        if !end.kind().is_composite() {
            return self.scalar_align(id, end);
        }
        let mut stack = vec![end];
        while let Some(&ty) = stack.last() {
            if let Some(Some(_)) = known.get(&ty.id()) {
                stack.pop();
                continue;
            }
            let height = stack.len();
            known.insert(ty.id(), None);
            let mut align = 1;
            let mut packed = false;
            for member in ty.members() {
                let inner = self.storage(member.type_id)?;
                let member_align = match known.get(&inner.id()) {
                    Some(Some(align)) => *align,
                    Some(None) => return Err(BtfError::of_type(self, inner.id(), "it contains itself")),
                    None if inner.kind().is_composite() => {
                        stack.push(inner);
                        continue;
                    }
                    None => self.scalar_align(member.type_id, inner)?,
                };
                align = align.max(member_align);
                packed |= member.bitfield_size == 0 && !member.bit_offset.is_multiple_of(8 * member_align);
            }
            if stack.len() == height {
                packed |= !ty.size().unwrap_or(0).is_multiple_of(align);
                known.insert(ty.id(), Some(if packed { 1 } else { align }));
                stack.pop();
            }
        }
        Ok(known.get(&end.id()).copied().flatten().unwrap_or(1))
    }

    /// What a type's storage is made of: behind modifiers, variables and arrays.
    fn storage(&self, id: u32) -> Result<Type<'_>, BtfError> {
        let mut ty = self.require(id)?;
        for _ in 0..=MAX_CHAIN {
            ty = match (ty.array(), ty.target()) {
                (Some(array), _) => self.require(array.element)?,
                (None, Some(next)) if ty.kind().is_modifier() || ty.kind() == Kind::Var => {
                    self.require(next)?
                }
                _ => return Ok(ty),
            };
        }
        Err(self.circle(id))
    }

    fn scalar_align(&self, id: u32, end: Type<'_>) -> Result<u32, BtfError> {
        match end.kind() {
            Kind::Ptr => Ok(POINTER_SIZE),
            Kind::Int | Kind::Enum | Kind::Enum64 | Kind::Float => {
                Ok(end.size().unwrap_or(1).clamp(1, POINTER_SIZE))
            }
            _ => Err(self.without(id, end, "alignment")),
        }
    }

    /// The member `name` of a structure or union, also one of its anonymous structures and unions. Modifiers and
    /// typedefs in front of the type and of anonymous members are looked through.
    ///
    /// # Errors
    /// A type that is not a structure or union behind its modifiers; broken references. A missing member is `Ok(None)`.
    pub fn field(&self, id: u32, name: &str) -> Result<Option<Field<'_>>, BtfError> {
        let ty = self.resolve(id)?;
        if !ty.kind().is_composite() {
            return Err(BtfError::of_type(self, id, "only structures and unions have members"));
        }
        // A type that does not hold the name need not be searched twice, however often it occurs.
        let mut seen = HashSet::from([ty.id()]);
        let mut stack = vec![(ty, 0u64)];
        while let Some((parent, base)) = stack.pop() {
            let first = stack.len();
            for member in parent.members() {
                let bit_offset = base + u64::from(member.bit_offset);
                if member.name_off != 0 && self.str_is(member.name_off, name.as_bytes()) {
                    return Ok(Some(Field { parent, member, bit_offset }));
                }
                if member.name_off == 0 {
                    let inner = self.resolve(member.type_id)?;
                    if inner.kind().is_composite() && seen.insert(inner.id()) {
                        stack.push((inner, bit_offset));
                    }
                }
            }
            // In the order of the declaration.
            stack[first..].reverse();
        }
        Ok(None)
    }

    /// The prototype of a function: of a [`Kind::Func`], of a [`Kind::FuncProto`] itself, or of a pointer to one.
    ///
    /// # Errors
    /// Another kind of type; broken references.
    pub fn func_proto(&self, id: u32) -> Result<Type<'_>, BtfError> {
        let mut ty = self.resolve(id)?;
        if matches!(ty.kind(), Kind::Func | Kind::Ptr) {
            ty = self.resolve(ty.target().unwrap_or(0))?;
        }
        if ty.kind() == Kind::FuncProto {
            Ok(ty)
        } else {
            Err(BtfError::of_type(self, id, "it is neither a function nor a pointer to one"))
        }
    }
}
