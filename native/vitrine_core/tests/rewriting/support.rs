//! Runs an original and its rewritten forms side by side.

use std::borrow::Cow;
use std::sync::LazyLock;

use vitrine_rewrite::bulk::{Chunk, make_interruptible, split};
use wasmtime::{
    Collector, Config, Engine, Extern, Instance, Memory, Module, Ref, Store, Table, Trap, Val,
};

/// Chunks so small that everything is long.
pub const TINY: Chunk = Chunk {
    bytes: 4,
    elements: 3,
};

/// How many elements of each `at…` function are looked at.
const ELEMENTS: i32 = 48;

/// An engine with the features that Vitrine's has.
pub static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .wasm_relaxed_simd(true)
        .wasm_multi_memory(true)
        .wasm_memory64(true)
        .wasm_tail_call(true)
        .wasm_function_references(true)
        .wasm_gc(true)
        .collector(Collector::DeferredReferenceCounting)
        .wasm_exceptions(true);
    Engine::new(&config).expect("an engine")
});

pub fn binary(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap_or_else(|e| panic!("{e}"))
}

/// The module in chunks of `chunk`; it must need rewriting.
pub fn rewritten(wasm: &[u8], chunk: Chunk) -> Vec<u8> {
    match split(wasm, chunk).expect("a module") {
        Cow::Owned(new) => new,
        Cow::Borrowed(_) => panic!("nothing was rewritten"),
    }
}

/// One instance with all that it exports.
pub struct Run {
    pub store: Store<()>,
    pub instance: Instance,
    pub memories: Vec<Memory>,
    tables: Vec<Table>,
    /// The functions that read elements of an array.
    at: Vec<String>,
}

impl Run {
    pub fn new(wasm: &[u8], imports: impl Fn(&mut Store<()>) -> Vec<Extern>) -> Self {
        let module = Module::new(&ENGINE, wasm).unwrap_or_else(|e| panic!("{e:?}"));
        let mut store = Store::new(&ENGINE, ());
        store.set_epoch_deadline(1 << 40);
        let imports = imports(&mut store);
        let instance = Instance::new(&mut store, &module, &imports).expect("an instance");
        let (mut memories, mut tables, mut at) = (vec![], vec![], vec![]);
        let exports: Vec<_> = module.exports().map(|e| e.name().to_owned()).collect();
        for name in exports {
            match instance.get_export(&mut store, &name) {
                Some(Extern::Memory(memory)) => memories.push(memory),
                Some(Extern::Table(table)) => tables.push(table),
                Some(Extern::Func(_)) if name.starts_with("at") => at.push(name),
                _ => (),
            }
        }
        Run {
            store,
            instance,
            memories,
            tables,
            at,
        }
    }

    /// The results, or the trap.
    pub fn call(&mut self, name: &str, args: &[Val]) -> Result<String, Trap> {
        let function = self.instance.get_func(&mut self.store, name).expect(name);
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        match function.call(&mut self.store, args, &mut results) {
            Ok(()) => Ok(format!("{results:?}")),
            Err(error) => Err(*error
                .downcast_ref::<Trap>()
                .unwrap_or_else(|| panic!("{error:?}"))),
        }
    }

    /// Changes all bytes of all memories.
    pub fn scramble(&mut self, seed: usize) {
        for memory in &self.memories {
            for (index, byte) in memory.data_mut(&mut self.store).iter_mut().enumerate() {
                *byte = ((index + seed).wrapping_mul(0x9e37_79b1) >> 7) as u8;
            }
        }
    }

    /// The elements of all tables and arrays.
    pub fn elements(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for table in self.tables.clone() {
            for index in 0..table.size(&self.store) {
                let element = table.get(&mut self.store, index).expect("an element");
                all.push(self.describe(&element));
            }
        }
        for name in self.at.clone() {
            all.extend((0..ELEMENTS).map(|n| format!("{:?}", self.call(&name, &[Val::I32(n)]))));
        }
        all
    }

    fn describe(&mut self, element: &Ref) -> String {
        match element {
            Ref::Func(Some(function)) => {
                let mut results = [Val::I32(0)];
                function
                    .call(&mut self.store, &[], &mut results)
                    .expect("a result");
                format!("{results:?}")
            }
            Ref::Any(Some(any)) => format!("{:?}", any.as_i31(&self.store).expect("an any")),
            null => format!("{}", null.is_null()),
        }
    }
}

/// The original and its rewritten forms.
pub struct Runs(Vec<Run>);

impl Runs {
    pub fn new(wasm: &[u8]) -> Self {
        Self::with_imports(wasm, |_| vec![])
    }

    pub fn with_imports(wasm: &[u8], imports: impl Fn(&mut Store<()>) -> Vec<Extern>) -> Self {
        let usual = make_interruptible(wasm).expect("a module");
        let tiny = rewritten(wasm, TINY);
        Runs(
            [wasm, &tiny, &usual]
                .map(|wasm| Run::new(wasm, &imports))
                .into(),
        )
    }

    /// Calls all of them, which must agree in everything. Before that, memories get different bytes everywhere. So do
    /// tables and arrays, by the function `reset` if there is one.
    pub fn call(&mut self, name: &str, args: &[Val]) -> Result<String, Trap> {
        for run in &mut self.0 {
            run.scramble(name.len());
            if name != "new" && run.instance.get_func(&mut run.store, "reset").is_some() {
                run.call("reset", &[]).expect("a reset");
            }
        }
        let mut results = self
            .0
            .iter_mut()
            .map(|run| run.call(name, args))
            .collect::<Vec<_>>();
        let (original, others) = self.0.split_first_mut().expect("an original");
        let expected = original.elements();
        let result = results.remove(0);
        for (run, other) in others.iter_mut().zip(&results) {
            assert_eq!(other, &result, "{name} {args:?}");
            assert_eq!(run.elements(), expected, "{name} {args:?}");
            for (memory, expected) in run.memories.iter().zip(&original.memories) {
                let same = memory.data(&run.store) == expected.data(&original.store);
                assert!(same, "{name} {args:?}: memories differ");
            }
        }
        result
    }

    /// Calls `name` with every combination of arguments. Gives how often it returned and trapped.
    pub fn sweep(&mut self, name: &str, args: &[&[Val]]) -> (usize, usize) {
        let (mut returned, mut trapped) = (0, 0);
        for mut index in 0..args.iter().map(|arg| arg.len()).product() {
            let pick = |arg: &&[Val]| {
                let picked = arg[index % arg.len()];
                index /= arg.len();
                picked
            };
            match self.call(name, &args.iter().map(pick).collect::<Vec<_>>()) {
                Ok(_) => returned += 1,
                Err(_) => trapped += 1,
            }
        }
        (returned, trapped)
    }
}

pub fn i32s(values: &[u32]) -> Vec<Val> {
    values
        .iter()
        .map(|value| Val::I32(value.cast_signed()))
        .collect()
}

pub fn i64s(values: &[u64]) -> Vec<Val> {
    values
        .iter()
        .map(|value| Val::I64(value.cast_signed()))
        .collect()
}
