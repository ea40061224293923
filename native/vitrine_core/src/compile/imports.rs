//! What a module's imports tell of it before anything is linked.

use vitrine_rewrite::ModuleType;
use vitrine_rewrite::names::{ENV, canonical, is_log_function};

/// What a module needs of its host.
#[derive(Default)]
pub(crate) struct Needs {
    pub(crate) logs: bool,
    /// Whether it is of the ABI before version 1.0.
    pub(crate) old_abi: bool,
}

impl Needs {
    pub(crate) fn of(interface: &ModuleType) -> Needs {
        let mut needs = Needs::default();
        for import in &interface.imports {
            let (namespace, name) = canonical(&import.namespace, &import.name);
            needs.logs |= namespace == ENV && is_log_function(name);
            needs.old_abi |= namespace != import.namespace;
        }
        needs
    }
}
