defmodule Vitrine.Plugin.StatsTest do
  use ExUnit.Case, async: true

  import Vitrine.{Guests, PoolHelpers}

  @page 65_536

  describe "stats/1" do
    test "counts calls, also those that were refused, and errors by reason" do
      plugin = guest!("rust")
      {:ok, _} = Vitrine.call(plugin, "echo", "hi")
      {:error, _} = Vitrine.call(plugin, "fail", "no")
      {:error, _} = Vitrine.call(plugin, "recurse")
      {:error, _} = Vitrine.call(plugin, "missing")
      {:error, _} = Vitrine.call(plugin, "spin", "", timeout: 5)
      {:error, _} = Vitrine.call(plugin, "echo", "hi", timeout: 0)
      stats = Vitrine.stats(plugin)
      assert stats.calls == 6
      assert stats.errors == %{guest_error: 1, trap: 1, function_not_found: 1, timeout: 2}
    end

    test "counts instances: the first, and one after each trap" do
      plugin = guest!("rust")
      assert Vitrine.stats(plugin).instances == 1
      {:error, _} = Vitrine.call(plugin, "recurse")
      {:ok, _} = Vitrine.call(plugin, "echo")
      {:ok, _} = Vitrine.call(plugin, "echo")
      assert Vitrine.stats(plugin).instances == 2
    end

    test "has the time in the guest, apart from that in host functions" do
      plugin =
        guest!("rust",
          host_functions: %{
            "greet" => fn _ ->
              Process.sleep(30)
              "x"
            end
          }
        )

      %{host_us: 0, guest_us: made} = Vitrine.stats(plugin)
      {all, {:ok, _}} = :timer.tc(fn -> Vitrine.call(plugin, "greet") end)
      %{host_us: host, guest_us: guest, host_calls: 1} = Vitrine.stats(plugin)
      assert host >= 30_000
      # Nothing is counted twice. The guest's time is counted in half milliseconds.
      assert host + guest - made <= all + 2_000

      spinning = running!(plugin, "spin")
      eventually(fn -> Vitrine.stats(plugin).slices > 3 end)
      Vitrine.cancel(plugin)
      eventually(fn -> not Process.alive?(spinning) end)
      stats = Vitrine.stats(plugin)
      assert stats.guest_us > guest
      assert stats.host_us == host
    end

    test "answers while a call runs, and counts abandoned calls" do
      plugin = guest!("rust")
      pid = running!(plugin, "spin")
      eventually(fn -> Vitrine.stats(plugin).slices > 2 end)
      assert %{calls: 1, abandoned: 0, errors: errors} = Vitrine.stats(plugin)
      assert errors == %{}
      assert reason(Vitrine.call(plugin, "echo")) == :busy
      Process.exit(pid, :kill)
      eventually(fn -> Vitrine.stats(plugin).abandoned == 1 end)
      assert %{calls: 2, errors: %{busy: 1}} = Vitrine.stats(plugin)
    end

    test "sums up fuel" do
      plugin = new!(wat("spin"), fuel: 1_000)
      before = Vitrine.stats(plugin).fuel
      for _ <- 1..2, do: assert(reason(Vitrine.call(plugin, "spin")) == :fuel)
      assert (Vitrine.stats(plugin).fuel - before) in 1_990..2_010
    end

    test "has the memory of the instance now, and the most it had" do
      plugin = new!(~S|
        (module
          (memory 1)
          (func (export "grow") (drop (memory.grow (i32.const 100))))
          (func (export "trap") unreachable))
      |)
      small = Vitrine.stats(plugin)
      assert small.memory_bytes >= @page
      {:ok, ""} = Vitrine.call(plugin, "grow")
      grown = small.memory_bytes + 100 * @page
      assert %{memory_bytes: ^grown, peak_memory_bytes: ^grown} = Vitrine.stats(plugin)
      {:error, _} = Vitrine.call(plugin, "trap")
      eventually(fn -> Vitrine.stats(plugin).memory_bytes == 0 end)
      assert reason(Vitrine.call(plugin, "trap")) == :trap
      assert Vitrine.stats(plugin).peak_memory_bytes == grown
      Vitrine.close(plugin)
      eventually(fn -> Vitrine.stats(plugin).memory_bytes == 0 end)
    end

    test "has the bytes of variables" do
      plugin = new!("(module)")
      assert Vitrine.stats(plugin).vars_bytes == 0
      :ok = Vitrine.put_vars(plugin, %{"key" => "value"})
      assert Vitrine.stats(plugin).vars_bytes >= 8
    end

    test "of a pool sums up its instances, those included that are gone" do
      pool = pool!(size: 2, overflow: 1, host_functions: holding())
      assert %{calls: 0, errors: errors, memory_bytes: 0} = Vitrine.stats(pool)
      assert errors == %{}

      tasks = for name <- ~w(a b c), do: held!(pool, name)
      Process.sleep(20)
      assert Enum.map(tasks, &release/1) == [{:ok, "a"}, {:ok, "b"}, {:ok, "c"}]
      {:error, _} = Vitrine.call(pool, "panic")
      {:error, _} = Vitrine.call(pool, "fail", "no")
      stats = Vitrine.stats(pool)
      assert %{calls: 5, host_calls: 3, instances: 3, abandoned: 0} = stats
      assert stats.errors == %{trap: 1, guest_error: 1}
      assert stats.host_us >= 60_000
      assert stats.memory_bytes >= @page and stats.peak_memory_bytes >= @page

      # A dropped instance takes nothing with it but its memory.
      :ok = Vitrine.Pool.upgrade(pool, wasm("rust_minimal"))
      eventually(fn -> Vitrine.stats(pool).memory_bytes == 0 end)
      assert Map.drop(stats, [:memory_bytes]) == Map.drop(Vitrine.stats(pool), [:memory_bytes])
    end

    test "of a pool count a call whose caller was killed" do
      pool = pool!(size: 1, reset: true)
      pid = spinning!(pool)
      eventually(fn -> Vitrine.stats(pool).slices > 2 end)
      Process.exit(pid, :kill)
      # The pool finds out when somebody wants the instance.
      {:ok, _} = Vitrine.call(pool, "echo", "hi")
      eventually(fn -> Vitrine.stats(pool).calls == 2 end)
      assert %{abandoned: abandoned, errors: errors, instances: 2} = Vitrine.stats(pool)
      # In the middle of a slice it was the end of its instance that ended it.
      assert {abandoned, errors} in [{1, %{}}, {0, %{cancelled: 1}}]
      Vitrine.close(pool)
      assert reason(Vitrine.stats(pool)) == :closed
    end

    test "is that of a server's plugin" do
      server = start_supervised!({Vitrine.Server, source: wasm("rust_minimal")})
      {:ok, _} = Vitrine.call(server, "echo", "hi")
      assert %{calls: 1, instances: 1} = Vitrine.stats(server)
      Vitrine.close(server)
      assert reason(Vitrine.stats(server)) == :closed
    end
  end
end
