//! Random modules, made by wasm-smith in a separate workspace (native/random_modules).

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use vitrine_core::{CompileOptions, Error, LinkedPlugin, Plugin, PluginOptions};

use crate::support::{Failure, OPTIONS, compiled, finish};

/// How many modules are tried, unless `VITRINE_RANDOM_MODULES` gives another number.
const COUNT: u64 = 60;

const INPUTS: [&[u8]; 3] = [
    b"",
    b"seven b",
    b"a longer input, of which words can be loaded",
];

fn write_modules(count: u64) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = here.join("../../target/random_modules");
    let modules = target.join("modules");
    let made = Command::new(env!("CARGO"))
        .args(["run", "--release", "--locked", "--quiet", "--manifest-path"])
        .arg(here.join("../random_modules/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .arg("--")
        .args([&modules, Path::new("0"), Path::new(&count.to_string())])
        .status()
        .unwrap();
    assert!(made.success(), "the modules cannot be made");
    modules
}

/// The outcome of each call.
type Outcomes = Vec<Result<Vec<u8>, Failure>>;

/// The outcomes of the calls of a module, and whether it was fused.
fn outcome(wasm: &[u8], fuse: bool) -> (Result<Outcomes, Error>, bool) {
    let options = CompileOptions {
        fuse,
        ..CompileOptions::default()
    };
    let module = compiled(wasm, options).unwrap();
    let is_fused = module.is_fused();
    let run = || {
        let linked = LinkedPlugin::new(&vec![("main".into(), module)], 0, &[], false)?;
        let plugin = Plugin::new(linked, PluginOptions::default())?;
        finish(plugin.initialise(OPTIONS)?)?;
        Ok(INPUTS
            .map(|input| {
                let call = plugin.start("run", input, OPTIONS);
                call.and_then(finish).map_err(Failure::from)
            })
            .into())
    };
    (run(), is_fused)
}

#[test]
fn random_modules_run_the_same_fused() {
    let count = env::var("VITRINE_RANDOM_MODULES").map_or(COUNT, |count| count.parse().unwrap());
    let modules = write_modules(count);
    let (mut fused, mut returned) = (0, 0);
    for number in 0..count {
        let wasm = std::fs::read(modules.join(format!("{number}.wasm"))).unwrap();
        let (expected, _) = outcome(&wasm, false);
        let (found, is_fused) = outcome(&wasm, true);
        fused += u64::from(is_fused);
        returned += u64::from(matches!(&found, Ok(calls) if calls.iter().any(Result::is_ok)));
        assert_eq!(found, expected, "module {number}");
    }
    assert!(fused * 4 > count, "{fused} of {count} were fused");
    assert!(returned > 0);
}
