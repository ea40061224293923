//! Runs `plugin.js` in QuickJS: one engine for each instance of the plugin, which keeps its state between calls.

mod env;

use extism_pdk::{extism, Memory};
use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Function, Object, Result, Runtime};

const PDK: &str = include_str!("pdk.js");
const PLUGIN: &str = include_str!("../plugin.js");

/// Of the 1 MiB that Rust's stack has.
const STACK_SIZE: usize = 512 * 1024;

macro_rules! exports {
    ($($name:ident),*) => {
        $(#[no_mangle] pub extern "C" fn $name() -> i32 { call(stringify!($name)) })*
    };
}

// The functions of `module.exports`.
exports!(
    echo, sum_json, count_vowels, greet, counter, config_value, var_set, var_get, var_delete, log_all, log_level, big_output,
    http_body, http_status, http_headers, fail, fail_with_code, panic
);

/// The only thing that QuickJS asks for: microseconds since 1970.  A plugin without WASI has no clock.
#[no_mangle]
extern "C" fn __rquickjs_host_now_us() -> f64 {
    0.0
}

thread_local! {
    static CONTEXT: Context = load();
}

fn load() -> Context {
    let runtime = Runtime::new().unwrap();
    runtime.set_max_stack_size(STACK_SIZE);
    let context = Context::full(&runtime).unwrap();
    context.with(|ctx| {
        let evaluated = env::install(&ctx).and_then(|()| ctx.eval::<(), _>(PDK)).and_then(|()| ctx.eval::<(), _>(PLUGIN));
        if let Err(error) = evaluated.catch(&ctx) {
            set_error(&error);
            panic!();
        }
    });
    context
}

/// Calls a function of the plugin.  What it throws becomes the error message, with the return code `code` of the thrown error, or -1.
fn call(name: &str) -> i32 {
    CONTEXT.with(|context| {
        context.with(|ctx| match run(&ctx, name).catch(&ctx) {
            Ok(()) => 0,
            Err(error) => set_error(&error),
        })
    })
}

fn run(ctx: &Ctx, name: &str) -> Result<()> {
    let module: Object = ctx.globals().get("module")?;
    let exports: Object = module.get("exports")?;
    exports.get::<_, Function>(name)?.call(())
}

fn set_error(error: &CaughtError) -> i32 {
    let (message, code) = match error {
        CaughtError::Exception(exception) => {
            (exception.message().unwrap_or_default(), exception.as_object().get("code").unwrap_or(-1))
        }
        other => (other.to_string(), -1),
    };
    if let Ok(block) = Memory::from_bytes(message) {
        unsafe { extism::error_set(block.offset()) }
    }
    code
}
