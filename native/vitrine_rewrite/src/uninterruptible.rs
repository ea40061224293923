//! Finds instructions that may take long and can be neither interrupted nor split: those that allocate elements of
//! tables or objects of the garbage-collected heap, or may collect it. A plugin that has any such instruction runs on
//! dirty schedulers only.
//!
//! An exception that is thrown is an object of that heap, too. But it is gone once it has been caught, and the heap
//! stays small, unless references to exceptions are kept: on the stack, which is bounded, in a global or a table, or in
//! another exception. So only a module that has a place to keep exceptions in is uninterruptible, and not each module
//! that throws. Modules that compilers make from C++ and Rust have no such place.

use wasmparser::{
    AbstractHeapType, CompositeInnerType, HeapType, Operator, Parser, Payload, RefType, Result,
    TypeRef, ValType,
};

/// The encoding of each of these instructions begins with one of these bytes.
const PREFIXES: [u8; 2] = [0xFB, 0xFC];

/// Returns true if a valid module has such instructions.
pub(crate) fn is_uninterruptible(wasm: &[u8]) -> Result<bool> {
    let mut types = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if keeps_exceptions(&payload, &mut types)? {
            return Ok(true);
        }
        let Payload::CodeSectionEntry(body) = payload else {
            continue;
        };
        // Nearly all bodies have neither byte, so they need not be decoded.
        if !body.as_bytes().iter().any(|byte| PREFIXES.contains(byte)) {
            continue;
        }
        for operator in body.get_operators_reader()? {
            if is_long(&operator?) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Returns true if a section declares a place for references to exceptions. `types` tells for each type of the module
/// whether it is a function type with such a parameter.
fn keeps_exceptions(payload: &Payload<'_>, types: &mut Vec<bool>) -> Result<bool> {
    let keeps = |ty: u32, types: &[bool]| types.get(ty as usize).copied().unwrap_or(false);
    match payload {
        Payload::TypeSection(section) => {
            for group in section.clone() {
                types.extend(group?.into_types().map(|ty| {
                    let CompositeInnerType::Func(ty) = ty.composite_type.inner else {
                        return false;
                    };
                    ty.params().iter().any(|ty| is_exception(*ty))
                }));
            }
        }
        Payload::ImportSection(section) => {
            for import in section.clone().into_imports() {
                let keeps = match import?.ty {
                    TypeRef::Global(global) => is_exception(global.content_type),
                    TypeRef::Table(table) => refers_to_exception(table.element_type),
                    TypeRef::Tag(tag) => keeps(tag.func_type_idx, types),
                    _ => false,
                };
                if keeps {
                    return Ok(true);
                }
            }
        }
        Payload::GlobalSection(section) => {
            for global in section.clone() {
                if is_exception(global?.ty.content_type) {
                    return Ok(true);
                }
            }
        }
        Payload::TableSection(section) => {
            for table in section.clone() {
                if refers_to_exception(table?.ty.element_type) {
                    return Ok(true);
                }
            }
        }
        Payload::TagSection(section) => {
            for tag in section.clone() {
                if keeps(tag?.func_type_idx, types) {
                    return Ok(true);
                }
            }
        }
        _ => (),
    }
    Ok(false)
}

fn is_exception(ty: ValType) -> bool {
    matches!(ty, ValType::Ref(ty) if refers_to_exception(ty))
}

fn refers_to_exception(ty: RefType) -> bool {
    matches!(
        ty.heap_type(),
        HeapType::Abstract {
            ty: AbstractHeapType::Exn | AbstractHeapType::NoExn,
            ..
        }
    )
}

fn is_long(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::TableGrow { .. }
            | Operator::StructNew { .. }
            | Operator::StructNewDefault { .. }
            | Operator::ArrayNew { .. }
            | Operator::ArrayNewDefault { .. }
            | Operator::ArrayNewFixed { .. }
            | Operator::ArrayNewData { .. }
            | Operator::ArrayNewElem { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> bool {
        is_uninterruptible(&wat::parse_str(text).unwrap()).unwrap()
    }

    #[test]
    fn growing_a_table_and_allocating_objects_are_uninterruptible() {
        assert!(check(
            "(module (table 1 funcref)
               (func (drop (table.grow (ref.null func) (i32.const 9)))))"
        ));
        assert!(check(
            "(module (type $a (array i8))
               (func (drop (array.new_default $a (i32.const 9)))))"
        ));
        assert!(check(
            "(module (type $s (struct)) (func (drop (struct.new $s))))"
        ));
    }

    #[test]
    fn places_to_keep_exceptions_in_are_uninterruptible_and_throwing_alone_is_not() {
        let throws = "(tag $t (param i32)) (func (local exnref) (block (result i32 exnref)
          (try_table (catch_ref $t 0) (throw $t (i32.const 1))) (unreachable)) (local.set 0) (drop))";
        assert!(!check(&format!("(module {throws})")));
        for place in [
            "(import \"a\" \"g\" (global (mut exnref)))",
            "(import \"a\" \"t\" (table 1 exnref))",
            "(import \"a\" \"x\" (tag (param i32 exnref)))",
            "(global (mut exnref) (ref.null exn))",
            "(table 1 exnref)",
            "(tag (param exnref))",
        ] {
            assert!(check(&format!("(module {place} {throws})")), "{place}");
        }
    }

    #[test]
    fn bulk_instructions_and_short_instructions_are_interruptible() {
        assert!(!check(
            "(module (memory 1)
               (func (memory.fill (i32.const 0) (i32.const 0) (memory.size)))
               (func (drop (memory.grow (i32.const 1)))))"
        ));
        // The constant looks like an instruction's first byte.
        assert!(!check("(module (func (drop (i32.const 0xfb))))"));
    }
}
