//! Refuses modules that can change state that a snapshot would lose.

use wasmparser::{Operator, Parser, Payload};

use crate::error::Error;

/// Refuses a valid module whose code can change tables, segments or objects of the garbage-collected heap. Nothing can
/// tell whether it really does so before the snapshot is taken.
///
/// # Errors
///
/// Returns [`Error::CannotSnapshot`] for such a module, and another error if the module is malformed.
pub fn check(wasm: &[u8]) -> Result<(), Error> {
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::CodeSectionEntry(body) = payload? else {
            continue;
        };
        for operator in body.get_operators_reader()? {
            if let Some((name, what)) = changes(&operator?) {
                let why = format!("its code has the instruction {name}, and {what} are not kept");
                return Err(Error::cannot_snapshot(why));
            }
        }
    }
    Ok(())
}

/// The name of an instruction that changes state that is not kept, and the name of that state.
fn changes(operator: &Operator<'_>) -> Option<(&'static str, &'static str)> {
    const TABLES: &str = "changes of tables";
    const SEGMENTS: &str = "dropped segments";
    const OBJECTS: &str = "changes of objects";
    Some(match operator {
        Operator::TableSet { .. } => ("table.set", TABLES),
        Operator::TableGrow { .. } => ("table.grow", TABLES),
        Operator::TableFill { .. } => ("table.fill", TABLES),
        Operator::TableCopy { .. } => ("table.copy", TABLES),
        Operator::TableInit { .. } => ("table.init", TABLES),
        Operator::ElemDrop { .. } => ("elem.drop", SEGMENTS),
        Operator::DataDrop { .. } => ("data.drop", SEGMENTS),
        Operator::StructSet { .. } => ("struct.set", OBJECTS),
        Operator::ArraySet { .. } => ("array.set", OBJECTS),
        Operator::ArrayFill { .. } => ("array.fill", OBJECTS),
        Operator::ArrayCopy { .. } => ("array.copy", OBJECTS),
        Operator::ArrayInitData { .. } => ("array.init_data", OBJECTS),
        Operator::ArrayInitElem { .. } => ("array.init_elem", OBJECTS),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<String> {
        let wasm = wat::parse_str(text).unwrap();
        wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
            .validate_all(&wasm)
            .unwrap();
        match check(&wasm) {
            Ok(()) => None,
            Err(Error::CannotSnapshot(why)) => Some(why),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_module_that_can_change_tables_segments_or_objects_is_refused_with_the_instruction() {
        let module = r#"
          (memory 1) (table $t 2 funcref) (data $d "x") (elem $e func) (elem $objects (ref null $a))
          (type $a (array (mut i32))) (type $s (struct (field (mut i32))))"#;
        for (code, name) in [
            ("(table.set (i32.const 0) (ref.null func))", "table.set"),
            (
                "(drop (table.grow (ref.null func) (i32.const 1)))",
                "table.grow",
            ),
            (
                "(table.fill (i32.const 0) (ref.null func) (i32.const 1))",
                "table.fill",
            ),
            (
                "(table.copy (i32.const 0) (i32.const 1) (i32.const 1))",
                "table.copy",
            ),
            (
                "(table.init $e (i32.const 0) (i32.const 0) (i32.const 0))",
                "table.init",
            ),
            ("(elem.drop $e)", "elem.drop"),
            ("(data.drop $d)", "data.drop"),
            (
                "(struct.set $s 0 (struct.new_default $s) (i32.const 1))",
                "struct.set",
            ),
            (
                "(array.set $a (ref.null $a) (i32.const 0) (i32.const 1))",
                "array.set",
            ),
            (
                "(array.fill $a (ref.null $a) (i32.const 0) (i32.const 1) (i32.const 1))",
                "array.fill",
            ),
            (
                "(array.copy $a $a (ref.null $a) (i32.const 0) (ref.null $a) (i32.const 0) (i32.const 0))",
                "array.copy",
            ),
            (
                "(array.init_data $a $d (ref.null $a) (i32.const 0) (i32.const 0) (i32.const 0))",
                "array.init_data",
            ),
        ] {
            let message = refusal(&format!("(module {module} (func {code}))")).unwrap();
            assert!(
                message.contains(&format!("the instruction {name},")),
                "{message}"
            );
        }
    }

    #[test]
    fn a_module_that_only_reads_them_is_not_refused() {
        let code = "(drop (table.get (i32.const 0))) (call_indirect (i32.const 0))
          (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))
          (memory.fill (i32.const 0) (i32.const 0) (i32.const 1))
          (drop (memory.grow (i32.const 1)))";
        let module =
            format!(r#"(module (memory 1) (table 1 funcref) (data $d "x") (func {code}))"#);
        assert_eq!(refusal(&module), None);
    }
}
