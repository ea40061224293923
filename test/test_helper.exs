# A run must not depend on what an earlier one compiled; tests of the cache have directories of their
# own.
Application.put_env(:vitrine, :cache, false)
ExUnit.start()
