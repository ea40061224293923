//! Finds the source of every import of every module. Imports are looked up in the other modules first, then among the
//! host functions, in the kernel and the ABI, and in WASI if the plugin has it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use vitrine_rewrite::state_exports;
use wasmtime::{Caller, ExternType, FuncType, ImportType, InstancePre, Linker, ModuleExport, Val};

use super::order::{Edges, order, path};
use super::{
    LinkedModule, LinkedPlugin, MAX_TRAMPOLINES, Modules, Plan, Source, Trampolines, canonical,
    fault, faults, fits, fused,
};
use crate::compile::compiled::CompiledModule;
use crate::error::{Error, Reason};
use crate::host::extism::ENV;
use crate::host::function::HostFunction;
use crate::link::base::Base;
use crate::link::store::StoreData;
use crate::schedule::instantiation::Predictor;
use crate::text;

/// Calls a function of the command at this place of the plugin's modules. The code that makes the command's instance is
/// in a layer above this one, so [`link`] gets it as an argument.
pub(crate) type CommandFn =
    for<'a> fn(
        Caller<'a, StoreData>,
        usize,
        Arc<str>,
        &'a [Val],
        &'a mut [Val],
    ) -> Box<dyn Future<Output = wasmtime::Result<()>> + Send + 'a>;

/// Links the modules of a plugin. Functions of the module at `main` are called.
pub(crate) fn link(
    modules: &Modules,
    main: usize,
    functions: &[HostFunction],
    has_wasi: bool,
    call_command: CommandFn,
) -> Result<LinkedPlugin, Error> {
    let settings = modules[main].1.settings;
    if !modules.iter().all(|(_, other)| other.settings == settings) {
        return Err(unlinkable(
            "the modules were compiled with different settings".into(),
        ));
    }
    let base = Base::get(settings)?;
    // Everything that can be wrong is reported here, by the check that also runs before anything is compiled. The rest
    // only finds the sources of imports.
    let interfaces = modules
        .iter()
        .map(|(name, compiled)| (&**name, &compiled.module_type));
    let plan = Plan {
        modules: &interfaces.collect::<Vec<_>>(),
        main,
        functions,
        has_wasi,
    };
    if let Some(error) = fault::error(&faults(&plan, base)?) {
        return Err(error);
    }
    let edges = edges(modules);
    let order = order(&edges).map_err(|circle| {
        unlinkable(format!(
            "the modules import memories, tables, globals or tags in a circle: {}; only functions can be imported in a circle",
            chain(modules, &circle)
        ))
    })?;
    let mut linking = Linking {
        base,
        modules,
        order: &order,
        functions,
        linker: base.linker(has_wasi),
        call_command,
        host_types: HashMap::new(),
        targets: Vec::new(),
        slots: HashMap::new(),
    };
    let mut linked = Vec::new();
    for &module in &order {
        let way = path(&edges, main, |end| end == module);
        let way = way.filter(|way| way.len() > 1);
        let way = way.map_or_else(String::new, |way| {
            format!(", in the chain of imports {}", chain(modules, &way))
        });
        linked.push(linking.module(module, way)?);
    }
    let (linker, targets) = (linking.linker, linking.targets);
    for (slot, target) in (0u64..).zip(&targets) {
        linked[target.module]
            .trampoline_targets
            .push((slot, target.export));
    }
    let types: Vec<FuncType> = targets.into_iter().map(|target| target.ty).collect();
    let trampolines = match types.is_empty() {
        true => None,
        false => Some(Trampolines::new(base.engine, &types).map_err(|e| {
            unlinkable(format!(
                "functions that are imported in a circle cannot be given trampolines: {e:#}"
            ))
        })?),
    };
    Ok(LinkedPlugin {
        base,
        has_blank_memory: fused::wants_blank(&linked),
        predictor: Predictor::default(),
        modules: linked,
        main: position(&order, main),
        linker,
        trampolines,
        has_wasi,
        lends_blocks: modules.iter().any(|(_, compiled)| compiled.needs.old_abi),
        uninterruptible: modules.iter().any(|(_, compiled)| compiled.uninterruptible),
    })
}

