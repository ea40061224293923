//! The names of the plugin ABI.

/// The namespace of the kernel's functions and of the host's half of the ABI.
pub const ENV: &str = "extism:host/env";

/// The current name of an import. Plugins that were built before version 1.0 of the ABI import the same functions
/// from another namespace, with longer names.
pub fn canonical<'a>(namespace: &'a str, name: &'a str) -> (&'a str, &'a str) {
    match (namespace, name.strip_prefix("extism_")) {
        ("env", Some(name)) => (ENV, name),
        _ => (namespace, name),
    }
}
