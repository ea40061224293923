//! Plans a plugin before any of its modules is compiled: reads what they declare, and finds what would keep them from
//! being linked.

use std::panic::catch_unwind;

use vitrine_rewrite::ModuleType;

use super::Fault;
use super::check::{Plan, faults};
use crate::compile::binary::{binary, invalid};
use crate::compile::engine::Settings;
use crate::compile::imports::Needs;
use crate::error::Error;
use crate::host::function::HostFunction;
use crate::link::base::Base;
use crate::link::callable::not_callable;
use crate::schedule::workers::submit;
use crate::text::quoted;

/// The host's grants to modules that are linked.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// The host functions that the modules may import.
    pub functions: Vec<HostFunction>,
    /// Whether the modules may import WASI.
    pub wasi: bool,
    /// Whether a snapshot of the plugin is to be taken.
    pub snapshot: bool,
    /// The function that is called before the snapshot is taken.
    pub called: Option<String>,
}

/// The facts that are known about a plugin's modules before they are compiled.
#[derive(Debug, Default)]
pub struct Planned {
    /// The declarations of each module, in the order of the modules.
    pub interfaces: Vec<ModuleType>,
    /// Whether one of the modules can log.
    pub logs: bool,
    /// Why the modules cannot be linked.
    pub faults: Vec<Fault>,
}

/// Reads what modules declare, and everything that would keep them from being linked. `modules` are pairs of a name and
/// of bytes or text; functions of the module at `main` are called. `done` gets the result, on a worker's thread. Code is
/// not validated.
///
/// # Panics
///
/// If there is no module at `main`.
pub fn plan(
    modules: Vec<(String, Vec<u8>)>,
    main: usize,
    grants: Grants,
    done: impl FnOnce(Result<Planned, Error>) + Send + 'static,
) {
    submit(move || {
        let planned = catch_unwind(|| look_into(&modules, main, &grants));
        done(planned.unwrap_or_else(|_| Err(invalid("the parser panicked on it"))));
    });
}

fn look_into(
    modules: &[(String, Vec<u8>)],
    main: usize,
    grants: &Grants,
) -> Result<Planned, Error> {
    let mut planned = Planned::default();
    for (name, bytes) in modules {
        let read = read(bytes, grants, &mut planned.faults);
        planned.interfaces.push(read.map_err(|mut error| {
            if modules.len() > 1 {
                error.message = format!("module {}: {}", quoted(name), error.message);
            }
            error
        })?);
    }
    let interfaces = planned.interfaces.iter();
    let names = modules.iter().map(|(name, _)| &**name);
    let named: Vec<_> = names.zip(interfaces).collect();
    planned.faults = [with_grants(&named, main, grants)?, planned.faults].concat();
    planned.logs = planned
        .interfaces
        .iter()
        .any(|interface| Needs::of(interface).logs);
    Ok(planned)
}

/// Everything that is wrong with the modules, except for what only their code tells.
pub(crate) fn with_grants(
    modules: &[(&str, &ModuleType)],
    main: usize,
    grants: &Grants,
) -> Result<Vec<Fault>, Error> {
    let plan = Plan {
        modules,
        main,
        functions: &grants.functions,
        has_wasi: grants.wasi,
    };
    let mut faults = faults(&plan, Base::get(Settings::default())?)?;
    if let Some(name) = &grants.called {
        faults.extend(not_callable(name, modules, main).map(|error| Fault {
            reason: error.reason,
            message: error.message,
        }));
    }
    Ok(faults)
}

fn read(bytes: &[u8], grants: &Grants, faults: &mut Vec<Fault>) -> Result<ModuleType, Error> {
    let wasm = binary(bytes)?;
    if grants.snapshot {
        faults.extend(snapshot_fault(&wasm));
    }
    ModuleType::read(&wasm).map_err(invalid)
}

/// The reason that there can be no snapshot of a module. A module that cannot be read has no such fault: it is refused as invalid.
pub(crate) fn snapshot_fault(wasm: &[u8]) -> Option<Fault> {
    let error = match vitrine_rewrite::snapshot::check(wasm) {
        Err(error @ vitrine_rewrite::Error::CannotSnapshot(_)) => Error::from(error),
        _ => return None,
    };
    Some(Fault {
        reason: error.reason,
        message: error.message,
    })
}
