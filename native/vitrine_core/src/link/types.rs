//! Compares types of different modules, each of which numbers its own types. As for the engine, two types are the same
//! if the recursion groups that declare them are the same and the types have the same place in them.

use std::collections::HashMap;
use std::fmt::Write;

use vitrine_rewrite::ModuleType;
use wasmparser::{
    CompositeInnerType, FieldType, HeapType, PackedIndex, RefType, StorageType, SubType,
    UnpackedIndex, ValType,
};

/// The number of a type among those of all modules.
type Id = u32;

/// The types of a plugin's modules.
pub(super) struct Types {
    /// For each module the numbers of its types.
    modules: Vec<Vec<Id>>,
    /// The declared supertype of each type.
    supertypes: Vec<Option<Id>>,
}

impl Types {
    pub(super) fn of<'a>(interfaces: impl Iterator<Item = &'a ModuleType>) -> Types {
        let mut types = Types {
            modules: Vec::new(),
            supertypes: Vec::new(),
        };
        let mut groups = HashMap::new();
        for interface in interfaces {
            let ids = types.number(interface, &mut groups);
            types.modules.push(ids);
        }
        types
    }

    /// Numbers the types of a module. A group that is the same as an earlier one gets the numbers of that one.
    fn number(&mut self, interface: &ModuleType, groups: &mut HashMap<String, Id>) -> Vec<Id> {
        let mut ids: Vec<Id> = Vec::with_capacity(interface.types.len());
        while let Some(group) = interface.groups.get(ids.len()) {
            let begin = ids.len() as u32;
            let members = &interface.types[group.start as usize..group.end as usize];
            let mut key = Key {
                text: String::new(),
                begin,
                earlier: &ids,
            };
            members.iter().for_each(|member| key.subtype(member));
            let first = *groups
                .entry(key.text)
                .or_insert(self.supertypes.len() as u32);
            if first as usize == self.supertypes.len() {
                let supertype = |member: &SubType| {
                    let index = member.supertype_idx?.as_module_index()?;
                    match index.checked_sub(begin) {
                        Some(place) => ((place as usize) < members.len()).then(|| first + place),
                        None => ids.get(index as usize).copied(),
                    }
                };
                let supertypes: Vec<_> = members.iter().map(supertype).collect();
                self.supertypes.extend(supertypes);
            }
            ids.extend((0..members.len() as u32).map(|place| first + place));
        }
        ids
    }

    fn id(&self, module: usize, ty: u32) -> Option<Id> {
        self.modules[module].get(ty as usize).copied()
    }

    /// Whether the type `found` is the type `wanted` or a subtype of it. Each is given by its module and its index there.
    pub(super) fn is_subtype(&self, found: (usize, u32), wanted: (usize, u32)) -> bool {
        let wanted = self.id(wanted.0, wanted.1);
        let mut next = self.id(found.0, found.1);
        // This ends because a supertype comes before its subtypes.
        while let Some(id) = next {
            if Some(id) == wanted {
                return true;
            }
            next = self.supertypes[id as usize].filter(|supertype| *supertype < id);
        }
        false
    }

    /// Whether both are the same.
    pub(super) fn same(&self, one: (usize, u32), other: (usize, u32)) -> bool {
        let id = self.id(one.0, one.1);
        id.is_some() && id == self.id(other.0, other.1)
    }

    /// Whether both are the same.
    pub(super) fn same_value(&self, one: (usize, ValType), other: (usize, ValType)) -> bool {
        match (one.1, other.1) {
            (ValType::Ref(a), ValType::Ref(b)) => self.same_reference((one.0, a), (other.0, b)),
            (a, b) => a == b,
        }
    }

    /// Whether both are the same.
    pub(super) fn same_reference(&self, one: (usize, RefType), other: (usize, RefType)) -> bool {
        let index = |ty: RefType| ty.type_index().and_then(|index| index.as_module_index());
        match (index(one.1), index(other.1)) {
            (Some(a), Some(b)) => {
                one.1.is_nullable() == other.1.is_nullable() && self.same((one.0, a), (other.0, b))
            }
            _ => one.1 == other.1,
        }
    }
}

/// A recursion group as text. Two groups are the same if their texts are.
struct Key<'a> {
    text: String,
    /// The index of its first type.
    begin: u32,
    earlier: &'a [Id],
}

