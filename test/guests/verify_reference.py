#!/usr/bin/env python3
"""Runs the guest plugins on the reference host, libextism (pip install extism), to see that they do what the tests expect
of them.  Optional: no test needs it.

    verify_reference.py [NAME...]      a language, wat, linking, c_wasi; without names, all

Prints a line for each plugin and export; exits 1 if any differs from what is expected here.
"""
import sys

from reference import host, languages, linking, text, wasi

TARGETS = {**languages.TARGETS, "wat": text.all, "linking": linking.all, "c_wasi": wasi.all}

if __name__ == "__main__":
    names = sys.argv[1:] or list(TARGETS)
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are: {', '.join(TARGETS)}")
    for name in names:
        TARGETS[name]()
    sys.exit(host.failures > 0)
