//! Initialises modules: calls the functions that start the runtime of a guest's language.

use wasmtime::{AsContextMut, Instance, Store, Val};

use crate::link::store::StoreData;

/// The function of a reactor that is called before any other.
const INITIALIZE: &str = "_initialize";
const CONSTRUCTORS: &str = "__wasm_call_ctors";
const HASKELL: &str = "hs_init";

/// Initialises the main module: by Haskell's runtime if it has that, else by its constructors, else as a reactor.
pub(crate) async fn initialise(
    store: &mut Store<StoreData>,
    instance: &Instance,
) -> wasmtime::Result<()> {
    if let Some(hs_init) = instance.get_func(&mut *store, HASKELL) {
        run_initialize(store, instance).await?;
        let mut results = vec![Val::I32(0); hs_init.ty(&*store).results().len()];
        let args = [Val::I32(0), Val::I32(0)];
        return hs_init.call_async(&mut *store, &args, &mut results).await;
    }
    // Constructors of another type cannot be called. `_initialize` is not called in their place.
    if instance.get_func(&mut *store, CONSTRUCTORS).is_some() {
        return run(store, instance, CONSTRUCTORS).await;
    }
    run_initialize(store, instance).await
}

/// Initialises a library, if it is a reactor.
pub(crate) async fn run_initialize(
    store: &mut Store<StoreData>,
    instance: &Instance,
) -> wasmtime::Result<()> {
    run(store, instance, INITIALIZE).await
}

/// Calls the exported function of this name, if there is one without parameters and results.
async fn run(
    mut store: impl AsContextMut<Data = StoreData>,
    instance: &Instance,
    name: &str,
) -> wasmtime::Result<()> {
    match instance.get_typed_func::<(), ()>(&mut store, name) {
        Ok(function) => function.call_async(&mut store, ()).await,
        Err(_) => Ok(()),
    }
}
