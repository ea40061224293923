"""The built plugins."""
import json

from .host import TIMEOUT, TRAP, Guest, check, report


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
        check(guest, name, "counter", "", b"1")
        check(guest, name, "counter", "", b"2")
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


TARGETS = {
    "rust": rust,
    "rust_minimal": lambda: common("rust_minimal"),
    "c": c,
    "zig": lambda: common("zig"),
    "assemblyscript": lambda: common("assemblyscript"),
}
