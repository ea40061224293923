//! Turns calls of the kernel's accessors into the plugin's own code.
//!
//! PDKs move bytes by calls of imported functions, one or eight bytes at a time. [`fuse`] imports the kernel's memory
//! into the module, as one more memory, and replaces those calls by the loads and stores themselves ([`inline`]), or by
//! calls of functions in the module where there are many such calls ([`helpers`]). Most of the calls are in loops that
//! only copy: such a loop does many iterations at once ([`copy_loop`], [`piece`]).
//!
//! The guest can observe no difference, except that it uses less fuel. One comparison precedes each access. It reads
//! fields that the kernel keeps for that purpose in its control block and its page table (`vitrine_kernel::layout`). If
//! the comparison fails (an offset out of bounds, a page whose state is not known yet, the last bytes of the memory),
//! the code calls the imported function, as the module did before. Over a memory that is all zero no comparison
//! succeeds. A module is linked with such a memory if its accessors are not the kernel's, because the host or another
//! module defines functions with their names.
//!
//! Function imports stay where they are, because they can also be called indirectly, exported, or put into tables.
//! Functions that are added are the last ones. The new memory is the last import, so it may have any name. The indices
//! of the module's own memories shift by one, so most of the code is encoded anew. Custom sections that describe
//! offsets in the code are dropped.

mod accessor;
mod assemble;
mod body;
mod condition;
mod copy_loop;
mod helpers;
mod inline;
mod iteration;
mod linear;
mod piece;
mod shift;
mod sites;
mod target;

#[cfg(test)]
mod tests;

use helpers::Helpers;
use sites::Sites;
use target::Target;

use crate::error::Error;

/// The namespace of the import that is added. The name is only for errors: the import is known by its place.
pub const NAMESPACE: &str = "vitrine:kernel";
/// The name of that import.
pub const MEMORY: &str = "memory";

/// Returns true if an import has the name of an accessor. A fused module calls accessors only now and then.
pub fn is_accessor(namespace: &str, name: &str) -> bool {
    accessor::Accessor::of(namespace, name).is_some()
}

/// The valid module fused, if it calls any accessor and does not become larger than engines accept. Its last import is
/// the kernel's memory. `copy_loops` says whether a copy loop may do many iterations at once. It may not if fuel is
/// counted, because the iterations must use fuel.
///
/// # Errors
///
/// Returns an error if the module is malformed.
pub fn fuse(wasm: &[u8], copy_loops: bool) -> Result<Option<Vec<u8>>, Error> {
    let Some(target) = Target::of(wasm)? else {
        return Ok(None);
    };
    let sites = Sites::of(&target, copy_loops)?;
    let helpers = Helpers::of(&target, &sites);
    if sites.bodies.iter().all(Option::is_none) || !helpers.fit() {
        return Ok(None);
    }
    Ok(assemble::assemble(&target, &sites, &helpers)?)
}
