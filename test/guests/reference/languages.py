"""The built plugins."""
from .host import TIMEOUT, TRAP, Guest, check
from .kitchen_sink import verify


def rust():
    verify("rust")
    for export in ["recurse", "out_of_bounds", "divide_by_zero"]:
        check(Guest("rust"), "rust", export, **TRAP)
    check(Guest("rust", memory={"max_pages": 100}), "rust", "alloc_forever", error="^oom$", code=-1)
    check(Guest("rust"), "rust", "spin", **TIMEOUT)


def c():
    guest = verify("c")
    check(guest, "c", "fill", "4", r"41\d{5}")
    check(guest, "c", "fill", "5000", error="^no memory$")
    check(Guest("c"), "c", "fill", "64", r"670\d{5}")
    for export in ["spin", "spin_host", "fill_forever", "copy_forever"]:
        check(Guest("c"), "c", export, "16", **TIMEOUT)


def zig():
    guest = verify("zig")
    check(guest, "zig", "reverse", b"\x00abc\xff", b"\xffcba\x00")
    check(guest, "zig", "reverse", b"", b"")


def rust_minimal():
    check(Guest("rust_minimal"), "rust_minimal", "echo", b"\x00bytes\xff", b"\x00bytes\xff")


TARGETS = {
    "rust": rust,
    "rust_minimal": rust_minimal,
    "c": c,
    "cpp": lambda: verify("cpp"),
    "zig": zig,
    "assemblyscript": lambda: verify("assemblyscript"),
    "go": lambda: verify("go"),
    "javascript": lambda: verify("javascript"),
    "d": lambda: verify("d"),
    "kitchen_sink": lambda: verify("kitchen_sink.wat"),
}