/// An export of another module that an import names.
struct Found {
    module: usize,
    export: ModuleExport,
    ty: ExternType,
}

fn find(modules: &Modules, namespace: &str, name: &str) -> Option<Found> {
    let module = modules.iter().position(|(own, _)| own == namespace)?;
    let compiled = &modules[module].1;
    let ty = compiled.module.get_export(name)?;
    // The state of a command is its own.
    if compiled.command && (ty.func().is_none() || name == state_exports::START) {
        return None;
    }
    Some(Found {
        module,
        export: compiled.module.get_export_index(name)?,
        ty,
    })
}

fn edges(modules: &Modules) -> Vec<Edges> {
    let of = |compiled: &Arc<CompiledModule>| {
        let mut edges = Edges::default();
        for import in compiled.own_imports() {
            if let Some(found) = find(modules, import.module(), import.name()) {
                match found.ty {
                    ExternType::Func(_) => edges.soft.push(found.module),
                    _ => edges.hard.push(found.module),
                }
            }
        }
        edges
    };
    modules.iter().map(|(_, compiled)| of(compiled)).collect()
}

fn chain(modules: &Modules, way: &[usize]) -> String {
    let names = way.iter().map(|&module| text::name(&modules[module].0));
    names.collect::<Vec<_>>().join(" -> ")
}

fn position(order: &[usize], module: usize) -> usize {
    order
        .iter()
        .position(|&at| at == module)
        .unwrap_or(order.len())
}

/// A function that a trampoline calls.
struct Target {
    /// The place of its module in the order.
    module: usize,
    export: ModuleExport,
    ty: FuncType,
}

/// The state of [`link`].
struct Linking<'a> {
    base: &'static Base,
    modules: &'a Modules,
    order: &'a [usize],
    functions: &'a [HostFunction],
    linker: Linker<StoreData>,
    call_command: CommandFn,
    /// The types of the host functions that the linker has by now, by index.
    host_types: HashMap<usize, FuncType>,
    /// The functions that need trampolines. The place of each is its slot.
    targets: Vec<Target>,
    /// The slots, by module and name.
    slots: HashMap<(usize, String), usize>,
}

