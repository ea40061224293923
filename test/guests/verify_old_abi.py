#!/usr/bin/env python3
"""Runs the guests for hosts before 1.0 on such a host, in an environment of its own.  Optional.

    python3 -m venv DIR && DIR/bin/pip install extism-sys==0.5.3
    DIR/bin/python test/guests/verify_old_abi.py

Prints a line for each plugin and export; exits 1 if any differs from what is expected here.  Not compared: return codes, of
which this host makes 0; outputs where none is set, for which it gives an old one; variables whose first byte is 0, which it corrupts.
"""
import base64
import http.server
import json
import pathlib
import sys
import threading

from extism_sys import ffi, lib

GUESTS = pathlib.Path(__file__).resolve().parent
failures = 0


# ---- The host ----

@ffi.callback("void(ExtismCurrentPlugin *, ExtismVal *, ExtismSize, ExtismVal *, ExtismSize, void *)")
def greet(plugin, inputs, _n_inputs, outputs, _n_outputs, _data):
    memory = lib.extism_current_plugin_memory(plugin)
    name = inputs[0].v.i64
    length = lib.extism_current_plugin_memory_length(plugin, name)
    greeting = b"Hello, " + bytes(ffi.buffer(memory + name, length)) + b"!"
    block = lib.extism_current_plugin_memory_alloc(plugin, len(greeting))
    ffi.memmove(lib.extism_current_plugin_memory(plugin) + block, greeting, len(greeting))
    outputs[0].v.i64 = block


def function(name):
    """`greet` under this name; without a namespace, which was `env`."""
    i64 = ffi.new("ExtismValType[]", [lib.I64])
    return lib.extism_function_new(name, i64, 1, i64, 1, greet, ffi.NULL, ffi.NULL)


class Guest:
    def __init__(self, name, functions=(), **manifest):
        data = base64.b64encode((GUESTS / name).read_bytes()).decode()
        manifest = json.dumps({"wasm": [{"data": data}], **manifest}).encode()
        error = ffi.new("char **")
        functions = ffi.new("ExtismFunction *[]", list(functions))
        self.plugin = lib.extism_plugin_new(manifest, len(manifest), functions, len(functions), False, error)
        assert self.plugin != ffi.NULL, ffi.string(error[0])
        self.label = pathlib.Path(name).name

    def check(self, export, data=b"", output=None, error=None):
        global failures
        lib.extism_plugin_call(self.plugin, export.encode(), data, len(data))
        message = lib.extism_plugin_error(self.plugin)
        message = None if message == ffi.NULL else ffi.string(message)
        length = lib.extism_plugin_output_length(self.plugin)
        out = bytes(ffi.buffer(lib.extism_plugin_output_data(self.plugin), length)) if length else b""
        passed = message == error and output in (None, out)
        failures += not passed
        print(f"{'pass' if passed else 'FAIL'}  {self.label}: {export:<20} {(message, out[:60])}")


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the method, a header and the body."""

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(201 if self.command == "POST" else 200)
        self.end_headers()
        self.wfile.write(f"{self.command} {self.headers.get('X-Test')} ".encode() + body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


# ---- What is expected ----

def services(guest):
    for size in [0, 1, 7, 8, 9, 65536, 65537]:
        data = bytes(i * 7 % 256 for i in range(size))
        guest.check("echo", data, data)
    guest.check("fail", b"it broke", error=b"it broke")
    guest.check("echo", b"fine again", b"fine again")
    guest.check("config_value", b"key", "värde".encode())
    guest.check("config_value", b"missing", b"")
    guest.check("var_get", output=b"")
    guest.check("var_set", b"binary\x00\xff" * 3)
    guest.check("var_get", output=b"binary\x00\xff" * 3)
    guest.check("var_set")
    guest.check("var_get", output=b"")
    guest.check("log_all", b"a message")


def request(port, **fields):
    return json.dumps({"url": f"http://127.0.0.1:{port}/", "headers": {"X-Test": "yes"}, **fields}).encode()


def http_requests(guest, port):
    guest.check("http_get", request(port), b"GET yes ")
    guest.check("http_post", request(port, method="POST"), b"POST yes state")


def pdk(guest, port):
    for size in [0, 1, 7, 8, 9, 65536, 65537]:
        data = bytes(i * 7 % 256 for i in range(size))
        guest.check("echo", data, data)
    for total in [3, 6]:
        guest.check("count_vowels", b"Hello, World!", b'{"count":3,"total":%d,"vowels":"aeiouAEIOU"}' % total)
    guest.check("greet", b"Joe", b"Hello, Joe!")
    guest.check("fail", b"it broke", error=b"it broke")
    guest.check("fail_with_code", b"7", error=b"coded")
    guest.check("config_value", b"key", "värde".encode())
    guest.check("config_value", b"missing")
    guest.check("var_set", b"k=v=w")
    guest.check("var_get", b"k", b"v=w")
    guest.check("var_delete", b"k")
    guest.check("var_get", b"k")
    guest.check("log_all", b"a message")
    guest.check("http_body", request(port), b"GET yes ")
    guest.check("http_body", request(port, method="POST") + b"\nsome\nbody", b"POST yes some\nbody")
    guest.check("http_status", request(port, method="POST") + b"\nb", b"201")


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = {"config": {"key": "värde"}, "allowed_hosts": ["127.0.0.1"]}
    guest = Guest("wat/old_abi.wat", **options)
    services(guest)
    http_requests(guest, server.server_port)

    Guest("wat/old_abi_user.wat", [function(b"greet")]).check("greet", b"Joe", b"Hello, Joe!")

    guest = Guest("wasm/rust_old.wasm", [function(b"hello")], **options)
    pdk(guest, server.server_port)

    guest = Guest("wat/old_abi_kernel.wat")
    guest.check("echo", b"some bytes", b"some bytes")
    guest.check("tail", b"some bytes", b"ome bytes")
    guest.check("getters", b"some bytes", b"some bytes")
    sys.exit(failures > 0)
