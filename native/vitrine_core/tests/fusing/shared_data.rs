//! Modules with much data, which their instances share until they write to it. Fused and unfused modules must behave the
//! same.

use std::sync::Arc;
use std::time::Duration;

use vitrine_core::{
    Cache, CompileOptions, HostFunction, Limits, LinkedPlugin, Origin, Plugin, PluginOptions,
    Reason, Settings,
};

use vitrine_test_support::compiled_with;

use crate::support::{Both, Failure, IMPORTS, OPTIONS, compiled, finish, word, words};

/// So much data that it is shared and not copied.
const SIZE: usize = 150_000;
const PAGES: usize = 3;

/// A module with the data from address 8 on, and with more imports and exports.
fn module(items: &str) -> String {
    let data: String = (0..SIZE)
        .map(|i| char::from(b'a' + (i % 23) as u8))
        .collect();
    format!(
        r#"(module {IMPORTS} (memory $own (export "memory") {PAGES} 5)
          (data $active (i32.const 8) "{data}") (data $passive "passive")
          (func (export "sum") (local $at i32) (local $sum i64) (local $block i64)
            (loop $next
              (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31)) (i64.load8_u (local.get $at))))
              (local.set $at (i32.add (local.get $at) (i32.const 1)))
              (br_if $next (i32.ne (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
            (local.set $block (call $alloc (i64.const 8)))
            (call $store_u64 (local.get $block) (local.get $sum))
            (call $output_set (local.get $block) (i64.const 8)))
          (func (export "write")
            (i64.store (i32.wrap_i64 (call $input_load_u64 (i64.const 0))) (call $input_load_u64 (i64.const 8))))
          {items})"#
    )
}

#[test]
fn writes_to_shared_data_stay_in_their_instance() {
    let [one, other] = [(); 2].map(|()| Both::new(&module("")));
    let first = one.call("sum", b"").unwrap();
    one.call("write", &words(&[5000, 7])).unwrap();
    assert_ne!(one.call("sum", b"").unwrap(), first);
    assert_eq!(other.call("sum", b"").unwrap(), first);
    assert_eq!(Both::new(&module("")).call("sum", b"").unwrap(), first);
}

#[test]
fn a_memory_with_shared_data_keeps_its_bounds_and_grows() {
    let text = module(
        r#"(func (export "grow") (result i32)
             (memory.grow (i32.wrap_i64 (call $input_load_u64 (i64.const 0)))))"#,
    );
    let both = Both::new(&text);
    let end = PAGES as u64 * 65_536;
    assert!(both.call("write", &words(&[end - 8, 1])).is_ok());
    for address in [end - 7, end, 1 << 31] {
        let failure = both.call("write", &words(&[address, 1])).unwrap_err();
        assert_eq!(failure.reason, Reason::Trap);
    }
    // The code that it returns is the size that it had; -1 means that it cannot grow.
    assert_eq!(both.call("grow", &words(&[2])).unwrap_err().code, Some(3));
    both.call("sum", b"").unwrap();
    assert_eq!(both.call("grow", &words(&[3])).unwrap_err().code, Some(-1));
}

#[test]
fn segments_of_shared_data_behave_as_before() {
    for (segment, length, works) in [
        ("$passive", 7, true),
        ("$passive", 8, false),
        // It was dropped when the instance was made.
        ("$active", 0, true),
        ("$active", 1, false),
    ] {
        let text = module(&format!(
            r#"(func (export "init")
                 (memory.init {segment} (i32.const 3) (i32.const 0) (i32.const {length}))
                 (data.drop {segment}))"#
        ));
        let both = Both::new(&text);
        assert_eq!(both.call("init", b"").is_ok(), works, "{segment} {length}");
        both.call("sum", b"").unwrap();
    }
}

