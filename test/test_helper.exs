# A run must not depend on what an earlier one compiled; tests of the cache have directories of their
# own.
Application.put_env(:vitrine, :cache, false)
Vitrine.OwnLog.start()

# Tests that go through code which fusing changes have the tag `fusing` and must pass without it, too: `make test` runs
# them once more. Those that take seconds, or that are alone on the machine, have the tag `slow`: `make check` leaves them out.
if System.get_env("VITRINE_FUSE") == "off", do: Application.put_env(:vitrine, :fuse, false)

# A machine that is busy with other things is slow, not wrong: what a test waits for ends the wait at once, and only
# what never comes takes this long.
ExUnit.start(assert_receive_timeout: 60_000, timeout: 300_000)
