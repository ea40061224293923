//! The cases on libextism, through its C API, as the SDKs of other languages use it.

mod api;
mod find;
mod host;

use anyhow::Result;
use cases::{Hello, on_host, serve};

fn main() -> Result<()> {
    match host::Libextism::new() {
        Ok(libextism) => {
            let hello = Hello::Ready(format!("libextism {}", libextism.version()));
            serve(&hello, |case| on_host(&libextism, case).map(Some))
        }
        Err(error) => serve(&Hello::Missing(format!("{error:#}")), |_| Ok(None)),
    }
}
