//! Lets a command library grow its memory anew in each call.
//!
//! A memory never shrinks, so it is put back as large as it has become. But the guest's allocator has forgotten
//! everything: it would grow the memory again in each call, up to its limit. So the size that the guest sees is a
//! global, which is put back like any other, and the memory grows only by the pages that are really missing ([`grow`]):
//!
//! ```wat
//! (func $grow (param $more i32) (result i32)
//!   (if (i32.gt_u (local.get $more) (i32.sub (memory.size) (global.get $size)))
//!     (then
//!       (if (i32.eq (i32.const -1) (memory.grow
//!                     (i32.sub (local.get $more) (i32.sub (memory.size) (global.get $size)))))
//!         (then (return (i32.const -1))))))
//!   (global.get $size)
//!   (global.set $size (i32.add (global.get $size) (local.get $more))))
//! ```
//!
//! The bytes of everything else are copied as they are. No index shifts, because the additions come last.

mod grow;

use anyhow::{Context, Result};
use wasm_encoder::{ConstExpr, Encode, GlobalType, Instruction, SectionId, ValType};
use wasmparser::{BinaryReader, FunctionBody, Operator};

use crate::custom_sections::is_stale;
use crate::sections::{longer, put, sized};
use crate::survey::{Section, Survey};

const CUSTOM: u8 = SectionId::Custom as u8;
const TYPE: u8 = SectionId::Type as u8;
const FUNCTION: u8 = SectionId::Function as u8;
const TAG: u8 = SectionId::Tag as u8;
const GLOBAL: u8 = SectionId::Global as u8;
const EXPORT: u8 = SectionId::Export as u8;
const CODE: u8 = SectionId::Code as u8;

/// One of the module's own memories, and the indices of the items that are added for it.
struct Memory {
    index: u32,
    is_64: bool,
    minimum: u64,
    global: u32,
    function: u32,
    ty: u32,
}

/// The valid module with the sizes of its memories in globals, if it grows a memory of its own.
pub(super) fn keep_in_globals(wasm: &[u8]) -> Result<Option<Vec<u8>>> {
    let survey = Survey::of(wasm)?;
    let memories = Memory::all(&survey);
    let grows = survey.bodies.iter().map(|body| grows(body, &memories));
    if !grows.collect::<Result<Vec<_>>>()?.contains(&true) {
        return Ok(None);
    }
    assemble(&survey, &memories).map(Some)
}

