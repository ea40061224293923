//! Converts values of host functions from and to terms. Erlang has no infinities and no NaN, so these are atoms.

use rustler::{Atom, Binary, Encoder, Env, Error, NifResult, Term};
use vitrine_core::{Value, ValueType};

use crate::{atoms, bytes};

pub fn encode<'a>(env: Env<'a>, value: Value) -> Term<'a> {
    match value {
        Value::I32(v) => v.encode(env),
        Value::I64(v) => v.encode(env),
        Value::F32(v) => encode_float(env, f64::from(v)),
        Value::F64(v) => encode_float(env, v),
        Value::Bytes(v) => bytes::give(env, v),
    }
}

pub fn encode_float(env: Env<'_>, value: f64) -> Term<'_> {
    if value.is_nan() {
        atoms::nan().encode(env)
    } else if value == f64::INFINITY {
        atoms::infinity().encode(env)
    } else if value == f64::NEG_INFINITY {
        atoms::neg_infinity().encode(env)
    } else {
        value.encode(env)
    }
}

/// A `{type, value}` pair.
pub fn decode(term: Term<'_>) -> NifResult<Value> {
    let (ty, value): (Term, Term) = term.decode()?;
    Ok(match decode_type(ty)? {
        ValueType::I32 => Value::I32(value.decode()?),
        ValueType::I64 => Value::I64(value.decode()?),
        ValueType::F32 => Value::F32(decode_float(value)? as f32),
        ValueType::F64 => Value::F64(decode_float(value)?),
        ValueType::Bytes => Value::Bytes(value.decode::<Binary>()?.as_slice().to_vec()),
    })
}

fn decode_float(term: Term<'_>) -> NifResult<f64> {
    match term.decode::<Atom>() {
        Ok(atom) if atom == atoms::nan() => Ok(f64::NAN),
        Ok(atom) if atom == atoms::infinity() => Ok(f64::INFINITY),
        Ok(atom) if atom == atoms::neg_infinity() => Ok(f64::NEG_INFINITY),
        _ => term.decode(),
    }
}

pub fn decode_type(term: Term<'_>) -> NifResult<ValueType> {
    let ty: Atom = term.decode()?;
    let types = [
        (atoms::i32(), ValueType::I32),
        (atoms::i64(), ValueType::I64),
        (atoms::f32(), ValueType::F32),
        (atoms::f64(), ValueType::F64),
        (atoms::binary(), ValueType::Bytes),
    ];
    let found = types.into_iter().find(|(atom, _)| *atom == ty);
    found.map(|(_, ty)| ty).ok_or(Error::BadArg)
}
