"""The C plugin with WASI: c_wasi.wasm."""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from .host import GUESTS, Guest, check, report

NAME = "c_wasi"


def system():
    guest = Guest(NAME)
    check(guest, NAME, "echo", b"\x00bytes\xff", b"\x00bytes\xff")
    check(guest, NAME, "counter", "", b"101")
    check(guest, NAME, "counter", "", b"102")
    started = time.monotonic()
    check(guest, NAME, "sleep_ms", "50", b"")
    report(f"{NAME}: sleep_ms sleeps", time.monotonic() - started >= 0.05, "")
    check(guest, NAME, "random", "", None)
    report(f"{NAME}: random differs", guest.call("random")[2] != guest.call("random")[2], "")
    check(guest, NAME, "now", "", r"\d{13}")
    report(f"{NAME}: monotonic", int(guest.call("monotonic")[2]) < int(guest.call("monotonic")[2]), "")
    check(guest, NAME, "arguments", "", b"")
    check(guest, NAME, "environment", "", b"")
    check(guest, NAME, "read_stdin", "", b"")
    for export in ["print", "print_error", "print_lines"]:
        check(guest, NAME, export, "a line\n", b"")
    check(guest, NAME, "exit_with", "3", error="backtrace", code=3)
    check(Guest(NAME), NAME, "exit_with", "0", b"")
    check(Guest(NAME), NAME, "exit_with", "300", error="backtrace", code=-1)


# The reference host writes to its own streams, and only when it is told to.
def streams():
    script = f"from reference.host import Guest; Guest({NAME!r}).call('print_lines')"
    environment = {**os.environ, "EXTISM_ENABLE_WASI_OUTPUT": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run([sys.executable, "-c", script], cwd=GUESTS, env=environment, capture_output=True)
    report(f"{NAME}: stdout", result.stdout == b"first line\nsecond line\n\nfourth line\nunfinished", result.stdout)
    report(f"{NAME}: stderr", result.stderr == b"a warning\n", result.stderr)


def files():
    check(Guest(NAME), f"{NAME}, nothing allowed", "read_file", "/data/a", error="^No such file or directory$", code=-1)
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        (directory / "secret").write_text("secret")
        allowed = directory / "allowed"
        allowed.mkdir()
        (allowed / "a").write_bytes(b"\x00one\xff" * 2000)
        (allowed / "link").symlink_to("../secret")
        missing, denied, refused = "No such file or directory", "Operation not permitted", "Capabilities insufficient"

        guest = Guest(NAME, allowed_paths={str(allowed): "/data"})
        check(guest, NAME, "read_file", "/data/a", b"\x00one\xff" * 2000)
        check(guest, NAME, "read_file", "/data/b", error=f"^{missing}$", code=-1)
        for path in ["/data/../secret", "/data/link", str(directory / "secret"), "/etc/passwd"]:
            check(guest, NAME, "read_file", path, error=f"^({missing}|{denied}|{refused})$")
        check(guest, NAME, "stat", "/data/a", b"file 10000")
        check(guest, NAME, "stat", "/data", b"directory")
        check(guest, NAME, "write_file", b"/data/b\n\x00two\n\xff", b"")
        report(f"{NAME}: written", (allowed / "b").read_bytes() == b"\x00two\n\xff", "")
        check(guest, NAME, "write_file", "/data/../c\nthree", error=f"^{denied}$")
        check(guest, NAME, "make_directory", "/data/d", b"")
        check(guest, NAME, "rename_file", "/data/b\n/data/d/b", b"")
        check(guest, NAME, "list_directory", "/data/d", b"b\n")
        names = guest.call("list_directory", "/data")[2]
        report(f"{NAME}: list_directory", sorted(names.split()) == [b"a", b"d", b"link"], names)
        check(guest, NAME, "delete_file", "/data/d/b", b"")
        check(guest, NAME, "list_directory", "/data/d", b"")

        guest = Guest(NAME, allowed_paths={f"ro:{allowed}": "/data"})
        check(guest, f"{NAME}, read-only", "read_file", "/data/a", b"\x00one\xff" * 2000)
        for export, data in [("write_file", "/data/a\n"), ("write_file", "/data/c\n"), ("delete_file", "/data/a"),
                             ("make_directory", "/data/e"), ("rename_file", "/data/a\n/data/f")]:
            check(guest, f"{NAME}, read-only", export, data, error=f"^({denied}|{refused})$")
        report(f"{NAME}, read-only: kept", (allowed / "a").stat().st_size == 10000, "")


def all():
    system()
    streams()
    files()
