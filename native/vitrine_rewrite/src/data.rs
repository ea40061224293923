//! Takes large data out of a module: it becomes an image of the memory, which instances share until they write to it.
//! That is faster than copying the data into each instance, and takes less memory.

use anyhow::{Context, Result};
use wasm_encoder::{DataSection, Module, RawSection};
use wasmparser::{Data, DataKind, MemoryType, Operator, Parser, Payload, TypeRef};

/// The most bytes of data that are just as well copied into each instance.
const FEW: usize = 128 * 1024;
/// An image may be larger than the data by this, and by the data's own length.
const GAPS: usize = 1 << 20;

/// The numbers that decide whether there is an image. Native code that was compiled with other numbers does not fit.
pub const LIMITS: [usize; 2] = [FEW, GAPS];

/// The contents of an instance's own memory at the beginning.
#[derive(Debug, PartialEq, Eq)]
pub struct DataImage {
    /// The length of the memory.
    pub memory: usize,
    /// The offset of the bytes in the memory.
    pub start: usize,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The image of a valid module's data. `None` if there is little data, or if some of it does not go into the one memory
/// that the module defines, or may not fit there.
pub(crate) fn data_image(wasm: &[u8]) -> Result<Option<DataImage>> {
    let (mut imported, mut own) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    imported += u32::from(matches!(import?.ty, TypeRef::Memory(_)));
                }
            }
            Payload::MemorySection(section) => {
                own = section.into_iter().collect::<Result<_, _>>()?;
            }
            Payload::DataSection(section) => {
                let &[memory] = &*own else {
                    return Ok(None);
                };
                let segments: Vec<Data<'_>> = section.into_iter().collect::<Result<_, _>>()?;
                return image(memory, imported, &segments);
            }
            _ => (),
        }
    }
    Ok(None)
}

