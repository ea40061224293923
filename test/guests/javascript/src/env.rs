//! What the host offers, as functions of the JavaScript object `env`.
//!
//! A handle is a number there: below 2^53 one is exact.  The host's functions take any number, whatever `unsafe` says.

use extism_pdk::{extism, Memory};
use rquickjs::{ArrayBuffer, Ctx, Exception, Function, Object, Result};

#[link(wasm_import_module = "extism:host/user")]
extern "C" {
    #[link_name = "greet"]
    fn host_greet(name: u64) -> u64;
}

pub fn install(ctx: &Ctx) -> Result<()> {
    let env = Object::new(ctx.clone())?;
    macro_rules! functions {
        ($($name:ident),*) => { $(env.set(stringify!($name), Function::new(ctx.clone(), $name)?)?;)* };
    }
    functions!(
        block, read, free, encode, decode, input, output_set, config_get, var_get, var_set, http_request, http_status_code,
        http_headers, log, get_log_level, greet
    );
    ctx.globals().set("env", env)
}

/// A new block with these bytes; 0 for none.
fn block(ctx: Ctx, bytes: ArrayBuffer) -> Result<f64> {
    let block = Memory::from_bytes(contents(&ctx, &bytes)?).map_err(|error| throw(&ctx, &error.to_string()))?;
    Ok(block.offset() as f64)
}

fn read(ctx: Ctx, handle: f64) -> Result<ArrayBuffer> {
    let bytes = Memory::find(handle as u64).map_or_else(Vec::new, |block| block.to_vec());
    ArrayBuffer::new(ctx, bytes)
}

fn free(handle: f64) {
    unsafe { extism::free(handle as u64) }
}

fn encode(ctx: Ctx, text: String) -> Result<ArrayBuffer> {
    ArrayBuffer::new(ctx, text.into_bytes())
}

fn decode(ctx: Ctx, bytes: ArrayBuffer) -> Result<String> {
    Ok(String::from_utf8_lossy(contents(&ctx, &bytes)?).into_owned())
}

fn input(ctx: Ctx) -> Result<ArrayBuffer> {
    ArrayBuffer::new(ctx, unsafe { extism::load_input() })
}

fn output_set(handle: f64) {
    unsafe { extism::output_set(handle as u64, extism::length(handle as u64)) }
}

fn config_get(key: f64) -> f64 {
    unsafe { extism::config_get(key as u64) as f64 }
}

fn var_get(key: f64) -> f64 {
    unsafe { extism::var_get(key as u64) as f64 }
}

fn var_set(key: f64, value: f64) {
    unsafe { extism::var_set(key as u64, value as u64) }
}

fn http_request(request: f64, body: f64) -> f64 {
    unsafe { extism::http_request(request as u64, body as u64) as f64 }
}

fn http_status_code() -> i32 {
    unsafe { extism::http_status_code() }
}

fn http_headers() -> f64 {
    unsafe { extism::http_headers() as f64 }
}

fn log(level: u32, message: f64) {
    let message = message as u64;
    unsafe {
        match level {
            0 => extism::log_trace(message),
            1 => extism::log_debug(message),
            2 => extism::log_info(message),
            3 => extism::log_warn(message),
            _ => extism::log_error(message),
        }
    }
}

fn get_log_level() -> i32 {
    unsafe { extism::get_log_level() }
}

fn greet(name: f64) -> f64 {
    unsafe { host_greet(name as u64) as f64 }
}

fn contents<'a>(ctx: &Ctx, bytes: &'a ArrayBuffer) -> Result<&'a [u8]> {
    // SAFETY: no JavaScript runs, which could detach or change the buffer, before the callers are done with the slice.
    unsafe { bytes.as_bytes() }.ok_or_else(|| throw(ctx, "the buffer is detached"))
}

fn throw(ctx: &Ctx, message: &str) -> rquickjs::Error {
    Exception::throw_message(ctx, message)
}
