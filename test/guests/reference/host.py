"""The reference host, libextism, and how its answers are compared with what is expected."""
import base64
import pathlib
import re

import extism
from extism.extism import CompiledPlugin, _ffi, _lib

GUESTS = pathlib.Path(__file__).resolve().parent.parent
T = extism.ValType

# What `check` is to see.  The C API tells that it was a trap, not which.
TRAP = {"error": "^error while executing at wasm backtrace", "code": 134}
TIMEOUT = {"error": "^timeout$", "code": 134}
OUT_OF_FUEL = {"error": "^plugin ran out of fuel$", "code": -1}


# ---- Host functions, that every guest gets ----

@extism.host_fn()
def greet(name: str) -> str:
    return f"Hello, {name}!"


@extism.host_fn()
def hello(name: str) -> str:
    return f"hello {name}"


@extism.host_fn(signature=([T.I64], [T.I64]))
def tick(plugin, inputs, outputs):
    outputs[0].value = inputs[0].value + 1


@extism.host_fn(signature=([T.I64], [T.I64]))
def host_reflect(plugin, inputs, outputs):
    outputs[0].value = inputs[0].value


# ---- Guests ----

def source(name):
    """The bytes of `wat/<name>` when it ends so, or of `wasm/<name>.wasm`."""
    path = GUESTS / "wat" / name if name.endswith(".wat") else GUESTS / "wasm" / f"{name}.wasm"
    return path.read_bytes()


class FueledPlugin(CompiledPlugin):
    """A compiled plugin whose calls may consume so much fuel, which the Python package cannot make."""

    def __init__(self, wasm, fuel):
        error = _ffi.new("char**")
        self.pointer = _lib.extism_compiled_plugin_new_with_fuel_limit(wasm, len(wasm), _ffi.NULL, 0, True, fuel, error)
        assert self.pointer != _ffi.NULL, _ffi.string(error[0])


class Guest:
    def __init__(self, name, modules=(), fuel=None, http_headers=False, **manifest):
        """`modules`: pairs of the name to link with and the guest's, before the main one."""
        wasm = [{"data": base64.b64encode(data if isinstance(data, bytes) else source(data)).decode(), "name": other}
                for other, data in [*modules, ("main", name)]]
        manifest = {"wasm": wasm, "timeout_ms": 2000, **manifest}
        if fuel is not None:
            manifest = FueledPlugin(source(name), fuel)
        self.plugin = extism.Plugin(manifest, wasi=True)
        if http_headers:
            _lib.extism_plugin_allow_http_response_headers(self.plugin.plugin)

    def has(self, export):
        return self.plugin.function_exists(export)

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
    print(f"{'pass' if passed else 'FAIL'}  {label:<44} {detail}", flush=True)


def skip(label, why):
    print(f"skip  {label:<44} {why}", flush=True)


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


def load_fails(name, pattern, **options):
    """The plugin cannot even be made."""
    try:
        Guest(name, **options)
        report(f"{name}: load", False, "loads")
    except extism.Error as error:
        report(f"{name}: load", re.search(pattern, str(error)) is not None, shorten(str(error)))
