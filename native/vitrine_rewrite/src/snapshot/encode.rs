//! Writes the module that begins with a state: its memories and globals have other initial values, and its start
//! function is gone. No index changes, and the bytes of everything else are copied as they are.

use anyhow::{Context, Result, bail};
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    ConstExpr, DataCountSection, DataSection, GlobalSection, Ieee32, Ieee64, MemorySection, Module,
    RawSection, SectionId,
};
use wasmparser::{DataKind, DataSectionReader, GlobalSectionReader, MemorySectionReader};
use wasmparser::{Parser, Payload, RefType, ValType};

use super::state::{Constant, MemoryState, State};
use crate::error::Error;

const START: u8 = SectionId::Start as u8;

/// The module that begins with `state`.
///
/// # Errors
///
/// Returns an error if the module is malformed, or if its new data is too large.
pub fn encode(wasm: &[u8], state: &State) -> std::result::Result<Vec<u8>, Error> {
    Ok(rewrite(wasm, state)?)
}

fn rewrite(wasm: &[u8], state: &State) -> Result<Vec<u8>> {
    let mut module = Module::new();
    let mut data = Some(Data::of(state)?);
    // Only a module that has this section can name a segment.
    let mut segments_named = false;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        match payload {
            Payload::MemorySection(section) => {
                module.section(&memories(section, &state.memories)?);
            }
            Payload::GlobalSection(section) => {
                module.section(&globals(section, &state.globals)?);
            }
            Payload::DataCountSection { count, .. } => {
                segments_named = true;
                let count = data.as_ref().map_or(0, |data| data.count) + count;
                module.section(&DataCountSection { count });
            }
            Payload::DataSection(section) => {
                let data = data.take().context("there are two data sections")?;
                let old = if segments_named { Some(section) } else { None };
                module.section(&data.after(old)?);
            }
            _ => {
                if let Some((id, range)) = payload.as_section()
                    && id != START
                {
                    let data = &wasm[range];
                    module.section(&RawSection { id, data });
                }
            }
        }
    }
    if let Some(data) = data {
        module.section(&data.after(None)?);
    }
    Ok(module.finish())
}

fn memories(section: MemorySectionReader<'_>, states: &[MemoryState]) -> Result<MemorySection> {
    let mut memories = MemorySection::new();
    for (memory, state) in section.into_iter().zip(states) {
        let mut ty = RoundtripReencoder.memory_type(memory?)?;
        ty.minimum = state.pages;
        memories.memory(ty);
    }
    Ok(memories)
}

fn globals(section: GlobalSectionReader<'_>, values: &[Option<Constant>]) -> Result<GlobalSection> {
    let mut globals = GlobalSection::new();
    for (global, value) in section.into_iter().zip(values) {
        let global = global?;
        match value {
            None => RoundtripReencoder.parse_global(&mut globals, global)?,
            Some(value) => {
                let ty = RoundtripReencoder.global_type(global.ty)?;
                globals.global(ty, &expression(*value, global.ty.content_type)?);
            }
        }
    }
    Ok(globals)
}

fn expression(value: Constant, ty: ValType) -> Result<ConstExpr> {
    Ok(match (value, ty) {
        (Constant::I32(value), _) => ConstExpr::i32_const(value),
        (Constant::I64(value), _) => ConstExpr::i64_const(value),
        (Constant::F32(bits), _) => ConstExpr::f32_const(Ieee32::new(bits)),
        (Constant::F64(bits), _) => ConstExpr::f64_const(Ieee64::new(bits)),
        (Constant::V128(bits), _) => ConstExpr::v128_const(bits.cast_signed()),
        (Constant::Null, ValType::Ref(ty)) => null(ty)?,
        (Constant::Null, _) => bail!("a number is a reference"),
    })
}

fn null(ty: RefType) -> Result<ConstExpr> {
    let heap = RoundtripReencoder.heap_type(ty.heap_type())?;
    Ok(ConstExpr::ref_null(heap))
}

/// The segments of a state, and their number.
struct Data<'a> {
    state: &'a State,
    count: u32,
}

impl Data<'_> {
    fn of(state: &State) -> Result<Data<'_>> {
        let segments = state.memories.iter().map(|memory| memory.segments.len());
        let count = u32::try_from(segments.sum::<usize>())?;
        Ok(Data { state, count })
    }

    /// The data section, with the module's own segments first. The segments that the instantiation copied are not
    /// needed any more, as if they were dropped.
    fn after(&self, old: Option<DataSectionReader<'_>>) -> Result<DataSection> {
        let mut data = DataSection::new();
        for segment in old.into_iter().flatten() {
            let segment = segment?;
            match segment.kind {
                DataKind::Active { .. } => data.passive([]),
                DataKind::Passive => data.passive(segment.data.iter().copied()),
            };
        }
        for memory in &self.state.memories {
            for (offset, bytes) in &memory.segments {
                let offset = match memory.is_64 {
                    true => ConstExpr::i64_const(offset.cast_signed()),
                    false => ConstExpr::i32_const(u32::try_from(*offset)?.cast_signed()),
                };
                data.active(memory.index, &offset, bytes.iter().copied());
            }
        }
        Ok(data)
    }
}
