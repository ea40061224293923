//! The images that Wasmtime's memories begin with.
#![cfg(target_os = "linux")]
// A test that panics is a test that fails.
#![allow(clippy::unwrap_used)]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use vitrine_memory::{Images, Layout, SharedImage, configure, with_images};
use wasmtime::{Config, Engine, Instance, Module, Result, Store};

const PAGE: usize = 1 << 16;

fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_multi_memory(true).wasm_gc(true);
    configure(&mut config, Layout::Reserved);
    Engine::new(&config).unwrap()
}

/// Instantiates a module with the images, in a store that is returned.
fn instantiate(engine: &Engine, text: &str, images: &Images) -> Result<(Store<()>, Instance)> {
    let module = Module::new(engine, wat::parse_str(text).unwrap())?;
    let mut store = Store::new(engine, ());
    let made = {
        let made = with_images(images, async { Instance::new(&mut store, &module, &[]) });
        pin!(made).poll(&mut Context::from_waker(Waker::noop()))
    };
    match made {
        Poll::Ready(made) => made.map(|instance| (store, instance)),
        Poll::Pending => panic!("nothing waits"),
    }
}

/// The bytes at an offset of the memory that is exported under this name.
fn bytes_at(store: &mut Store<()>, instance: &Instance, name: &str, at: usize) -> [u8; 4] {
    let memory = instance.get_memory(&mut *store, name).unwrap();
    memory.data(&*store)[at..at + 4].try_into().unwrap()
}

fn image(bytes: &[u8]) -> SharedImage {
    SharedImage::new(2 * PAGE, PAGE, bytes).unwrap()
}

/// Four memories of the same length, and one without bytes between them.
const MEMORIES: &str = r#"(module
  (memory (export "a") 2) (memory 0) (memory (export "b") 2)
  (memory (export "c") 2) (memory (export "d") 2))"#;

#[test]
fn memories_of_one_module_with_the_same_length_begin_with_their_own_images() {
    let engine = engine();
    let images = Images::new([(1, image(b"bbbb")), (3, image(b"dddd"))]);
    // The second round uses the regions of the first one again.
    for _ in 0..2 {
        let (mut store, instance) = instantiate(&engine, MEMORIES, &images).unwrap();
        for (name, expected) in [
            ("a", [0; 4]),
            ("b", *b"bbbb"),
            ("c", [0; 4]),
            ("d", *b"dddd"),
        ] {
            let found = bytes_at(&mut store, &instance, name, PAGE);
            assert_eq!(found, expected, "{name}");
            let memory = instance.get_memory(&mut store, name).unwrap();
            memory.data_mut(&mut store)[PAGE] = b'x';
        }
    }
}

#[test]
fn the_heap_of_the_garbage_collector_takes_no_image() {
    // A table of objects makes Wasmtime make the heap with the instance.
    let text = r#"(module
      (type $object (struct (field i32)))
      (table 4 (ref $object) (struct.new $object (i32.const 7)))
      (global (ref $object) (struct.new $object (i32.const 7)))
      (memory (export "m") 2))"#;
    let images = Images::new([(0, image(b"data"))]);
    let (mut store, instance) = instantiate(&engine(), text, &images).unwrap();
    let found = bytes_at(&mut store, &instance, "m", PAGE);
    assert_eq!(&found, b"data");
}

#[test]
fn an_instance_whose_memory_has_another_length_than_the_image_is_refused() {
    let text = r#"(module (memory (export "m") 3))"#;
    let images = Images::new([(0, image(b"data"))]);
    let error = instantiate(&engine(), text, &images).unwrap_err();
    assert!(format!("{error:#}").contains("131072 bytes"), "{error:#}");
    assert!(!vitrine_memory::lacks_memory(&error));
}

#[test]
fn an_instance_without_the_memory_for_its_image_is_refused() {
    let images = Images::new([(0, image(b"data"))]);
    assert!(instantiate(&engine(), "(module)", &images).is_err());
}
