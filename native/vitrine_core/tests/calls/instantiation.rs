//! Instances are made on a normal scheduler, once an instance of the module was made quickly.

use std::path::PathBuf;
use std::sync::Arc;

use vitrine_core::{Directory, LinkedPlugin, Plugin, PluginOptions, Quota, Scheduler, Step, Wasi};

use crate::support::{OPTIONS, compiled, finish, load};

const QUICK: &str = r#"(module (memory 1) (func (export "run")))"#;
/// Takes some milliseconds to initialise.
const SLOW: &str = r#"(module (memory 1) (func (export "run"))
  (func $count (local $n i32)
    (loop $again
      (br_if $again (i32.ne (i32.const 20000000) (local.tee $n (i32.add (local.get $n) (i32.const 1)))))))
  (start $count))"#;

/// Whether the first slice of a call, on a normal scheduler, makes the instance.
fn makes_it_at_once(plugin: &Arc<Plugin>) -> bool {
    plugin.reset().unwrap();
    let before = plugin.stats().instances;
    let mut call = plugin.start("run", b"", OPTIONS).unwrap();
    let step = call.resume(Scheduler::Normal, None);
    let made = plugin.stats().instances > before;
    if !matches!(step, Step::Done(_)) {
        finish(call).unwrap();
    }
    assert_eq!(plugin.stats().instances, before + 1);
    made
}

#[test]
fn the_first_instance_of_a_module_is_made_on_a_dirty_scheduler_and_later_ones_on_a_normal_one() {
    let plugin = load(QUICK, PluginOptions::default()).unwrap();
    assert!(!makes_it_at_once(&plugin));
    // Not each time: the operating system may hold up a thread, or discarded instances still wait to be dropped.
    let at_once = (0..20).filter(|_| makes_it_at_once(&plugin));
    assert!(at_once.count() > 5);
}

#[test]
fn the_prediction_is_shared_by_plugins_of_one_linked_plugin() {
    let modules = vec![("main".into(), compiled(QUICK).unwrap())];
    let linked = LinkedPlugin::new(&modules, 0, &[], false).unwrap();
    let make = || Plugin::new(linked.clone(), PluginOptions::default()).unwrap();
    assert!(!makes_it_at_once(&make()));
    let at_once = (0..20).filter(|_| makes_it_at_once(&make()));
    assert!(at_once.count() > 5);
}

#[test]
fn an_instance_that_takes_long_to_initialise_is_made_on_a_dirty_scheduler() {
    let plugin = load(SLOW, PluginOptions::default()).unwrap();
    for _ in 0..10 {
        assert!(!makes_it_at_once(&plugin));
    }
}

#[test]
fn an_instance_that_opens_directories_is_made_on_a_dirty_scheduler() {
    let directory = Directory {
        host: PathBuf::from("/"),
        guest: "/".into(),
        read_only: true,
        quota: Quota::default(),
    };
    let wasi = Wasi {
        directories: vec![directory],
        ..Wasi::default()
    };
    let options = PluginOptions {
        wasi: Some(wasi),
        ..PluginOptions::default()
    };
    let plugin = load(QUICK, options).unwrap();
    for _ in 0..10 {
        assert!(!makes_it_at_once(&plugin));
    }
}