impl Linking<'_> {
    fn module(&mut self, module: usize, way: String) -> Result<LinkedModule, Error> {
        let (name, compiled) = &self.modules[module];
        let place = position(self.order, module);
        let mut sources = Vec::new();
        for import in compiled.own_imports() {
            let source = match find(self.modules, import.module(), import.name()) {
                Some(found) => self.other(found, &import, place, compiled.command),
                None => self.host(&import),
            };
            sources.push(source.map_err(|mut e| {
                e.message += &way;
                e
            })?);
        }
        let in_linker =
            |source: &Source| matches!(source, Source::Linker { .. } | Source::Kernel(_));
        let mut pre = None;
        if sources.iter().all(in_linker) {
            pre = self
                .check(&self.linker, compiled, &sources)
                .map_err(|e| incompatible(&e, &way))?;
        }
        if compiled.fused {
            sources.push(fused::source(self.base, compiled, &sources));
        }
        Ok(LinkedModule {
            name: name.clone(),
            compiled: compiled.clone(),
            sources,
            pre,
            trampoline_targets: Vec::new(),
            way,
        })
    }

    /// Type-checks the imports of a module whose imports are all in the linker. Gives the module with its imports resolved
    /// if the linker has the functions themselves, and not only placeholders for the kernel's.
    fn check(
        &self,
        linker: &Linker<StoreData>,
        compiled: &CompiledModule,
        sources: &[Source],
    ) -> wasmtime::Result<Option<InstancePre<StoreData>>> {
        if compiled.fused {
            fused::check(self.base, linker, &compiled.module)?;
            return Ok(None);
        }
        let checked = linker.instantiate_pre(&compiled.module)?;
        // For the kernel's functions, the linker has placeholders only.
        let kernel = |source: &Source| matches!(source, Source::Kernel(_));
        Ok((!sources.iter().any(kernel)).then_some(checked))
    }

    /// The source of an import from another module, by the module at `place`.
    fn other(
        &mut self,
        found: Found,
        import: &ImportType<'_>,
        place: usize,
        lazy: bool,
    ) -> Result<Source, Error> {
        let (from, export) = (position(self.order, found.module), found.export);
        let earlier = Source::Module {
            module: from,
            export,
        };
        let (ExternType::Func(ty), ExternType::Func(wanted)) = (found.ty, import.ty()) else {
            return Ok(earlier);
        };
        if !fits(&ty, &wanted) {
            return Err(unlinkable(format!(
                "types incompatible for {}: expected type `{wanted}`, found type `{ty}`",
                text::import(import.module(), import.name())
            )));
        }
        if self.modules[found.module].1.command {
            return self.command(from, import.name(), ty);
        }
        // A command is instantiated when it is called, after all other modules.
        if lazy || from < place {
            return Ok(earlier);
        }
        let next = self.targets.len();
        let slot = *self
            .slots
            .entry((from, import.name().into()))
            .or_insert(next);
        if slot == MAX_TRAMPOLINES {
            return Err(unlinkable(format!(
                "more than {MAX_TRAMPOLINES} functions are imported in circles"
            )));
        }
        if slot == next {
            self.targets.push(Target {
                module: from,
                export,
                ty,
            });
        }
        Ok(Source::Trampoline(slot))
    }

    /// The source of an import of a command's function. Each call of it has an instance of its own.
    fn command(&mut self, module: usize, name: &str, ty: FuncType) -> Result<Source, Error> {
        let (namespace, function) = (format!("vitrine:command:{module}"), Arc::<str>::from(name));
        let call_command = self.call_command;
        self.linker
            .func_new_async(&namespace, name, ty, move |caller, params, results| {
                call_command(caller, module, function.clone(), params, results)
            })
            .map_err(|e| incompatible(&e, ""))?;
        Ok(Source::Command {
            namespace,
            name: name.into(),
        })
    }

    /// The source of an import from the host.
    fn host(&mut self, import: &ImportType<'_>) -> Result<Source, Error> {
        let (namespace, name) = (import.module(), import.name());
        let host = self
            .functions
            .iter()
            .position(|f| f.namespace == namespace && f.name == name);
        if let (Some(index), ExternType::Func(wanted)) = (host, import.ty()) {
            self.define(index, wanted)?;
        } else {
            let (env, function) = canonical(namespace, name);
            if env == ENV {
                if env != namespace {
                    // An alias of a function that does not exist fails. The import is then reported as unknown, under its own
                    // name.
                    let _ = self.linker.alias(env, function, namespace, name);
                }
                if let Some(export) = self.base.kernel.module.get_export_index(function) {
                    return Ok(Source::Kernel(export));
                }
            }
        }
        Ok(Source::Linker {
            namespace: namespace.into(),
            name: name.into(),
        })
    }

    /// Adds a host function to the linker, with the type that it is imported as.
    fn define(&mut self, index: usize, wanted: FuncType) -> Result<(), Error> {
        let function = &self.functions[index];
        if let Some(ty) = self.host_types.get(&index)
            && FuncType::eq(ty, &wanted)
        {
            return Ok(());
        }
        let import = function.import(self.base.engine, index, &wanted)?;
        if self.host_types.insert(index, wanted.clone()).is_some() {
            return Err(unlinkable(format!(
                "{} is imported as functions of different types",
                text::import(&function.namespace, &function.name)
            )));
        }
        import
            .define(
                &mut self.linker,
                &function.namespace,
                &function.name,
                wanted,
            )
            .map_err(|e| incompatible(&e, ""))?;
        Ok(())
    }
}

fn incompatible(error: &wasmtime::Error, way: &str) -> Error {
    unlinkable(format!("{error:#}{way}"))
}

/// The error of a plugin that cannot be linked.
pub(crate) fn unlinkable(message: String) -> Error {
    // Wasmtime's messages contain names that the guest chose, too.
    Error::new(Reason::Link, text::shown(message.as_bytes(), text::MESSAGE))
}
