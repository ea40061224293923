"""The guests in WebAssembly text, but for those that are to be linked."""
import struct

from .host import OUT_OF_FUEL, TIMEOUT, TRAP, Guest, check, load_fails, report, skip

# A module instead of host functions, because extism 1.41 for Python cannot return floats from one.
ADDERS = b"""(module
  (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
  (func (export "add_i32") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "add_f32") (param f32 f32) (result f32) (f32.add (local.get 0) (local.get 1)))
  (func (export "add_f64") (param f64 f64) (result f64) (f64.add (local.get 0) (local.get 1))))"""


def initialisers():
    for name, value in [("initialize", b"42"), ("ctors", b"1"), ("haskell", b"12")]:
        guest = Guest(f"{name}.wat")
        check(guest, f"{name}.wat", "value", "", value)
        check(guest, f"{name}.wat", "value", "", value)
    load_fails("trapping_start.wat", "unreachable")
    load_fails("initialize_traps.wat", "unreachable")
    load_fails("start_and_initialize.wat", "Program cannot be both a Command and a Reactor")
    load_fails("command_with_globals.wat", "command export '(calls|version)' is not a function")
    skip("infinite_start.wat, host_in_start.wat", "the reference host hangs, or crashes (SIGSEGV)")


def failures():
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

    guest = Guest("spin.wat")
    check(guest, "spin.wat", "noop", "", b"")
    check(guest, "spin.wat", "spin", **TIMEOUT)
    check(guest, "spin.wat", "noop", "", b"")


def memory():
    guest = Guest("grow.wat")
    check(guest, "grow.wat", "grow", "10", b"1")
    check(guest, "grow.wat", "grow", "0", b"11")
    check(guest, "grow.wat", "grow", "65536", b"-1")
    check(Guest("grow.wat"), "grow.wat", "grow_huge", "", b"1")
    for export in ["grow_huge", "grow_forever"]:
        check(Guest("grow.wat", memory={"max_pages": 100}), "grow.wat, 100 pages", export, error="^oom$")
    check(Guest("grow.wat"), "grow.wat", "grow_forever", **TIMEOUT)

    check(Guest("bulk_hostile.wat", timeout_ms=30_000), "bulk_hostile.wat", "fill_once", "", b"")
    for export in ["fill_forever", "copy_forever"]:
        check(Guest("bulk_hostile.wat"), "bulk_hostile.wat", export, **TIMEOUT)

    # The 17 pages that it has at first are not counted once they are there: the 6 that it grows by are, and the kernel's 2.
    data = b"x" * 131072
    check(Guest("memory_max.wat"), "memory_max.wat, no limit", "grow", data, b"23")
    check(Guest("memory_max.wat", memory={"max_pages": 17}), "memory_max.wat, 17 pages", "grow", data, b"23")
    check(Guest("memory_max.wat", memory={"max_pages": 16}), "memory_max.wat, 16 pages", "grow", data, error="^oom$")


def fuel():
    enough, little = 10_000_000, 10_000
    for rounds, limit, outcome in [(1, little, {}), (1000, enough, {}), (100_000, little, OUT_OF_FUEL)]:
        check(Guest("fuel.wat", fuel=limit), f"fuel.wat, {limit} for {rounds} rounds", "burn", str(rounds), **outcome)
    for name in ["fuel_start", "fuel_initialize", "fuel_ctors"]:
        check(Guest(f"{name}.wat", fuel=enough), f"{name}.wat, {enough}", "noop", "", b"")
    for name in ["fuel_start", "fuel_initialize"]:
        load_fails(f"{name}.wat", "fuel", fuel=little)
    check(Guest("fuel_ctors.wat", fuel=little), f"fuel_ctors.wat, {little}", "noop", error="failed to initialize|fuel")


def imports():
    guest = Guest("host_add.wat", modules=[("env", ADDERS)])
    for export, layout, value in [("add_i64", "<q", -4999999999), ("add_i32", "<i", -5), ("add_f32", "<f", 3.75),
                                  ("add_f64", "<d", 0.1 + 0.2)]:
        check(guest, "host_add.wat", export, "", struct.pack(layout, value))

    load_fails("unknown_import.wat", "nowhere::nothing")
    load_fails("unknown_env_import.wat", "no_such_function")
    load_fails("wrong_env_signature.wat", "types incompatible")
    load_fails("imports_env_memory.wat", "non-function exports")
    skip("link_self.wat", "the reference host crashes (SIGSEGV)")
    for name in ["old_abi", "old_abi_user", "old_abi_kernel"]:
        load_fails(f"{name}.wat", "env::(greet|extism_)")


def examples():
    guest = Guest("vowels.wat")
    for text, count in [("", 0), ("Hello, World!", 3), ("AEIOU aeiou", 10), ("\x01\x05!)5?", 0), ("ÅÄÖ bcd", 0)]:
        check(guest, "vowels.wat", "count_vowels", text, b'{"count":%d}' % count)

    guest = Guest("double_free.wat", config={"key": "val"})
    check(guest, "double_free.wat", "config_value", "key", b"val")
    check(guest, "double_free.wat", "var_value", "bytes", b"bytes")

    guest = Guest("reflect.wat")
    blobs = [bytes(i * 7 % 256 for i in range(size)) for size in [1, 7, 8, 9, 65535, 65536, 65537]]
    wrong = [len(blob) for blob in blobs if guest.call("reflect", blob) != (0, None, blob)]
    report("reflect.wat: reflect", not wrong, f"wrong for {wrong}")


def all():
    for group in [initialisers, failures, memory, fuel, imports, examples]:
        group()
