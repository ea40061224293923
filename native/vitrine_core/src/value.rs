//! Values that pass between guests and host functions.

use wasmtime::{Val, ValType};

/// The type of a host function's parameter or result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// A 32-bit integer.
    I32,
    /// A 64-bit integer.
    I64,
    /// A 32-bit float.
    F32,
    /// A 64-bit float.
    F64,
    /// Bytes in the kernel's memory. To the guest they are a handle, an i64.
    Bytes,
}

/// A value of one of the [`ValueType`]s.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// A 32-bit float.
    F32(f32),
    /// A 64-bit float.
    F64(f64),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl ValueType {
    /// The type that the guest sees.
    pub(crate) fn wasm(self) -> ValType {
        match self {
            ValueType::I32 => ValType::I32,
            ValueType::I64 | ValueType::Bytes => ValType::I64,
            ValueType::F32 => ValType::F32,
            ValueType::F64 => ValType::F64,
        }
    }

    /// The value that the guest gets if a host function fails.
    pub(crate) fn zero(self) -> Val {
        match self {
            ValueType::I32 => Val::I32(0),
            ValueType::I64 | ValueType::Bytes => Val::I64(0),
            ValueType::F32 => Val::F32(0),
            ValueType::F64 => Val::F64(0),
        }
    }
}

impl Value {
    pub(crate) fn ty(&self) -> ValueType {
        match self {
            Value::I32(_) => ValueType::I32,
            Value::I64(_) => ValueType::I64,
            Value::F32(_) => ValueType::F32,
            Value::F64(_) => ValueType::F64,
            Value::Bytes(_) => ValueType::Bytes,
        }
    }
}
