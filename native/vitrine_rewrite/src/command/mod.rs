//! Prepares the module of a command library, so that one instance can stand for any number of fresh ones: before each
//! call its memories, tables and globals are put back to their first state, and its start function runs.
//!
//! For that purpose they are exported under names of our own ([`crate::state_exports`]), the start function is exported
//! instead of run, and segments are never dropped. A memory stays as large as it has become: [`memory_size`] hides that
//! from the guest.

mod memory_size;

use std::borrow::Cow;

use wasmparser::{ExternalKind, FunctionBody, Operator, Parser, Payload};

use crate::error::Error;
use crate::state_exports::{Start, export_state};

const NOP: u8 = 0x01;
/// The first byte of the instructions that drop segments.
const PREFIX: u8 = 0xFC;

/// The prepared module, if the module is a command, that is, exports `_start` and not `_initialize`. The sizes of
/// memories are hidden only if the code may change, because debug information describes the code as it is.
///
/// # Errors
///
/// Returns an error if the module is malformed.
pub fn prepare(wasm: &[u8], may_change_code: bool) -> Result<Option<Vec<u8>>, Error> {
    if !is_command(wasm)? {
        return Ok(None);
    }
    let mut patched = Cow::Borrowed(wasm);
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CodeSectionEntry(body) = payload? {
            keep_segments(&body, &mut patched)?;
        }
    }
    if may_change_code && let Some(changed) = memory_size::keep_in_globals(&patched)? {
        patched = Cow::Owned(changed);
    }
    export_state(&patched, Start::Export).map(Some)
}

fn is_command(wasm: &[u8]) -> Result<bool, Error> {
    let (mut start, mut initialize) = (false, false);
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::ExportSection(exports) = payload? {
            for export in exports {
                let export = export?;
                start |= export.name == "_start" && is_function(export.kind);
                initialize |= export.name == "_initialize" && is_function(export.kind);
            }
        }
    }
    Ok(start && !initialize)
}

fn is_function(kind: ExternalKind) -> bool {
    matches!(kind, ExternalKind::Func | ExternalKind::FuncExact)
}

/// Replaces the instructions that drop segments by `nop`s.
fn keep_segments(body: &FunctionBody<'_>, wasm: &mut Cow<'_, [u8]>) -> Result<(), Error> {
    if !body.as_bytes().contains(&PREFIX) {
        return Ok(());
    }
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, begin) = operators.read_with_offset()?;
        if matches!(
            operator,
            Operator::DataDrop { .. } | Operator::ElemDrop { .. }
        ) {
            wasm.to_mut()[begin..operators.original_position()].fill(NOP);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(text: &str) -> Option<Vec<u8>> {
        let made = prepare(&wat::parse_str(text).unwrap(), true).unwrap();
        if let Some(made) = &made {
            wasmparser::validate(made).unwrap();
        }
        made
    }

    #[test]
    fn only_commands_are_prepared() {
        assert!(prepared(r#"(module (func (export "f")))"#).is_none());
        assert!(
            prepared(r#"(module (func (export "_start")) (func (export "_initialize")))"#)
                .is_none()
        );
        assert!(prepared(r#"(module (func (export "_start")))"#).is_some());
    }

    #[test]
    fn all_state_of_its_own_is_exported_and_no_segment_is_dropped() {
        let made = prepared(
            r#"(module
              (import "a" "m" (memory 1)) (import "a" "g" (global i32))
              (global $fixed i32 (i32.const 1)) (global (mut i64) (i64.const 2))
              (memory 2) (table 1 funcref)
              (data $d "x") (elem $e func)
              (func $s) (start $s)
              (func (export "_start") (data.drop $d) (elem.drop $e)))"#,
        )
        .unwrap();
        let mut names = Vec::new();
        for payload in Parser::new(0).parse_all(&made) {
            match payload.unwrap() {
                Payload::ExportSection(exports) => {
                    names.extend(exports.into_iter().map(|e| e.unwrap().name.to_owned()));
                }
                Payload::StartSection { .. } => panic!("it still has a start section"),
                Payload::CodeSectionEntry(body) => {
                    for operator in body.get_operators_reader().unwrap() {
                        assert!(matches!(operator.unwrap(), Operator::Nop | Operator::End));
                    }
                }
                _ => (),
            }
        }
        names.sort();
        let state = [
            "vitrine:global:2",
            "vitrine:memory:1",
            "vitrine:start",
            "vitrine:table:0",
        ];
        assert_eq!(names, [&["_start"], &state[..]].concat());
    }
}
