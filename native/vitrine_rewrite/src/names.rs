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

/// The functions that log, in the order of their levels.
pub const LOG_FUNCTIONS: [&str; 5] = [
    "log_trace",
    "log_debug",
    "log_info",
    "log_warn",
    "log_error",
];

/// The function that asks for the lowest level that is logged.
pub const GET_LOG_LEVEL: &str = "get_log_level";

/// Returns true if a plugin that imports this function from [`ENV`] logs.
pub fn is_log_function(name: &str) -> bool {
    name == GET_LOG_LEVEL || LOG_FUNCTIONS.contains(&name)
}
