#!/usr/bin/env python3
"""Runs the guest plugins on the reference host, libextism (pip install extism), to see that they do what the tests expect
of them.  Optional: no test needs it.

    verify_reference.py [NAME...]      rust, rust_minimal, c, zig, assemblyscript, c_wasi, wat; without names, all

Prints a line for each plugin and export; exits 1 if any differs from what is expected here.
"""
import base64
import json
import pathlib
import re
import struct
import sys

import extism
from extism.extism import _ffi, _lib

HERE = pathlib.Path(__file__).resolve().parent
T = extism.ValType

# What `check` is to see.  The C API tells that it was a trap, not which.
TRAP = {"error": "^error while executing at wasm backtrace", "code": 134}
TIMEOUT = {"error": "^timeout$", "code": 134}


# ---- The host's side ----

@extism.host_fn()
def greet(name: str) -> str:
    return f"Hello, {name}!"


@extism.host_fn()
def hello(name: str) -> str:
    return f"hello {name}"


@extism.host_fn(signature=([T.I64], [T.I64]))
def tick(plugin, inputs, outputs):
    outputs[0].value = inputs[0].value + 1


# A module instead of host functions, because extism 1.41 for Python cannot return floats from one.
ADDERS = b"""(module
  (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
  (func (export "add_i32") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "add_f32") (param f32 f32) (result f32) (f32.add (local.get 0) (local.get 1)))
  (func (export "add_f64") (param f64 f64) (result f64) (f64.add (local.get 0) (local.get 1))))"""


class Guest:
    def __init__(self, name, modules={}, **manifest):
        path = HERE / "wat" / name if name.endswith(".wat") else HERE / "wasm" / f"{name}.wasm"
        wasm = [{"data": base64.b64encode(data).decode(), "name": other} for other, data in modules.items()]
        wasm.append({"path": str(path), "name": "main"})
        manifest = {"wasm": wasm, "timeout_ms": 2000, **manifest}
        self.plugin = extism.Plugin(manifest, wasi=True)

    def call(self, export, data=b""):
        """(return code, error or None, output)"""
        data = data if isinstance(data, bytes) else data.encode()
        plugin = self.plugin.plugin
        context = _ffi.new_handle(None)
        code = _lib.extism_plugin_call_with_host_context(plugin, export.encode(), data, len(data), context)
        error = _lib.extism_plugin_error(plugin)
        error = None if error == _ffi.NULL else _ffi.string(error).decode(errors="replace")
        length = _lib.extism_plugin_output_length(plugin)
        output = bytes(_ffi.buffer(_lib.extism_plugin_output_data(plugin), length)) if length else b""
        return code, error, output


# ---- Expectations ----

failures = 0


def report(label, passed, detail):
    global failures
    failures += not passed
    print(f"{'pass' if passed else 'FAIL'}  {label:<44} {detail}")


def shorten(value):
    text = repr(value)
    return text if len(text) <= 110 else text[:107] + "..."


def check(guest, label, export, data=b"", output=None, error=None, code=None):
    """`output`: bytes, a pattern, or None for any; `error`: a pattern of the message, or None for success."""
    rc, message, out = result = guest.call(export, data)
    if error is None:
        passed = message is None and rc == (code or 0)
    else:
        passed = message is not None and re.search(error, message) is not None and (code is None or rc == code)
    if isinstance(output, bytes):
        passed = passed and out == output
    elif output is not None:
        passed = passed and re.fullmatch(output, out.decode()) is not None
    report(f"{label}: {export}", passed, shorten(result))


def load_fails(name, pattern):
    """The plugin cannot even be made."""
    try:
        Guest(name)
        report(f"{name}: load", False, "loads")
    except extism.Error as error:
        report(f"{name}: load", re.search(pattern, str(error)) is not None, shorten(str(error)))


def report_of(count, total):
    return json.dumps({"count": count, "total": total, "vowels": "aeiouAEIOU"}, separators=(",", ":")).encode()


