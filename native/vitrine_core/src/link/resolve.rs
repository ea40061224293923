//! Finds every import of every module: first among the other modules, then among the host
//! functions, in the kernel and the ABI, and in WASI if the plugin has it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use vitrine_rewrite::state_exports;
use wasmtime::{Caller, ExternType, FuncType, ImportType, InstancePre, Linker, ModuleExport, Val};

use super::order::{Edges, order, path};
use super::{
    LinkedModule, LinkedPlugin, MAX_STAND_INS, Modules, Plan, Source, Trampolines, canonical,
    check, faults, fits, fused,
};
use crate::compile::compiled::CompiledModule;
use crate::error::{Error, Reason};
use crate::host::extism::ENV;
use crate::host::function::HostFunction;
use crate::link::base::Base;
use crate::link::store::StoreData;
use crate::schedule::instantiation::Predictor;
use crate::text;

/// Calls a function of the command at this place of the plugin's modules. What makes the command's instance is above
/// linking, so it is passed in.
pub(crate) type CommandFn =
    for<'a> fn(
        Caller<'a, StoreData>,
        usize,
        Arc<str>,
        &'a [Val],
        &'a mut [Val],
    ) -> Box<dyn Future<Output = wasmtime::Result<()>> + Send + 'a>;

/// Links the modules of a plugin, of which the one at `main` is called.
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
    // All that can be wrong is told here, as it is before anything is compiled. What follows finds what imports are.
    let interfaces = modules
        .iter()
        .map(|(name, compiled)| (&**name, &compiled.interface));
    let plan = Plan {
        modules: &interfaces.collect::<Vec<_>>(),
        main,
        functions,
        has_wasi,
    };
    if let Some(error) = check::error(&faults(&plan, base)?) {
        return Err(error);
    }
    let edges = edges(modules);
    let order = order(&edges).map_err(|circle| {
        unlinkable(format!(
            "modules import in a circle what is no function: {}",
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
        stand_ins: Vec::new(),
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
    let (linker, stand_ins) = (linking.linker, linking.stand_ins);
    for (slot, stand_in) in (0u64..).zip(&stand_ins) {
        linked[stand_in.module]
            .stands_for
            .push((slot, stand_in.export));
    }
    let types: Vec<FuncType> = stand_ins.into_iter().map(|stand_in| stand_in.ty).collect();
    let trampolines = match types.is_empty() {
        true => None,
        false => Some(Trampolines::new(base.engine, &types).map_err(|e| {
            unlinkable(format!(
                "what is imported in a circle cannot be stood in for: {e:#}"
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
    // A command's state is nobody else's.
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

/// A function that is called through a trampoline.
struct StandIn {
    /// Its module's place in the order.
    module: usize,
    export: ModuleExport,
    ty: FuncType,
}

struct Linking<'a> {
    base: &'static Base,
    modules: &'a Modules,
    order: &'a [usize],
    functions: &'a [HostFunction],
    linker: Linker<StoreData>,
    call_command: CommandFn,
    /// The types of the host functions that are defined.
    host_types: HashMap<usize, FuncType>,
    stand_ins: Vec<StandIn>,
    /// Where they are, by module and name.
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
        let own = |source: &Source| matches!(source, Source::Linker { .. } | Source::Kernel(_));
        let mut pre = None;
        if sources.iter().all(own) && !sources.iter().any(is_command) {
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
            stands_for: Vec::new(),
            way,
        })
    }

    /// Checks imports that the linker has; all of it resolved, where it has what they will be.
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
        // The linker has only stand-ins for the kernel's functions.
        let kernel = |source: &Source| matches!(source, Source::Kernel(_));
        Ok((!sources.iter().any(kernel)).then_some(checked))
    }

    /// An import from another module, by the one at `place`.
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
        // A command's instances are made when it is called, when all others are there.
        if lazy || from < place {
            return Ok(earlier);
        }
        let next = self.stand_ins.len();
        let slot = *self
            .slots
            .entry((from, import.name().into()))
            .or_insert(next);
        if slot == MAX_STAND_INS {
            return Err(unlinkable(format!(
                "more than {MAX_STAND_INS} functions are imported in circles"
            )));
        }
        if slot == next {
            self.stand_ins.push(StandIn {
                module: from,
                export,
                ty,
            });
        }
        Ok(Source::Trampoline(slot))
    }

    /// A function of a command: each call of it has an instance of its own.
    fn command(&mut self, module: usize, name: &str, ty: FuncType) -> Result<Source, Error> {
        let (namespace, function) = (format!("vitrine:command:{module}"), Arc::<str>::from(name));
        let call_command = self.call_command;
        self.linker
            .func_new_async(&namespace, name, ty, move |caller, params, results| {
                call_command(caller, module, function.clone(), params, results)
            })
            .map_err(|e| incompatible(&e, ""))?;
        Ok(Source::Linker {
            namespace,
            name: name.into(),
        })
    }

    /// An import from the host.
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
                    // What is not there is found missing under its own name.
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

fn is_command(source: &Source) -> bool {
    matches!(source, Source::Linker { namespace, .. } if namespace.starts_with("vitrine:"))
}

fn incompatible(error: &wasmtime::Error, way: &str) -> Error {
    unlinkable(format!("{error:#}{way}"))
}

pub(crate) fn unlinkable(message: String) -> Error {
    // Wasmtime's messages have names in them, too.
    Error::new(Reason::Link, text::shown(message.as_bytes(), text::MESSAGE))
}
