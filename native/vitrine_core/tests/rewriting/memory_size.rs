//! A command library grows its memory anew in each call.

use vitrine_rewrite::command::prepare;
use wasmtime::{Engine, Instance, Module, Store};

use crate::support::binary;

/// The module as a command library.
fn prepared(text: &str) -> Vec<u8> {
    let prepared = prepare(&binary(text), true).expect("a module");
    prepared.expect("a command")
}

#[test]
fn a_command_reuses_its_memory_before_the_memory_grows() {
    for (address, tag, globals) in [("", "", ""), ("i64", "(tag)", "(global i32 (i32.const 7))")] {
        let ty = if address.is_empty() { "i32" } else { address };
        let made = prepared(&format!(
            r#"(module (import "" "" (func)) (memory (export "memory") {address} 2 10) {tag} {globals}
                 (func (export "_start"))
                 (func (export "size") (result {ty}) (memory.size))
                 (func (export "grow") (param {ty}) (result {ty}) (memory.grow (local.get 0)))
                 (data ({ty}.const 0) "x"))"#
        ));
        let mut config = wasmtime::Config::new();
        config.wasm_memory64(true).wasm_exceptions(true);
        let engine = Engine::new(&config).unwrap();
        let mut store = Store::new(&engine, ());
        let module = Module::new(&engine, made).unwrap();
        let import = wasmtime::Func::wrap(&mut store, || ());
        let instance = Instance::new(&mut store, &module, &[import.into()]).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let call = |store: &mut Store<()>, name: &str, argument: Option<i64>| {
            let function = instance.get_func(&mut *store, name).unwrap();
            let wide = ty == "i64";
            let argument = argument.map(|n| match wide {
                true => wasmtime::Val::I64(n),
                false => wasmtime::Val::I32(n as i32),
            });
            let mut results = [wasmtime::Val::I32(0)];
            function
                .call(store, argument.as_slice(), &mut results)
                .unwrap();
            results[0]
                .i64()
                .unwrap_or_else(|| results[0].i32().unwrap().into())
        };
        let global = format!("vitrine:global:{}", u32::from(!globals.is_empty()));
        let size = instance.get_global(&mut store, &global).unwrap();
        let first = size.get(&mut store);
        for _ in 0..3 {
            assert_eq!(call(&mut store, "size", None), 2);
            assert_eq!(call(&mut store, "grow", Some(0)), 2);
            assert_eq!(call(&mut store, "grow", Some(3)), 2);
            assert_eq!(call(&mut store, "size", None), 5);
            assert_eq!(call(&mut store, "grow", Some(6)), -1);
            assert_eq!(call(&mut store, "grow", Some(-1)), -1);
            assert_eq!(call(&mut store, "grow", Some(1)), 5);
            assert_eq!(call(&mut store, "size", None), 6);
            assert_eq!(memory.size(&store), 6);
            size.set(&mut store, first).unwrap();
        }
    }
}
