//! The operations that a host must provide.

use anyhow::Result;

use crate::guest::Module;

/// A host of plugins. It lends them two host functions of `extism:host/user`: `host_reflect` gives
/// back the bytes that it got, copied out of the guest and in again; `tick` adds one to a number.
pub trait Host {
    /// Compiled modules with their host functions, from which any number of plugins are made.
    type Compiled;
    /// Something that can be called.
    type Plugin;

    /// Compiles modules, of which the one called `main` is called, and keeps native code on disk
    /// if `cache` says so.
    fn compile(&self, modules: &[Module], wasi: bool, cache: bool) -> Result<Self::Compiled>;

    /// A plugin, in the state in which the host itself leaves it: the guest may be instantiated
    /// only when it is first called.
    fn plugin(&self, compiled: &Self::Compiled) -> Result<Self::Plugin>;

    /// A plugin whose guest is instantiated, or as near to that as the host comes without a call.
    fn instance(&self, compiled: &Self::Compiled) -> Result<Self::Plugin> {
        self.plugin(compiled)
    }

    /// Calls an export and lets `look` see the output where the host has it.
    fn call<R>(
        &self,
        plugin: &mut Self::Plugin,
        function: &str,
        input: &[u8],
        look: impl FnOnce(&[u8]) -> R,
    ) -> Result<R>;

    /// Drops what was compiled. When this returns, the same modules would be compiled again.
    fn forget(&self, compiled: Self::Compiled) {
        drop(compiled);
    }
}
