//! Options as terms.

use std::time::Duration;

use rustler::{Atom, Error, NifMap, NifResult, Term};
use vitrine_core::{CallOptions, Config, HostFunction, Limits, OnTrap, PluginOptions, ValueType};

use crate::atoms;
use crate::value::decode_type;

/// The options of a plugin.
#[derive(NifMap)]
pub struct PluginTerm<'a> {
    /// `{namespace, name, nil | {params, results}}` each.
    host_functions: Vec<(String, String, Term<'a>)>,
    config: Config,
    max_memory: u64,
    max_table_elements: u64,
    max_var_bytes: u64,
    wasi: bool,
    http_response_headers: bool,
    on_trap: Atom,
}

impl PluginTerm<'_> {
    pub fn decode(self) -> NifResult<PluginOptions> {
        let functions = self.host_functions.into_iter();
        Ok(PluginOptions {
            host_functions: functions.map(host_function).collect::<NifResult<_>>()?,
            config: self.config,
            limits: Limits {
                memory: self.max_memory,
                table_elements: self.max_table_elements,
            },
            max_var_bytes: self.max_var_bytes,
            wasi: self.wasi,
            http_response_headers: self.http_response_headers,
            on_trap: if self.on_trap == atoms::keep() {
                OnTrap::Keep
            } else {
                OnTrap::Reset
            },
        })
    }
}

fn host_function((namespace, name, types): (String, String, Term)) -> NifResult<HostFunction> {
    let signature = match types.decode::<(Vec<Term>, Vec<Term>)>() {
        Ok((params, results)) => Some((decode_types(params)?, decode_types(results)?)),
        Err(_) => None,
    };
    Ok(HostFunction {
        namespace,
        name,
        signature,
    })
}

fn decode_types(types: Vec<Term>) -> NifResult<Vec<ValueType>> {
    types.into_iter().map(decode_type).collect()
}

/// A timeout in milliseconds, or `:infinity`.
pub fn call(timeout: Term<'_>, log_level: i32) -> NifResult<CallOptions> {
    let timeout = if timeout.is_atom() {
        let infinity: Atom = timeout.decode()?;
        (infinity == atoms::infinity())
            .then_some(None)
            .ok_or(Error::BadArg)?
    } else {
        Some(Duration::from_millis(timeout.decode()?))
    };
    Ok(CallOptions { timeout, log_level })
}