def common(name):
    guest = Guest(name, config={"key": "värde"}, memory={"max_pages": 1000})

    def has(export):
        return guest.plugin.function_exists(export)

    sizes = [0, 1, 7, 8, 9, 15, 16, 1000, 65536, 300001]
    if has("echo"):
        blobs = [bytes(i * 7 % 256 for i in range(size)) for size in sizes]
        wrong = [len(b) for b in blobs if guest.call("echo", b) != (0, None, b)]
        report(f"{name}: echo", not wrong, f"wrong for {wrong}" if wrong else f"sizes {sizes}")
    if has("count_vowels"):
        check(guest, name, "count_vowels", "Hello, World!", report_of(3, 3))
        check(guest, name, "count_vowels", "ÅÄÖ 🦀 AEIOU y", report_of(5, 8))
        check(guest, name, "count_vowels", "", report_of(0, 8))
    if has("greet"):
        check(guest, name, "greet", "Käthe", "Hello, Käthe!".encode())
    if has("counter"):
        start = 100 if name == "c_wasi" else 0
        check(guest, name, "counter", "", str(start + 1).encode())
        check(guest, name, "counter", "", str(start + 2).encode())
    if has("fail"):
        check(guest, name, "fail", "nicht gültig", error="^nicht gültig$", code=-1)
    if has("reverse"):
        check(guest, name, "reverse", b"\x00abc\xff", b"\xffcba\x00")
        check(guest, name, "reverse", b"", b"")
    if has("config_value"):
        check(guest, name, "config_value", "key", "värde".encode())
        check(guest, name, "config_value", "missing", b"")
    if has("log_info"):
        check(guest, name, "log_info", "a message", b"")
    return guest


def rust():
    guest = common("rust")
    for data, export, output in [("k=v=w", "var_set", b""), ("k", "var_get", b"v=w"), ("k", "var_delete", b""),
                                 ("k", "var_get", b""), ("message", "log_all", b""), ("", "log_level", r"\d+"),
                                 ("100000", "big_output", b"x" * 100000), ("0", "big_output", b"")]:
        check(guest, "rust", export, data, output)
    check(guest, "rust", "var_set", "no assignment", error="expected key=value", code=-1)
    check(guest, "rust", "fail_with_code", "42", error="^coded$", code=42)
    check(guest, "rust", "fail_with_code", "0", error="^coded$", code=0)
    for export in ["panic", "unreachable", "recurse", "out_of_bounds", "divide_by_zero"]:
        check(Guest("rust"), "rust", export, **TRAP)
    check(Guest("rust", memory={"max_pages": 100}), "rust", "alloc_forever", error="^oom$", code=-1)
    check(Guest("rust"), "rust", "spin", **TIMEOUT)


def c():
    guest = common("c")
    check(guest, "c", "fill", "4", r"41\d{5}")
    check(guest, "c", "fill", "5000", error="^no memory$")
    check(Guest("c"), "c", "fill", "64", r"670\d{5}")
    for export in ["spin", "spin_host", "fill_forever", "copy_forever"]:
        check(Guest("c"), "c", export, "16", **TIMEOUT)


def c_wasi():
    guest = common("c_wasi")
    check(guest, "c_wasi", "sleep_ms", "50", b"")
    check(guest, "c_wasi", "random", "", None)
    report("c_wasi: random differs", guest.call("random")[2] != guest.call("random")[2], "")
    check(guest, "c_wasi", "now", "", r"\d{13}")
    check(guest, "c_wasi", "print", "a line\n", b"")
    check(guest, "c_wasi", "exit_with", "3", error="backtrace", code=3)
    check(Guest("c_wasi"), "c_wasi", "exit_with", "0", b"")
    check(Guest("c_wasi"), "c_wasi", "exit_with", "300", error="backtrace", code=-1)


