# A run must not depend on what an earlier one compiled; tests of the cache have directories of their
# own.
Application.put_env(:vitrine, :cache, false)
# The same tests must pass without fusing: `make test` runs them twice.
if System.get_env("VITRINE_FUSE") == "off", do: Application.put_env(:vitrine, :fuse, false)

ExUnit.start()