fn grows(body: &FunctionBody<'_>, memories: &[Memory]) -> Result<bool> {
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        if let Operator::MemoryGrow { mem } = operators.read()?
            && own(memories, mem).is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn own(memories: &[Memory], index: u32) -> Option<&Memory> {
    memories.iter().find(|memory| memory.index == index)
}

fn assemble(survey: &Survey<'_>, memories: &[Memory]) -> Result<Vec<u8>> {
    let mut module = wasm_encoder::Module::HEADER.to_vec();
    let globals = |section: &[u8]| with_each(section, memories, Memory::encode_global);
    let mut has_globals = false;
    for Section { id, contents } in &survey.sections {
        // A module without globals gets a section of them, before the first section that must follow it.
        if !has_globals && *id >= EXPORT && *id != TAG {
            put(&mut module, GLOBAL, &globals(&[0])?)?;
            has_globals = true;
        }
        match *id {
            CUSTOM => {
                let name = BinaryReader::new(contents, 0).read_string();
                if !name.is_ok_and(is_stale) {
                    put(&mut module, CUSTOM, contents)?;
                }
            }
            TYPE => {
                let types = with_each(contents, memories, Memory::encode_type)?;
                put(&mut module, TYPE, &types)?;
            }
            FUNCTION => {
                let ty = |memory: &Memory, sink: &mut _| memory.ty.encode(sink);
                put(&mut module, FUNCTION, &with_each(contents, memories, ty)?)?;
            }
            GLOBAL => {
                has_globals = true;
                put(&mut module, GLOBAL, &globals(contents)?)?;
            }
            CODE => put(&mut module, CODE, &code(survey, memories)?)?,
            id => put(&mut module, id, contents)?,
        }
    }
    Ok(module)
}

/// A section with one item more for each memory.
fn with_each(
    section: &[u8],
    memories: &[Memory],
    item: impl Fn(&Memory, &mut Vec<u8>),
) -> Result<Vec<u8>> {
    longer(section, memories.len(), |sink| {
        memories.iter().for_each(|memory| item(memory, sink));
    })
}

fn code(survey: &Survey<'_>, memories: &[Memory]) -> Result<Vec<u8>> {
    let mut section = Vec::new();
    (survey.bodies.len() + memories.len()).encode(&mut section);
    for body in &survey.bodies {
        sized(&mut section, &rewritten(body, memories)?)?;
    }
    for memory in memories {
        sized(&mut section, &memory.grow().into_raw_body())?;
    }
    Ok(section)
}

/// The body with a call in the place of each `memory.grow`, and a `global.get` in the place of each `memory.size`.
fn rewritten(body: &FunctionBody<'_>, memories: &[Memory]) -> Result<Vec<u8>> {
    let bytes = body.as_bytes();
    let start = body.range().start;
    let (mut new, mut done) = (Vec::with_capacity(bytes.len() + 16), 0);
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, begin) = operators.read_with_offset()?;
        let instead = match operator {
            Operator::MemoryGrow { mem } => {
                own(memories, mem).map(|memory| Instruction::Call(memory.function))
            }
            Operator::MemorySize { mem } => {
                own(memories, mem).map(|memory| Instruction::GlobalGet(memory.global))
            }
            _ => None,
        };
        if let Some(instead) = instead {
            let before = bytes.get(done..begin - start);
            new.extend_from_slice(before.context("an instruction beyond its body")?);
            instead.encode(&mut new);
            done = operators.original_position() - start;
        }
    }
    let rest = bytes.get(done..);
    new.extend_from_slice(rest.context("an instruction beyond its body")?);
    Ok(new)
}

impl Memory {
    /// The module's own memories.
    fn all(survey: &Survey<'_>) -> Vec<Memory> {
        let (types, functions) = (survey.types.len() as u32, survey.function_count() as u32);
        let imported = survey.imported_memories;
        let memories = survey.memories.iter().skip(imported as usize);
        let memories = (0..).zip(memories).map(|(nth, memory)| Memory {
            index: imported + nth,
            is_64: memory.memory64,
            minimum: memory.initial,
            global: survey.global_count() + nth,
            function: functions + nth,
            ty: types + nth,
        });
        memories.collect()
    }

    fn pages(&self) -> ValType {
        match self.is_64 {
            true => ValType::I64,
            false => ValType::I32,
        }
    }

    fn encode_type(&self, sink: &mut Vec<u8>) {
        sink.push(0x60);
        for _ in 0..2 {
            1_u32.encode(sink);
            self.pages().encode(sink);
        }
    }

    fn encode_global(&self, sink: &mut Vec<u8>) {
        let ty = GlobalType {
            val_type: self.pages(),
            mutable: true,
            shared: false,
        };
        ty.encode(sink);
        match self.is_64 {
            true => ConstExpr::i64_const(self.minimum.cast_signed()).encode(sink),
            // The minimum is at most 65 536.
            false => ConstExpr::i32_const(self.minimum as i32).encode(sink),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str) -> Option<Vec<u8>> {
        let changed = keep_in_globals(&wat::parse_str(text).unwrap()).unwrap();
        if let Some(changed) = &changed {
            wasmparser::validate(changed).unwrap();
        }
        changed
    }

    #[test]
    fn a_module_that_grows_no_memory_of_its_own_stays_as_it_is() {
        assert!(changed("(module (memory 1) (func (drop (memory.size))))").is_none());
        let imported = r#"(module (import "a" "m" (memory 1)) (memory 1)
                            (func (drop (memory.grow 0 (i32.const 1)))))"#;
        assert!(changed(imported).is_none());
    }

    #[test]
    fn a_module_that_grows_its_memory_stays_valid() {
        assert!(changed("(module (memory 1) (func (drop (memory.grow (memory.size)))))").is_some());
    }
}