def wat():
    for name, value in [("initialize", b"42"), ("ctors", b"1"), ("haskell", b"12")]:
        guest = Guest(f"{name}.wat")
        check(guest, f"{name}.wat", "value", "", value)
        check(guest, f"{name}.wat", "value", "", value)
    load_fails("trapping_start.wat", "unreachable")
    load_fails("initialize_traps.wat", "unreachable")

    guest = Guest("globals.wat")
    check(guest, "globals.wat", "counter", "", b"1")
    check(guest, "globals.wat", "trap", **TRAP)
    check(guest, "globals.wat", "counter", "", b"2")

    guest = Guest("rc.wat")
    check(guest, "rc.wat", "rc_0", "", b"")
    for export, code in [("rc_1", 1), ("rc_42", 42), ("rc_minus_1", -1), ("no_result", 0), ("i64_result", -1)]:
        check(guest, "rc.wat", export, "", b"", code=code)
    check(guest, "rc.wat", "two_results", error="has 2 results", code=-1)
    check(guest, "rc.wat", "takes_params", error="expected 1 arguments, got 0", code=-1)
    check(guest, "rc.wat", "memory", error="Function not found: memory", code=-1)

    check(Guest("error_and_rc0.wat"), "error_and_rc0.wat", "error_and_rc0", error="^something is wrong$", code=0)
    check(Guest("error_then_trap.wat"), "error_then_trap.wat", "error_then_trap", error="^something is wrong$", code=-1)

    for export in ["undefined_element", "uninitialized_element", "indirect_type_mismatch"]:
        check(Guest("table_traps.wat"), "table_traps.wat", export, **TRAP)
    for export in ["unreachable", "div_zero", "int_overflow", "out_of_bounds_load", "out_of_bounds_store",
                   "bad_float_conversion", "stack_overflow", "grow_then_touch"]:
        check(Guest("traps.wat"), "traps.wat", export, **TRAP)

    guest = Guest("grow.wat")
    check(guest, "grow.wat", "grow", "10", b"1")
    check(guest, "grow.wat", "grow", "0", b"11")
    check(guest, "grow.wat", "grow", "65536", b"-1")
    check(Guest("grow.wat"), "grow.wat", "grow_huge", "", b"1")
    for export in ["grow_huge", "grow_forever"]:
        check(Guest("grow.wat", memory={"max_pages": 100}), "grow.wat, 100 pages", export, error="^oom$")
    check(Guest("grow.wat"), "grow.wat", "grow_forever", **TIMEOUT)

    guest = Guest("spin.wat")
    check(guest, "spin.wat", "noop", "", b"")
    check(guest, "spin.wat", "spin", **TIMEOUT)
    check(guest, "spin.wat", "noop", "", b"")

    check(Guest("bulk_hostile.wat", timeout_ms=30_000), "bulk_hostile.wat", "fill_once", "", b"")
    for export in ["fill_forever", "copy_forever"]:
        check(Guest("bulk_hostile.wat"), "bulk_hostile.wat", export, **TIMEOUT)

    guest = Guest("host_add.wat", modules={"env": ADDERS})
    for export, layout, value in [("add_i64", "<q", -4999999999), ("add_i32", "<i", -5), ("add_f32", "<f", 3.75),
                                  ("add_f64", "<d", 0.1 + 0.2)]:
        check(guest, "host_add.wat", export, "", struct.pack(layout, value))

    load_fails("unknown_import.wat", "nowhere::nothing")
    load_fails("unknown_env_import.wat", "no_such_function")
    load_fails("wrong_env_signature.wat", "types incompatible")
    load_fails("imports_env_memory.wat", "non-function exports")
    print("skip  infinite_start.wat, host_in_start.wat: the reference host hangs, or crashes (SIGSEGV)")


TARGETS = {
    "rust": rust,
    "rust_minimal": lambda: common("rust_minimal"),
    "c": c,
    "zig": lambda: common("zig"),
    "assemblyscript": lambda: common("assemblyscript"),
    "c_wasi": c_wasi,
    "wat": wat,
}

if __name__ == "__main__":
    names = sys.argv[1:] or list(TARGETS)
    for name in names:
        TARGETS[name]()
    sys.exit(failures > 0)
