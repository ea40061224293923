"""What every language's plugin does the same, see the table in README.md."""
import http.server
import json
import threading

from .host import TRAP, Guest, check, report

BACKTRACE = "^error while executing at wasm backtrace"

# What `panic` comes to: whatever the language makes of a bug.
PANICS = {
    "rust": TRAP,
    "go": TRAP,
    "zig": TRAP,
    "cpp": TRAP,
    "assemblyscript": {"error": "^at the plugin's request$", "code": -1},
    "javascript": {"error": "^cannot read property 'request' of null$", "code": -1},
}


class Server(http.server.BaseHTTPRequestHandler):
    """Answers with the method, the header X-Guest and the body; the path is the status."""

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = f"{self.command} {self.headers.get('X-Guest')} ".encode() + body
        self.send_response(int(self.path[1:]))
        self.send_header("X-Host", "libextism")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


def report_of(count, total):
    return json.dumps({"count": count, "total": total, "vowels": "aeiouAEIOU"}, separators=(",", ":")).encode()


def bytes_of_all_kinds(guest, name):
    sizes = [0, 1, 7, 8, 9, 15, 16, 1000, 65535, 65536, 65537, 1 << 20]
    blobs = [bytes(i * 7 % 256 for i in range(size)) for size in sizes]
    wrong = [len(blob) for blob in blobs if guest.call("echo", blob) != (0, None, blob)]
    report(f"{name}: echo", not wrong, f"wrong for {wrong}" if wrong else f"sizes {sizes}")
    for size in [0, 1, 65536, 5_000_000]:
        check(guest, name, "big_output", str(size), b"x" * size)


def services(guest, name):
    check(guest, name, "count_vowels", "Hello, World!", report_of(3, 3))
    check(guest, name, "count_vowels", "ÅÄÖ 🦀 AEIOU y", report_of(5, 8))
    check(guest, name, "count_vowels", "", report_of(0, 8))
    check(guest, name, "greet", "Käthe", "Hello, Käthe!".encode())
    check(guest, name, "counter", "", b"1")
    check(guest, name, "counter", "", b"2")
    check(guest, name, "config_value", "key", "värde".encode())
    check(guest, name, "config_value", "missing", b"")
    check(guest, name, "var_get", "k", b"")
    check(guest, name, "var_set", b"k=v=\x00\xff", b"")
    check(guest, name, "var_set", b"other=1", b"")
    value = guest.call("var_get", "k")
    report(f"{name}: var_get", value == (0, None, b"v=\x00\xff"), value)
    check(guest, name, "var_delete", "k", b"")
    check(guest, name, "var_get", "k", b"")
    check(guest, name, "var_delete", "k", b"")
    check(guest, name, "var_set", "no assignment", error="^expected key=value$", code=-1)
    check(guest, name, "log_all", "a message ☃", b"")
    check(guest, name, "log_level", "", b"2147483647")
    if guest.has("sum_json"):
        data = {"name": 'Käthe "K" 🦀', "numbers": [1, -2, 3000000000]}
        check(guest, name, "sum_json", json.dumps(data), '{"name":"Käthe \\"K\\" 🦀","sum":2999999999}'.encode())
        check(guest, name, "sum_json", "{", error=".", code=-1)


def http_requests(name):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def request(status, body=None, **fields):
        line = json.dumps({"url": f"http://127.0.0.1:{server.server_port}/{status}", **fields}).encode()
        return line if body is None else line + b"\n" + body

    guest = Guest(name, allowed_hosts=["127.0.0.1"], http_headers=True)
    check(guest, name, "http_body", request(200), b"GET None ")
    check(guest, name, "http_body", request(200, headers={"X-Guest": "yes"}), b"GET yes ")
    body = b"\x00some\nbytes\xff" * 1000
    check(guest, name, "http_body", request(201, body, method="POST", headers={"X-Guest": "yes"}), b"POST yes " + body)
    check(guest, name, "http_body", request(200, b"p", method="PUT"), b"PUT None p")
    for status in [200, 201, 404, 500]:
        check(guest, name, "http_status", request(status, b"b", method="POST"), str(status).encode())
    check(guest, name, "http_body", request(404), b"GET None ")
    headers = guest.call("http_headers", request(200))[2]
    report(f"{name}: http_headers", json.loads(headers or "{}").get("x-host") == "libextism", headers)
    headers = Guest(name, allowed_hosts=["127.0.0.1"]).call("http_headers", request(200))
    report(f"{name}: http_headers, not wanted", headers in [(0, None, b""), (0, None, b"{}")], headers)
    # The C API does not say why.
    check(Guest(name), f"{name}, not allowed", "http_body", request(200), error=BACKTRACE, code=-1)
    server.shutdown()


def failures(guest, name):
    check(guest, name, "fail", "nicht gültig", error="^nicht gültig$", code=-1)
    for code in [42, 1, -7, 0]:
        check(guest, name, "fail_with_code", str(code), error="^coded$", code=code)
    check(guest, name, "echo", "still here", b"still here")
    short = name.removesuffix(".wat")
    if guest.has("unreachable"):
        check(Guest(name), name, "unreachable", **TRAP)
    if short in PANICS:
        check(Guest(name), name, "panic", **PANICS[short])


def verify(name):
    guest = Guest(name, config={"key": "värde"}, memory={"max_pages": 2000})
    bytes_of_all_kinds(guest, name)
    services(guest, name)
    failures(guest, name)
    http_requests(name)
    return guest