#[test]
fn a_start_function_reads_and_changes_shared_data() {
    let write = "(i64.store (i32.const 5000) (i64.load (i32.const 20)))";
    let started = Both::new(&module(&format!("(func $start {write}) (start $start)")));
    let called = Both::new(&module(&format!(r#"(func (export "start") {write})"#)));
    let untouched = called.call("sum", b"").unwrap();
    called.call("start", b"").unwrap();
    let sum = called.call("sum", b"").unwrap();
    assert_eq!(started.call("sum", b"").unwrap(), sum);
    assert_ne!(sum, untouched);
}

/// The heap of the garbage collector is made before the memory.
#[test]
fn a_module_with_a_garbage_collected_heap_has_its_shared_data() {
    let sum = Both::new(&module("")).call("sum", b"").unwrap();
    for items in [
        "(table 1 externref)",
        r#"(type $s (struct (field i32)))
           (func (export "use") (drop (struct.new $s (i32.const 7))))"#,
        r#"(tag $t) (func (export "use") (block $b (try_table (catch $t $b) (throw $t))))"#,
    ] {
        let both = Both::new(&module(items));
        if items.contains("use") {
            both.call("use", b"").unwrap();
        }
        assert_eq!(both.call("sum", b"").unwrap(), sum, "{items}");
    }
}

#[test]
fn a_64_bit_memory_has_its_shared_data() {
    let data = "abcdefgh".repeat(SIZE / 8);
    let text = format!(
        r#"(module {IMPORTS} (memory i64 {PAGES} 5) (data (i64.const 8) "{data}")
          (func (export "read") (local $block i64)
            (local.set $block (call $alloc (i64.const 8)))
            (call $store_u64 (local.get $block) (i64.load (call $input_load_u64 (i64.const 0))))
            (call $output_set (local.get $block) (i64.const 8))))"#
    );
    let both = Both::new(&text);
    let end = PAGES as u64 * 65_536;
    let last = SIZE as u64;
    for (address, expected) in [
        (0, 0),
        (last, u64::from_le_bytes(*b"abcdefgh")),
        (end - 8, 0),
    ] {
        let read = both.call("read", &words(&[address])).unwrap();
        assert_eq!(word(&read), expected, "{address}");
    }
    for address in [end - 7, 1 << 32, 1 << 63] {
        let failure = both.call("read", &words(&[address])).unwrap_err();
        assert_eq!(failure.reason, Reason::Trap);
    }
}

/// Makes an instance. Returns whether its module is fused, and the result.
fn made(text: &str, fuse: bool) -> (bool, Result<(), Failure>) {
    let options = CompileOptions {
        fuse,
        ..CompileOptions::default()
    };
    let module = compiled(text.as_bytes(), options).unwrap();
    let is_fused = module.is_fused();
    let make = || {
        let linked = LinkedPlugin::new(&vec![("main".into(), module)], 0, &[], false)?;
        let plugin = Plugin::new(linked, PluginOptions::default())?;
        finish(plugin.initialise(OPTIONS)?).map(|_| ())
    };
    (is_fused, make().map_err(Failure::from))
}

#[test]
fn a_module_with_shared_data_that_traps_when_it_is_instantiated_still_traps() {
    let far = format!("(data (i32.const 196600) \"{}\")", "x".repeat(9));
    let start = "(func $start unreachable) (start $start)";
    let elements = "(table 1 funcref) (elem (i32.const 1) func 0)";
    for items in [&*far, start, elements] {
        let [unfused, fused] = [false, true].map(|fuse| made(&module(items), fuse));
        assert!(fused.0 && !unfused.0);
        assert_eq!(fused.1, unfused.1);
        assert_eq!(fused.1.unwrap_err().reason, Reason::Trap, "{items}");
    }
}

#[test]
fn shared_data_counts_against_the_memory_limit() {
    let link = |pages: usize| {
        let limits = Limits {
            memory: pages as u64 * 65_536,
            ..Limits::default()
        };
        let options = PluginOptions {
            limits,
            ..PluginOptions::default()
        };
        Both::link(&[("main", &module(""))], &[], &options).map(|_| ())
    };
    assert!(link(PAGES).is_ok());
    assert_eq!(link(PAGES - 1).unwrap_err().reason, Reason::OutOfMemory);
}

#[test]
fn shared_data_is_counted_once() {
    let both = Both::new(&module(""));
    both.call("sum", b"").unwrap();
    let [unfused, fused] = both
        .plugins()
        .each_ref()
        .map(|plugin| plugin.stats().memory);
    assert_eq!(fused, unfused);
    assert!(fused >= PAGES as u64 * 65_536);
}

#[test]
fn shared_data_is_there_when_the_code_comes_from_disk() {
    let directory = std::env::temp_dir().join(format!("vitrine-parts-{}", std::process::id()));
    let cache = Cache {
        directory: directory.clone(),
        max_bytes: 1 << 30,
    };
    let text = module(r#"(func (export "kept") (result i32) (i32.load8_u (i32.const 20)))"#);
    for expected in [Origin::Compiler, Origin::Disk] {
        let options = CompileOptions::default();
        let (main, origin) = compiled_with(&text, options, Some(cache.clone())).unwrap();
        assert_eq!(origin, expected);
        assert!(main.is_fused());
        let weak = Arc::downgrade(&main);
        let linked = LinkedPlugin::new(&vec![("main".into(), main)], 0, &[], false).unwrap();
        let plugin = Plugin::new(linked, PluginOptions::default()).unwrap();
        finish(plugin.initialise(OPTIONS).unwrap()).unwrap();
        let kept = finish(plugin.start("kept", b"", OPTIONS).unwrap());
        assert_eq!(kept.unwrap_err().code, Some(i32::from(b'm')));
        drop(plugin);
        // Until the module is dropped, so that it is looked for on disk.
        while weak.strong_count() > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn shared_data_is_in_coredumps() {
    let settings = Settings {
        coredump: true,
        ..Settings::default()
    };
    let options = CompileOptions {
        settings,
        ..CompileOptions::default()
    };
    let text = module(
        r#"(func (export "trap") (i64.store (i32.const 5000) (i64.const 0x21706d7564)) unreachable)"#,
    );
    let main = compiled(text.as_bytes(), options).unwrap();
    assert!(main.is_fused());
    let linked = LinkedPlugin::new(&vec![("main".into(), main)], 0, &[], false).unwrap();
    let file = std::env::temp_dir().join(format!("vitrine-shared-data-{}", std::process::id()));
    let options = PluginOptions {
        coredump: Some(file.clone()),
        ..PluginOptions::default()
    };
    let plugin = Plugin::new(linked, options).unwrap();
    finish(plugin.initialise(OPTIONS).unwrap()).unwrap();
    finish(plugin.start("trap", b"", OPTIONS).unwrap()).unwrap_err();
    let dump = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let place = dump.windows(5).filter(|bytes| bytes == b"dump!");
    assert_eq!(place.count(), 1);
}

#[test]
fn another_module_can_import_a_memory_with_shared_data() {
    let main = r#"(module (import "library" "memory" (memory 1)) (import "library" "write" (func $write))
      (import "extism:host/env" "input_length" (func $length (result i64)))
      (func (export "read") (result i32)
        (call $write) (drop (call $length)) (i32.load8_u (i32.const 20))))"#;
    let modules = [("main", main), ("library", &*module(""))];
    let both = Both::link(&modules, &[], &PluginOptions::default()).unwrap();
    // 20 is the address of an `m`, and the writing changes it to 9.
    let read = |address: u64| both.call("read", &words(&[address, 9])).unwrap_err().code;
    assert_eq!(read(5000), Some(i32::from(b'm')));
    assert_eq!(read(20), Some(9));
}

/// Each call of a command finds its memory as it was.
#[test]
fn a_command_library_can_have_shared_data() {
    let library = module(r#"(func (export "_start"))"#);
    let main = r#"(module (import "library" "sum" (func $sum)) (import "library" "write" (func $write))
      (func (export "run") (call $write) (call $sum)))"#;
    let modules = [("main", main), ("library", &*library)];
    let both = Both::link(&modules, &[], &PluginOptions::default()).unwrap();
    let sum = Both::new(&module("")).call("sum", b"").unwrap();
    for _ in 0..3 {
        let input = words(&[5000, 7]);
        assert_eq!(word(&both.call("run", &input).unwrap()), word(&sum));
    }
}

/// Each of them has a memory of its own.
#[test]
fn nested_commands_can_have_shared_data() {
    let library = module(
        r#"(func (export "_start"))
        (func (export "count") (param i32) (result i32)
          (if (i32.eqz (local.get 0)) (then (return (i32.load8_u (i32.const 20)))))
          (i32.store8 (i32.const 20) (i32.const 1))
          (i32.add (i32.const 1) (call $count (i32.sub (local.get 0) (i32.const 1)))))"#,
    );
    let import = r#"(module (import "library" "count" (func $count (param i32) (result i32)))"#;
    let library = library.replacen("(module", import, 1);
    let main = r#"(module (import "library" "count" (func $count (param i32) (result i32)))
      (import "extism:host/env" "input_load_u8" (func $input (param i64) (result i32)))
      (func (export "run") (result i32) (call $count (call $input (i64.const 0)))))"#;
    let modules = [("main", main), ("library", &*library)];
    let both = Both::link(&modules, &[], &PluginOptions::default()).unwrap();
    for _ in 0..3 {
        let deepest = both.call("run", &[15]).unwrap_err();
        assert_eq!(deepest.code, Some(15 + i32::from(b'm')));
    }
    let deeper = both.call("run", &[16]).unwrap_err();
    assert!(
        deeper.message.contains("within each other"),
        "{}",
        deeper.message
    );
}

#[test]
fn imports_that_are_unknown_or_of_another_type_are_named_beside_shared_data() {
    let wrong = |import: &str| {
        let text = module("").replacen("(module", &format!("(module {import}"), 1);
        let error = Both::link(&[("main", &text)], &[], &PluginOptions::default());
        error.err().unwrap().message
    };
    assert_eq!(
        wrong(r#"(import "x" "b" (func))"#),
        "the import \"x\".\"b\" is unknown; is a host function missing from host_functions?"
    );
    let mistyped = r#"(import "extism:host/env" "free" (func (param i32)))"#;
    assert!(
        wrong(mistyped)
            .contains("is declared as (i32) -> (), and the ABI's function is (i64) -> ()")
    );
}

#[test]
fn a_host_function_replaces_an_accessor_beside_shared_data() {
    let length = HostFunction {
        namespace: "extism:host/env".into(),
        name: "input_length".into(),
        signature: None,
    };
    let text =
        module(r#"(func (export "length") (i64.store (i32.const 5000) (call $input_length)))"#);
    let [own, hosts] = [&[] as &[_], &[length]].map(|functions| {
        let both = Both::link(&[("main", &text)], functions, &PluginOptions::default()).unwrap();
        both.call("length", b"input").unwrap();
        both.call("sum", b"").unwrap()
    });
    assert_ne!(own, hosts);
}
