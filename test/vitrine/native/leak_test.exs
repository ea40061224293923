defmodule Vitrine.Native.LeakTest do
  # It looks at what the whole operating system process has: no other test runs meanwhile.
  use ExUnit.Case, async: false

  @moduletag :slow

  import Vitrine.Guests

  describe "a hundred thousand traps in a row" do
    @tag timeout: 600_000
    test "leak neither memory nor anything else" do
      plugin = new!(wat("traps"))
      trap = fn -> {:error, %{reason: :trap}} = Vitrine.call(plugin, "unreachable") end
      for _ <- 1..2_000, do: trap.()
      before = {resident(), mappings(), threads()}
      for _ <- 1..98_000, do: trap.()
      eventually(fn -> mappings() < elem(before, 1) + 1_000 end)
      assert resident() < elem(before, 0) + 100_000
      assert threads() <= elem(before, 2) + 4
    end

    # Of this operating system process: resident kilobytes, memory mappings, threads.
    defp resident, do: status("VmRSS")
    defp threads, do: status("Threads")
    defp mappings, do: length(String.split(File.read!("/proc/self/maps"), "\n"))

    defp status(key) do
      [_, value] = Regex.run(~r/#{key}:\s+(\d+)/, File.read!("/proc/self/status"))
      String.to_integer(value)
    end
  end
end