impl Key<'_> {
    fn put(&mut self, text: impl std::fmt::Display) {
        // Writing to a string does not fail.
        let _ = write!(self.text, "{text}");
    }

    fn subtype(&mut self, ty: &SubType) {
        self.put(if ty.is_final { "|final" } else { "|open" });
        if let Some(supertype) = ty.supertype_idx {
            self.put(":");
            self.index(supertype);
        }
        if ty.composite_type.shared {
            self.put(" shared");
        }
        match &ty.composite_type.inner {
            CompositeInnerType::Func(function) => {
                self.put(" func");
                function.params().iter().for_each(|ty| self.value(*ty));
                self.put("->");
                function.results().iter().for_each(|ty| self.value(*ty));
            }
            CompositeInnerType::Array(array) => {
                self.put(" array");
                self.field(&array.0);
            }
            CompositeInnerType::Struct(object) => {
                self.put(" struct");
                object.fields.iter().for_each(|field| self.field(field));
            }
            CompositeInnerType::Cont(cont) => {
                self.put(" cont");
                self.index(cont.0);
            }
        }
    }

    fn field(&mut self, field: &FieldType) {
        self.put(if field.mutable { " mut" } else { " const" });
        match field.element_type {
            StorageType::Val(ty) => self.value(ty),
            packed => self.put(format_args!(" {packed}")),
        }
    }

    fn value(&mut self, ty: ValType) {
        match ty {
            ValType::Ref(reference) => match reference.heap_type() {
                HeapType::Concrete(index) | HeapType::Exact(index) => {
                    let exact = matches!(reference.heap_type(), HeapType::Exact(_));
                    let nullable = reference.is_nullable();
                    self.put(format_args!(" ref:{nullable}:{exact}:"));
                    self.unpacked(index);
                }
                HeapType::Abstract { .. } => self.put(format_args!(" {reference}")),
            },
            number => self.put(format_args!(" {number}")),
        }
    }

    fn index(&mut self, index: PackedIndex) {
        self.unpacked(index.unpack());
    }

    fn unpacked(&mut self, index: UnpackedIndex) {
        let Some(index) = index.as_module_index() else {
            return self.put("?");
        };
        match index.checked_sub(self.begin) {
            Some(place) => self.put(format_args!("@{place}")),
            // An index without a type is different from every type.
            None => match self.earlier.get(index as usize) {
                Some(id) => self.put(format_args!("#{id}")),
                None => self.put(format_args!("!{index}")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ModuleType {
        ModuleType::read(&wat::parse_str(format!("(module {text})")).unwrap()).unwrap()
    }

    #[test]
    fn types_are_the_same_in_two_modules_whatever_their_indices() {
        let one = read("(type (func (param i32))) (type (struct (field (ref null 0))))");
        let other = read(
            "(type (array i8)) (type (func (param i32))) (type (struct (field (ref null 1))))
             (type (struct (field (ref 1)))) (rec (type (func (param i32))) (type (struct)))",
        );
        let types = Types::of([&one, &other].into_iter());
        assert!(types.same((0, 0), (1, 1)) && types.same((0, 1), (1, 2)));
        assert!(!types.same((0, 1), (1, 3)), "nullable is another");
        assert!(!types.same((0, 0), (1, 4)), "one of a group is another");
        assert!(!types.same((0, 0), (1, 9)) && !types.same((0, 9), (1, 9)));
    }

    #[test]
    fn recursion_groups_are_compared_by_structure() {
        let group =
            "(rec (type (struct (field (ref null 1)))) (type (struct (field (ref null 0)))))";
        let shifted = "(type (func)) (rec (type (struct (field (ref null 2))))
            (type (struct (field (ref null 1)))))";
        let other =
            "(rec (type (struct (field (ref null 0)))) (type (struct (field (ref null 0)))))";
        let (group, shifted, other) = (read(group), read(shifted), read(other));
        let types = Types::of([&group, &shifted, &other].into_iter());
        assert!(types.same((0, 0), (1, 1)) && types.same((0, 1), (1, 2)));
        assert!(!types.same((0, 0), (2, 0)));
    }

    #[test]
    fn a_subtype_needs_a_chain_of_declarations() {
        let text =
            "(type (sub (func))) (type (sub 0 (func))) (type (sub final 1 (func))) (type (func))";
        let (one, other) = (read(text), read(text));
        let types = Types::of([&one, &other].into_iter());
        assert!(types.is_subtype((0, 2), (1, 0)) && types.is_subtype((1, 1), (0, 1)));
        assert!(!types.is_subtype((0, 0), (1, 2)), "a supertype is not one");
        assert!(
            !types.is_subtype((0, 3), (1, 0)),
            "one that looks the same is not one"
        );
    }
}
