//! Finds libextism.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Names the library; without it, PyPI's package `extism-sys` has it.
const VARIABLE: &str = "LIBEXTISM";

const PYTHON: &str = "import extism_sys, pathlib; \
    print(next(pathlib.Path(extism_sys.__file__).parent.glob('libextism_sys.*')))";

/// The path of the library.
pub fn find() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return Ok(path.into());
    }
    let python = Command::new("python3").args(["-c", PYTHON]).output();
    let python = python.context("python3 cannot be run")?;
    ensure!(
        python.status.success(),
        "there is no libextism; try: pip install extism-sys==1.41.0, or set {VARIABLE} to its path"
    );
    let path = String::from_utf8(python.stdout)?;
    Ok(path.trim_end().into())
}
