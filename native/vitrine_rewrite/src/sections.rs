//! Custom sections that a changed module must not keep.

/// Sections, and beginnings of sections, that tell of places in the code, which have moved.
const STALE: [&str; 6] = [
    ".debug_",
    "metadata.code.",
    "reloc.",
    "linking",
    "sourceMappingURL",
    "external_debug_info",
];

/// Whether a section with this name tells of places in the code.
pub(crate) fn is_stale(name: &str) -> bool {
    STALE.iter().any(|stale| name.starts_with(stale))
}
