//! Reads and writes JSON.

use std::fmt;

use rustler::{Encoder, Env, Term};
use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::build;
use super::walk::Sink;
use crate::atoms;

/// Reads one value and nothing else.
pub fn decode<'a>(env: Env<'a>, text: &[u8]) -> Result<Term<'a>, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let read = Reader(env).deserialize(&mut deserializer);
    read.and_then(|term| deserializer.end().map(|()| term))
        .map_err(|error| error.to_string())
}

/// Makes terms while the text is read. serde_json bounds its depth.
#[derive(Clone, Copy)]
struct Reader<'a>(Env<'a>);

impl<'de, 'a> DeserializeSeed<'de> for Reader<'a> {
    type Value = Term<'a>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Term<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, 'a> Visitor<'de> for Reader<'a> {
    type Value = Term<'a>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Term<'a>, E> {
        Ok(atoms::nil().encode(self.0))
    }

    fn visit_bool<E>(self, v: bool) -> Result<Term<'a>, E> {
        Ok(v.encode(self.0))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Term<'a>, E> {
        Ok(v.encode(self.0))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Term<'a>, E> {
        Ok(v.encode(self.0))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Term<'a>, E> {
        Ok(v.encode(self.0))
    }

    fn visit_str<E>(self, v: &str) -> Result<Term<'a>, E> {
        Ok(build::text(self.0, v))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Term<'a>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        Ok(items.encode(self.0))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Term<'a>, A::Error> {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        while let Some((key, value)) = map.next_entry_seed(self, self)? {
            keys.push(key);
            values.push(value);
        }
        Ok(build::map(self.0, &keys, &values))
    }
}

/// Compact JSON.
#[derive(Default)]
pub struct Json(Vec<u8>);

impl Json {
    fn scalar(&mut self, value: impl Serialize) {
        // A vector takes everything, and a scalar is always valid.
        let _ = serde_json::to_writer(&mut self.0, &value);
    }
}

impl Sink for Json {
    const TEXT_KEYS: bool = true;

    fn nil(&mut self) {
        self.0.extend_from_slice(b"null");
    }

    fn boolean(&mut self, value: bool) {
        self.scalar(value);
    }

    fn signed(&mut self, value: i64) {
        self.scalar(value);
    }

    fn unsigned(&mut self, value: u64) {
        self.scalar(value);
    }

    fn float(&mut self, value: f64) {
        self.scalar(value);
    }

    fn text(&mut self, value: &str) {
        self.scalar(value);
    }

    fn begin_list(&mut self, _length: u32) {
        self.0.push(b'[');
    }

    fn end_list(&mut self) {
        self.0.push(b']');
    }

    fn begin_map(&mut self, _length: u32) {
        self.0.push(b'{');
    }

    fn end_map(&mut self) {
        self.0.push(b'}');
    }

    fn next(&mut self) {
        self.0.push(b',');
    }

    fn between_key_and_value(&mut self) {
        self.0.push(b':');
    }

    fn finish(self) -> Vec<u8> {
        self.0
    }
}