fn image(memory: MemoryType, index: u32, segments: &[Data<'_>]) -> Result<Option<DataImage>> {
    let mut placed = Vec::new();
    for segment in segments {
        let DataKind::Active {
            memory_index,
            offset_expr,
        } = &segment.kind
        else {
            continue;
        };
        match constant(offset_expr)? {
            Some(offset) if *memory_index == index => placed.push((offset, segment.data)),
            _ => return Ok(None),
        }
    }
    let data: usize = placed.iter().map(|(_, data)| data.len()).sum();
    let end = |(offset, data): &(u64, &[u8])| offset.saturating_add(data.len() as u64);
    let start = placed.iter().map(|(offset, _)| *offset).min().unwrap_or(0);
    let end = placed.iter().map(end).max().unwrap_or(0);
    let size = memory.initial.checked_mul(1 << 16);
    let Some(size) = size.and_then(|size| usize::try_from(size).ok()) else {
        return Ok(None);
    };
    let usual = memory.page_size_log2.is_none() && !memory.shared;
    let fits = usize::try_from(end).is_ok_and(|end| end <= size);
    if data <= FEW || !usual || !fits || (end - start) as usize > 2 * data + GAPS {
        return Ok(None);
    }
    let mut bytes = vec![0; (end - start) as usize];
    for (offset, data) in placed {
        let at = (offset - start) as usize;
        bytes[at..at + data.len()].copy_from_slice(data);
    }
    Ok(Some(DataImage {
        memory: size,
        start: start as usize,
        bytes,
    }))
}

/// The value of an expression that is a constant.
fn constant(expression: &wasmparser::ConstExpr<'_>) -> Result<Option<u64>> {
    let mut operators = expression.get_operators_reader();
    let number = match operators.read()? {
        Operator::I32Const { value } => value.cast_unsigned().into(),
        Operator::I64Const { value } => value.cast_unsigned(),
        _ => return Ok(None),
    };
    Ok(matches!(operators.read()?, Operator::End).then_some(number))
}

/// The same module without the data that each instance begins with. If the code names segments, they keep their
/// indices, and are empty, as they would be after the instantiation. Otherwise they are gone: a module may have tens of
/// thousands of segments, and each of them takes time in each instance.
pub(crate) fn without_data(wasm: &[u8]) -> Result<Vec<u8>> {
    let (mut module, mut counted) = (Module::new(), false);
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        counted |= matches!(payload, Payload::DataCountSection { .. });
        match payload {
            Payload::DataSection(section) if counted => {
                let mut left = DataSection::new();
                for segment in section {
                    let segment = segment?;
                    left.passive(match segment.kind {
                        DataKind::Passive => segment.data.iter().copied(),
                        DataKind::Active { .. } => [].iter().copied(),
                    });
                }
                module.section(&left);
            }
            Payload::DataSection(_) => (),
            _ => {
                let data = wasm.get(range).context("a section is cut short")?;
                module.section(&RawSection { id, data });
            }
        }
    }
    Ok(module.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image_of(text: &str) -> Option<DataImage> {
        data_image(&wat::parse_str(format!("(module {text})")).unwrap()).unwrap()
    }

    fn data(bytes: usize) -> String {
        "x".repeat(bytes)
    }

    #[test]
    fn data_is_where_an_instance_would_have_it() {
        let much = data(FEW);
        let found = image_of(&format!(
            r#"(import "a" "m" (memory 1)) (memory $own 32)
               (data (memory $own) (i32.const 10) "{much}") (data "passive")
               (data (memory $own) (i32.const 8) "abcd") (data (memory $own) (i32.const 200000) "")"#
        ))
        .unwrap();
        assert_eq!((found.memory, found.start), (32 << 16, 8));
        assert_eq!(found.bytes.len(), 200_000 - 8);
        assert!(found.bytes.starts_with(b"abcdxxx"));
        assert!(found.bytes[FEW..].starts_with(b"xx\0\0"));
    }

    #[test]
    fn little_data_and_unusual_data_is_left_to_each_instance() {
        let much = data(FEW + 1);
        assert!(image_of(&format!(r#"(memory 32) (data (i32.const 8) "{much}")"#)).is_some());
        assert!(image_of(&format!(r#"(memory i64 32) (data (i64.const 8) "{much}")"#)).is_some());
        for module in [
            format!(r#"(memory 32) (data (i32.const 8) "{}")"#, data(FEW)),
            format!(r#"(memory 32) (data "{much}")"#),
            // These data segments may not fit.
            format!(r#"(memory 2) (data (i32.const 8) "{much}")"#),
            format!(r#"(memory 0) (data (i32.const 0) "{much}")"#),
            format!(r#"(memory 32) (data (i32.const -8) "{much}")"#),
            format!(r#"(memory i64 32) (data (i64.const -8) "{much}")"#),
            format!(r#"(import "a" "g" (global i32)) (memory 32) (data (global.get 0) "{much}")"#),
            format!(r#"(memory 32) (data (i32.add (i32.const 1) (i32.const 2)) "{much}")"#),
            // Most of the image would be zero.
            format!(r#"(memory 64) (data (i32.const 0) "{much}") (data (i32.const 3000000) "x")"#),
            format!(r#"(memory 32 32 shared) (data (i32.const 0) "{much}")"#),
            format!(r#"(memory 200000 (pagesize 1)) (data (i32.const 0) "{much}")"#),
            // There is not exactly one memory.
            format!(r#"(import "a" "m" (memory 32)) (data (i32.const 0) "{much}")"#),
            format!(r#"(import "a" "m" (memory 32)) (memory 32) (data 0 (i32.const 0) "{much}")"#),
            format!(r#"(memory 32) (memory 1) (data (i32.const 0) "{much}")"#),
        ] {
            assert_eq!(
                image_of(&module),
                None,
                "{}",
                &module[..module.len().min(200)]
            );
        }
    }

    fn left(text: &str) -> Vec<u8> {
        let left = without_data(&wat::parse_str(text).unwrap()).unwrap();
        wasmparser::Validator::new().validate_all(&left).unwrap();
        assert_eq!(data_image(&left).unwrap(), None);
        left
    }

    fn segments(wasm: &[u8]) -> usize {
        let sections = Parser::new(0).parse_all(wasm);
        let counts = sections.map(|payload| match payload.unwrap() {
            Payload::DataSection(section) => section.count() as usize,
            _ => 0,
        });
        counts.sum()
    }

    #[test]
    fn segments_that_the_code_names_keep_their_indices() {
        let much = data(FEW + 1);
        let left = left(&format!(
            r#"(module (memory 32) (data $passive "passive") (data $active (i32.const 8) "{much}")
              (func (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 7))
                (memory.init $active (i32.const 0) (i32.const 0) (i32.const 0))
                (data.drop $active)))"#
        ));
        assert!(left.len() < 200);
        assert_eq!(segments(&left), 2);
    }

    #[test]
    fn others_are_gone() {
        let much = data(FEW + 1);
        let left = left(&format!(
            r#"(module (memory 32) (data (i32.const 8) "{much}") (func))"#
        ));
        assert!(left.len() < 50);
        assert_eq!(segments(&left), 0);
    }
}
