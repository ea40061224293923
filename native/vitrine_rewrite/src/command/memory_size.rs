//! Lets a command library grow its memory anew in each call.
//!
//! A memory never shrinks. It is put back as large as it has become, but the guest, whose allocator has forgotten
//! all, would grow it again in each call, up to its limit. So what it takes for its memory's size is a global,
//! which is put back like any other, and its memory grows by what is really missing:
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
//! The bytes of everything else are copied as they are. No index shifts: what is added comes last.

use anyhow::{Context, Result, bail};
use wasm_encoder::{
    BlockType, ConstExpr, Encode, Function, GlobalType, Instruction, SectionId, ValType,
};
use wasmparser::{BinaryReader, FunctionBody, Operator, Parser, Payload, TypeRef};

use crate::sections::is_stale;

/// A memory of the module's own.
struct Memory {
    index: u32,
    wide: bool,
    minimum: u64,
    /// What is added for it.
    global: u32,
    function: u32,
    ty: u32,
}

#[derive(Default)]
struct Survey<'a> {
    sections: Vec<(u8, &'a [u8])>,
    bodies: Vec<FunctionBody<'a>>,
    memories: Vec<Memory>,
    types: u32,
    functions: u32,
    globals: u32,
}

/// The valid module, changed so, if it grows a memory of its own.
pub(super) fn make_regrowing(wasm: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut survey = Survey::of(wasm)?;
    let grows = survey
        .bodies
        .iter()
        .map(|body| grows(body, &survey.memories));
    if !grows.collect::<Result<Vec<_>>>()?.contains(&true) {
        return Ok(None);
    }
    for (at, memory) in (0..).zip(&mut survey.memories) {
        memory.global = survey.globals + at;
        memory.function = survey.functions + at;
        memory.ty = survey.types + at;
    }
    survey.assemble().map(Some)
}

impl<'a> Survey<'a> {
    fn of(wasm: &'a [u8]) -> Result<Survey<'a>> {
        let mut survey = Survey::default();
        let mut memories = 0;
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if let Some((id, range)) = payload.as_section() {
                let contents = wasm.get(range).context("a section beyond the module")?;
                survey.sections.push((id, contents));
            }
            match payload {
                Payload::TypeSection(types) => {
                    for group in types {
                        survey.types += group?.types().len() as u32;
                    }
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        match import?.ty {
                            TypeRef::Func(_) | TypeRef::FuncExact(_) => survey.functions += 1,
                            TypeRef::Global(_) => survey.globals += 1,
                            TypeRef::Memory(_) => memories += 1,
                            _ => (),
                        }
                    }
                }
                Payload::FunctionSection(functions) => survey.functions += functions.count(),
                Payload::GlobalSection(globals) => survey.globals += globals.count(),
                Payload::MemorySection(own) => {
                    for (index, memory) in (memories..).zip(own) {
                        let memory = memory?;
                        survey.memories.push(Memory {
                            index,
                            wide: memory.memory64,
                            minimum: memory.initial,
                            global: 0,
                            function: 0,
                            ty: 0,
                        });
                    }
                }
                Payload::CodeSectionEntry(body) => survey.bodies.push(body),
                _ => (),
            }
        }
        Ok(survey)
    }

    fn assemble(&self) -> Result<Vec<u8>> {
        let mut module = wasm_encoder::Module::HEADER.to_vec();
        let mut has_globals = false;
        for (id, contents) in &self.sections {
            // Where there are no globals, they come before what follows them.
            if !has_globals && is_after_globals(*id) {
                put(
                    &mut module,
                    SectionId::Global,
                    &self.longer(&[0], Memory::add_global)?,
                )?;
                has_globals = true;
            }
            match *id {
                id if id == SectionId::Custom as u8 => {
                    let name = BinaryReader::new(contents, 0).read_string();
                    if !name.is_ok_and(is_stale) {
                        put(&mut module, SectionId::Custom, contents)?;
                    }
                }
                id if id == SectionId::Type as u8 => {
                    put(
                        &mut module,
                        SectionId::Type,
                        &self.longer(contents, Memory::add_type)?,
                    )?;
                }
                id if id == SectionId::Function as u8 => {
                    let add = |memory: &Memory, sink: &mut Vec<u8>| memory.ty.encode(sink);
                    put(
                        &mut module,
                        SectionId::Function,
                        &self.longer(contents, add)?,
                    )?;
                }
                id if id == SectionId::Global as u8 => {
                    has_globals = true;
                    let longer = self.longer(contents, Memory::add_global)?;
                    put(&mut module, SectionId::Global, &longer)?;
                }
                id if id == SectionId::Code as u8 => {
                    put(&mut module, SectionId::Code, &self.code()?)?;
                }
                id => {
                    module.push(id);
                    sized(&mut module, contents)?;
                }
            }
        }
        Ok(module)
    }

    /// A section with an item more for each memory.
    fn longer(&self, section: &[u8], item: impl Fn(&Memory, &mut Vec<u8>)) -> Result<Vec<u8>> {
        let mut reader = BinaryReader::new(section, 0);
        let count = reader.read_var_u32()?;
        let mut new = Vec::with_capacity(section.len() + 64);
        let more = self.memories.len() as u32;
        count
            .checked_add(more)
            .context("a section has too many items")?
            .encode(&mut new);
        new.extend_from_slice(reader.read_bytes(reader.bytes_remaining())?);
        self.memories
            .iter()
            .for_each(|memory| item(memory, &mut new));
        Ok(new)
    }

    fn code(&self) -> Result<Vec<u8>> {
        let mut section = Vec::new();
        (self.bodies.len() + self.memories.len()).encode(&mut section);
        for body in &self.bodies {
            sized(&mut section, &self.body(body)?)?;
        }
        for memory in &self.memories {
            sized(&mut section, &memory.grow().into_raw_body())?;
        }
        Ok(section)
    }

    /// The body with a call in the place of each growth, and the global in that of each size.
    fn body(&self, body: &FunctionBody<'_>) -> Result<Vec<u8>> {
        let bytes = body.as_bytes();
        let start = body.range().start;
        let (mut new, mut done) = (Vec::with_capacity(bytes.len() + 16), 0);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let (operator, begin) = operators.read_with_offset()?;
            let instead = match operator {
                Operator::MemoryGrow { mem } => self
                    .own(mem)
                    .map(|memory| Instruction::Call(memory.function)),
                Operator::MemorySize { mem } => self
                    .own(mem)
                    .map(|memory| Instruction::GlobalGet(memory.global)),
                _ => None,
            };
            if let Some(instead) = instead {
                let before = bytes.get(done..begin - start);
                new.extend_from_slice(before.context("an instruction beyond its body")?);
                instead.encode(&mut new);
                done = operators.original_position() - start;
            }
        }
        new.extend_from_slice(
            bytes
                .get(done..)
                .context("an instruction beyond its body")?,
        );
        Ok(new)
    }

    fn own(&self, index: u32) -> Option<&Memory> {
        self.memories.iter().find(|memory| memory.index == index)
    }
}

