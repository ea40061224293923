//! The conclusions that a module's imports allow before anything is linked.

use vitrine_rewrite::ModuleType;
use vitrine_rewrite::names::{ENV, canonical, is_log_function};

/// The features of the host that a module needs.
#[derive(Default)]
pub(crate) struct Needs {
    /// Whether it logs.
    pub(crate) logs: bool,
    /// Whether it uses the ABI from before version 1.0.
    pub(crate) old_abi: bool,
}

impl Needs {
    pub(crate) fn of(module_type: &ModuleType) -> Needs {
        let mut needs = Needs::default();
        for import in &module_type.imports {
            let (namespace, name) = canonical(&import.namespace, &import.name);
            needs.logs |= namespace == ENV && is_log_function(name);
            needs.old_abi |= namespace != import.namespace;
        }
        needs
    }
}
