//! Reads and writes MessagePack.

use rmp::{Marker, encode};
use rustler::{Binary, Encoder, Env, NewBinary, NifStruct, Term};

use super::walk::Sink;
use super::{DEPTH, build};
use crate::{atoms, bytes, value};

/// Bytes that are not text.
#[derive(NifStruct)]
#[module = "Vitrine.Codec.MessagePack.Bin"]
struct Bin<'a> {
    data: Binary<'a>,
}

/// A value of an extension type.
#[derive(NifStruct)]
#[module = "Vitrine.Codec.MessagePack.Ext"]
struct Ext<'a> {
    r#type: i64,
    data: Binary<'a>,
}

/// Reads one value and nothing else.
pub fn decode<'a>(env: Env<'a>, bytes: &[u8]) -> Result<Term<'a>, String> {
    let mut reader = Reader {
        env,
        all: bytes.len(),
        rest: bytes,
    };
    let term = reader.value(0)?;
    if reader.rest.is_empty() {
        Ok(term)
    } else {
        Err(reader.at("there are bytes behind the value,"))
    }
}

struct Reader<'a, 'b> {
    env: Env<'a>,
    all: usize,
    rest: &'b [u8],
}

impl<'a, 'b> Reader<'a, 'b> {
    fn value(&mut self, depth: usize) -> Result<Term<'a>, String> {
        let env = self.env;
        let marker = Marker::from_u8(self.number::<1>()?[0]);
        Ok(match marker {
            Marker::Null => atoms::nil().encode(env),
            Marker::False => false.encode(env),
            Marker::True => true.encode(env),
            Marker::FixPos(v) => v.encode(env),
            Marker::FixNeg(v) => v.encode(env),
            Marker::U8 => u8::from_be_bytes(self.number()?).encode(env),
            Marker::U16 => u16::from_be_bytes(self.number()?).encode(env),
            Marker::U32 => u32::from_be_bytes(self.number()?).encode(env),
            Marker::U64 => u64::from_be_bytes(self.number()?).encode(env),
            Marker::I8 => i8::from_be_bytes(self.number()?).encode(env),
            Marker::I16 => i16::from_be_bytes(self.number()?).encode(env),
            Marker::I32 => i32::from_be_bytes(self.number()?).encode(env),
            Marker::I64 => i64::from_be_bytes(self.number()?).encode(env),
            Marker::F32 => value::encode_float(env, f32::from_be_bytes(self.number()?).into()),
            Marker::F64 => value::encode_float(env, f64::from_be_bytes(self.number()?)),
            Marker::FixStr(length) => self.text(length.into())?,
            Marker::Str8 => self.length::<1>().and_then(|length| self.text(length))?,
            Marker::Str16 => self.length::<2>().and_then(|length| self.text(length))?,
            Marker::Str32 => self.length::<4>().and_then(|length| self.text(length))?,
            Marker::Bin8 => self.length::<1>().and_then(|length| self.bytes(length))?,
            Marker::Bin16 => self.length::<2>().and_then(|length| self.bytes(length))?,
            Marker::Bin32 => self.length::<4>().and_then(|length| self.bytes(length))?,
            Marker::FixArray(length) => self.list(length.into(), depth)?,
            Marker::Array16 => self
                .length::<2>()
                .and_then(|length| self.list(length, depth))?,
            Marker::Array32 => self
                .length::<4>()
                .and_then(|length| self.list(length, depth))?,
            Marker::FixMap(length) => self.map(length.into(), depth)?,
            Marker::Map16 => self
                .length::<2>()
                .and_then(|length| self.map(length, depth))?,
            Marker::Map32 => self
                .length::<4>()
                .and_then(|length| self.map(length, depth))?,
            Marker::FixExt1 => self.ext(1)?,
            Marker::FixExt2 => self.ext(2)?,
            Marker::FixExt4 => self.ext(4)?,
            Marker::FixExt8 => self.ext(8)?,
            Marker::FixExt16 => self.ext(16)?,
            Marker::Ext8 => self.length::<1>().and_then(|length| self.ext(length))?,
            Marker::Ext16 => self.length::<2>().and_then(|length| self.ext(length))?,
            Marker::Ext32 => self.length::<4>().and_then(|length| self.ext(length))?,
            Marker::Reserved => return Err(self.at("the byte 0xC1, which begins no value,")),
        })
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], String> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| self.at("unexpected end"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (number, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| self.at("unexpected end"))?;
        self.rest = rest;
        Ok(*number)
    }

    /// A length of one, two or four bytes.
    fn length<const N: usize>(&mut self) -> Result<usize, String> {
        let bytes = self.number::<N>()?;
        Ok(bytes
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    fn text(&mut self, length: usize) -> Result<Term<'a>, String> {
        let text = std::str::from_utf8(self.take(length)?);
        text.map(|text| build::text(self.env, text))
            .map_err(|_| self.at("a str that is not UTF-8 ends"))
    }

    fn bytes(&mut self, length: usize) -> Result<Term<'a>, String> {
        Ok(bytes::copy(self.env, self.take(length)?))
    }

    fn list(&mut self, length: usize, depth: usize) -> Result<Term<'a>, String> {
        self.check_depth(depth)?;
        // The length is not trusted: no more capacity is reserved than there can be items.
        let mut items = Vec::with_capacity(length.min(self.rest.len()));
        for _ in 0..length {
            items.push(self.value(depth + 1)?);
        }
        Ok(items.encode(self.env))
    }

    fn map(&mut self, length: usize, depth: usize) -> Result<Term<'a>, String> {
        self.check_depth(depth)?;
        let capacity = length.min(self.rest.len() / 2);
        let mut keys = Vec::with_capacity(capacity);
        let mut values = Vec::with_capacity(capacity);
        for _ in 0..length {
            keys.push(self.value(depth + 1)?);
            values.push(self.value(depth + 1)?);
        }
        Ok(build::map(self.env, &keys, &values))
    }

    fn ext(&mut self, length: usize) -> Result<Term<'a>, String> {
        let r#type = i8::from_be_bytes(self.number()?).into();
        let data = self.take(length)?;
        let mut copy = NewBinary::new(self.env, data.len());
        copy.as_mut_slice().copy_from_slice(data);
        let data = copy.into();
        Ok(Ext { r#type, data }.encode(self.env))
    }

    fn check_depth(&self, depth: usize) -> Result<(), String> {
        if depth < DEPTH {
            return Ok(());
        }
        Err(self.at("nesting limit exceeded"))
    }

    fn at(&self, what: &str) -> String {
        format!("{what} at byte {}", self.all - self.rest.len())
    }
}