fn grows(body: &FunctionBody<'_>, memories: &[Memory]) -> Result<bool> {
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        if let Operator::MemoryGrow { mem } = operators.read()?
            && memories.iter().any(|memory| memory.index == mem)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_after_globals(id: u8) -> bool {
    id >= SectionId::Export as u8 && id != SectionId::Tag as u8
}

fn put(module: &mut Vec<u8>, id: SectionId, contents: &[u8]) -> Result<()> {
    module.push(id as u8);
    sized(module, contents)
}

fn sized(sink: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    let Ok(length) = u32::try_from(bytes.len()) else {
        bail!("the module becomes too large");
    };
    length.encode(sink);
    sink.extend_from_slice(bytes);
    Ok(())
}

impl Memory {
    fn pages(&self) -> ValType {
        match self.wide {
            true => ValType::I64,
            false => ValType::I32,
        }
    }

    fn add_type(&self, sink: &mut Vec<u8>) {
        sink.push(0x60);
        for _ in 0..2 {
            1_u32.encode(sink);
            self.pages().encode(sink);
        }
    }

    fn add_global(&self, sink: &mut Vec<u8>) {
        let ty = GlobalType {
            val_type: self.pages(),
            mutable: true,
            shared: false,
        };
        ty.encode(sink);
        match self.wide {
            true => ConstExpr::i64_const(self.minimum.cast_signed()).encode(sink),
            // At most 65 536.
            false => ConstExpr::i32_const(self.minimum as i32).encode(sink),
        }
    }

    /// The function of the drawing above.
    fn grow(&self) -> Function {
        let mut function = Function::new([]);
        let mut sink = function.instructions();
        let (more, size) = (0, self.global);
        if self.wide {
            sink.local_get(more)
                .memory_size(self.index)
                .global_get(size)
                .i64_sub()
                .i64_gt_u();
            sink.if_(BlockType::Empty).local_get(more);
            sink.memory_size(self.index)
                .global_get(size)
                .i64_sub()
                .i64_sub();
            sink.memory_grow(self.index).i64_const(-1).i64_eq();
            sink.if_(BlockType::Empty)
                .i64_const(-1)
                .return_()
                .end()
                .end();
            sink.global_get(size)
                .global_get(size)
                .local_get(more)
                .i64_add();
        } else {
            sink.local_get(more)
                .memory_size(self.index)
                .global_get(size)
                .i32_sub()
                .i32_gt_u();
            sink.if_(BlockType::Empty).local_get(more);
            sink.memory_size(self.index)
                .global_get(size)
                .i32_sub()
                .i32_sub();
            sink.memory_grow(self.index).i32_const(-1).i32_eq();
            sink.if_(BlockType::Empty)
                .i32_const(-1)
                .return_()
                .end()
                .end();
            sink.global_get(size)
                .global_get(size)
                .local_get(more)
                .i32_add();
        }
        sink.global_set(size).end();
        function
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regrowing(text: &str) -> Option<Vec<u8>> {
        let made = make_regrowing(&wat::parse_str(text).unwrap()).unwrap();
        if let Some(made) = &made {
            wasmparser::validate(made).unwrap();
        }
        made
    }

    #[test]
    fn a_module_that_grows_no_memory_of_its_own_stays_as_it_is() {
        assert!(regrowing("(module (memory 1) (func (drop (memory.size))))").is_none());
        let imported = r#"(module (import "a" "m" (memory 1)) (memory 1)
                            (func (drop (memory.grow 0 (i32.const 1)))))"#;
        assert!(regrowing(imported).is_none());
    }
}
