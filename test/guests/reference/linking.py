"""Plugins of several modules."""
import struct
import time

from .host import Guest, check, load_fails, report, skip


def all():
    libraries = [("command", "link_command.wat"), ("reactor", "link_reactor.wat")]
    guest = Guest("link_main.wat", libraries)
    for export, output in [("command", b"11"), ("reactor", b"101"), ("command", b"11"), ("reactor", b"102")]:
        check(guest, "link_main.wat", export, "", output)

    guest = Guest("link_shared_main.wat", [("shared", "link_shared.wat")])
    for export, output in [("memory", b"1234"), ("global", b"7"), ("global", b"14"), ("table", b"42")]:
        check(guest, "link_shared_main.wat", export, "", output)

    check(Guest("link_user_main.wat"), "link_user_main.wat, alone", "greet", "Joe", b"Hello, Joe!")
    guest = Guest("link_user_main.wat", [("extism:host/user", "link_user.wat")])
    check(guest, "link_user_main.wat", "greet", "Joe {az}", b"JOE {AZ}")
    check(guest, "link_user_main.wat", "tick", "", b"42")

    shared = ("shared", "link_shared.wat")
    guest = Guest("link_random_main.wat", [shared])
    report("link_random_main.wat, WASI's: random", guest.call("random")[2] not in (b"", b"\x04" * 8), "")
    guest = Guest("link_random_main.wat", [shared, ("wasi_snapshot_preview1", "link_random.wat")])
    check(guest, "link_random_main.wat", "random", "", b"\x04" * 8)
    seconds = struct.unpack("<q", guest.call("now")[2])[0] / 1e9
    report("link_random_main.wat: now", abs(seconds - time.time()) < 10, seconds)

    # Two instances of main: the library talks to the one that is not called.
    check(Guest("link_to_library.wat", [("library", "link_from_main.wat")]), "link_to_library.wat", "value", "", b"0")

    chain = [("b", "link_chain_b.wat"), ("c", "link_chain_c.wat")]
    load_fails("link_chain_a.wat", "nowhere::f", modules=chain)
    load_fails("link_chain_a.wat", "b::f")
    load_fails("link_main.wat", "Duplicate module name", modules=[*libraries, libraries[0]])
    skip("link_cycle_main.wat", "the reference host crashes (SIGSEGV)")
