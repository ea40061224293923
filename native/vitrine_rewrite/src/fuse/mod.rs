//! Fusing: the kernel's accessors as code of the plugin's own.
//!
//! PDKs move bytes by calls of imported functions, eight bytes or one at a time. [`fuse`] imports
//! the kernel's memory into the module, as one memory more, and puts the loads and stores
//! themselves in the places of those calls ([`inline`]), or into functions of the module where there are
//! many such places ([`helpers`]); loops that do nothing but copy, as most of those do, do many turns
//! at once ([`copy_loop`], [`piece`]).
//!
//! Nothing that the guest can observe changes, except that it uses less fuel. Each access is
//! preceded by one comparison, with what the kernel keeps for that in its control block and its page
//! table (`vitrine_kernel::layout`), and whatever that does not allow (an offset out of bounds, a
//! page whose state is not known yet, the last bytes of the memory) calls the imported function,
//! as the module did before. Over a memory that is all zero no comparison succeeds: that is what a
//! module is linked with whose accessors are not the kernel's, because the host or another module
//! defines functions of their names.
//!
//! Function imports stay where they are: they can also be called indirectly, exported, or put into
//! tables; functions that are added are the last ones. The new memory is the last import, so its name may be any, but the indices of the
//! module's own memories shift by one, and most of the code is encoded anew. Custom sections that
//! speak of offsets in the code are dropped.

mod accessor;
mod assemble;
mod body;
mod condition;
mod copy_loop;
mod helpers;
mod inline;
mod linear;
mod piece;
mod shift;
mod sites;
mod target;
mod turn;

#[cfg(test)]
mod tests;

use anyhow::Result;

use helpers::Helpers;
use sites::Sites;
use target::Target;

/// The namespace of the import that is added. The name is only for errors: the import is known by its place.
pub const NAMESPACE: &str = "vitrine:kernel";
/// The name of that import.
pub const MEMORY: &str = "memory";

/// Whether an import is one of those that a fused module calls only now and then.
pub fn is_accessor(namespace: &str, name: &str) -> bool {
    accessor::Accessor::of(namespace, name).is_some()
}

/// The valid module fused, if it calls any accessor, and does not become larger than engines accept.
/// Its last import is the kernel's memory. `copy_loops` says whether copy loops may copy at once: fuel
/// that is counted should tell of them.
///
/// # Errors
///
/// When the module is malformed.
pub fn fuse(wasm: &[u8], copy_loops: bool) -> Result<Option<Vec<u8>>> {
    let Some(target) = Target::of(wasm)? else {
        return Ok(None);
    };
    let sites = Sites::of(&target, copy_loops)?;
    let helpers = Helpers::of(&target, &sites);
    if sites.bodies.iter().all(Option::is_none) || !helpers.fit() {
        return Ok(None);
    }
    assemble::assemble(&target, &sites, &helpers)
}
