//! The guests: the same bytes for every host.

use std::borrow::Cow;

use anyhow::{Context, Result};

/// A guest module of `bench/extism/guests`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest {
    /// Made with Extism's Rust PDK: `echo`, `reflect`, `count_vowels`.
    Plugin,
    /// `echo`, without a PDK.
    Echo,
    /// `consume`, without a PDK.
    Consume,
    /// `allocations`, without a PDK.
    Allocations,
    /// `numbers` and `bytes`: a hundred calls of a host function each.
    HostFunctions,
    /// To be linked in the place of the host function `host_reflect`.
    ReflectLibrary,
}

impl Guest {
    /// The module in its binary form.
    pub fn wasm(self) -> Result<Cow<'static, [u8]>> {
        let text = match self {
            Guest::Plugin => return Ok(include_bytes!("../../guests/plugin.wasm").into()),
            Guest::Echo => include_str!("../../guests/wat/echo.wat"),
            Guest::Consume => include_str!("../../guests/wat/consume.wat"),
            Guest::Allocations => include_str!("../../guests/wat/allocations.wat"),
            Guest::HostFunctions => include_str!("../../guests/wat/host_functions.wat"),
            Guest::ReflectLibrary => include_str!("../../guests/wat/reflect_library.wat"),
        };
        let wasm = wat::parse_str(text).with_context(|| format!("the text of {self:?}"))?;
        Ok(wasm.into())
    }

    /// The module, with a custom section that no other has: one that nobody has compiled yet.
    pub fn unique(self, number: u64) -> Result<Cow<'static, [u8]>> {
        let mut wasm = self.wasm()?.into_owned();
        // Custom section, 10 bytes: a name of one byte, then the number.
        wasm.extend([0, 10, 1, b'x']);
        wasm.extend(number.to_le_bytes());
        Ok(wasm.into())
    }
}

/// A module of a plugin, and the name under which others import from it.
#[derive(Debug, Clone)]
pub struct Module {
    /// `main` is the one that is called.
    pub name: &'static str,
    /// Its binary form.
    pub wasm: Cow<'static, [u8]>,
}

impl Module {
    /// The module that is called.
    pub fn main(wasm: Cow<'static, [u8]>) -> Module {
        Module { name: "main", wasm }
    }
}