/// Writes each value in its shortest form, except that floats keep their 64 bits.
#[derive(Default)]
pub struct MessagePack(Vec<u8>);

/// Drops a result: writing to a vector cannot fail.
fn written<T, E>(_: Result<T, E>) {}

impl Sink for MessagePack {
    const TEXT_KEYS: bool = false;

    fn nil(&mut self) {
        written(encode::write_nil(&mut self.0));
    }

    fn boolean(&mut self, value: bool) {
        written(encode::write_bool(&mut self.0, value));
    }

    fn signed(&mut self, value: i64) {
        written(encode::write_sint(&mut self.0, value));
    }

    fn unsigned(&mut self, value: u64) {
        written(encode::write_uint(&mut self.0, value));
    }

    fn float(&mut self, value: f64) {
        written(encode::write_f64(&mut self.0, value));
    }

    fn text(&mut self, value: &str) {
        written(encode::write_str(&mut self.0, value));
    }

    fn begin_list(&mut self, length: u32) {
        written(encode::write_array_len(&mut self.0, length));
    }

    fn begin_map(&mut self, length: u32) {
        written(encode::write_map_len(&mut self.0, length));
    }

    fn bytes_of<'a>(structure: Term<'a>) -> Option<(Option<i8>, Binary<'a>)> {
        if let Ok(Bin { data }) = structure.decode() {
            return Some((None, data));
        }
        let Ext { r#type, data } = structure.decode().ok()?;
        Some((Some(r#type.try_into().ok()?), data))
    }

    fn bytes(&mut self, r#type: Option<i8>, bytes: &[u8]) {
        // The walk has checked that the length fits.
        let length = bytes.len() as u32;
        match r#type {
            None => written(encode::write_bin_len(&mut self.0, length)),
            Some(r#type) => written(encode::write_ext_meta(&mut self.0, length, r#type)),
        }
        self.0.extend_from_slice(bytes);
    }

    fn finish(self) -> Vec<u8> {
        self.0
    }
}
