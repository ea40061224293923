defmodule Vitrine.Process.ListingTest do
  use ExUnit.Case, async: true

  import Vitrine.Guests

  @module ~S|
    (module
      (memory 1)
      (func (export "run"))
      (func (export "spin") (loop (br 0))))
  |

  # Of one test, whatever else there is.
  defp listed(name), do: Enum.filter(Vitrine.list(), &(&1.name == name))

  defp named, do: "listed #{System.unique_integer([:positive])}"

  test "a plugin is listed with its owner, its age, its calls and its memory" do
    name = named()
    before = DateTime.utc_now()
    plugin = new!(@module, name: name, fuel: 1_000_000)
    {:ok, ""} = Vitrine.call(plugin, "run")
    {:error, _} = Vitrine.call(plugin, "missing")

    assert [found] = listed(name)
    stats = Vitrine.stats(plugin)

    assert %{kind: :plugin, process: nil, label: nil, state: :idle, instances: 1, calls: 2} =
             found

    assert found.owner == self()
    assert found.hash == plugin.hash
    assert found.memory_bytes == stats.memory_bytes and found.memory_bytes >= 65_536
    assert found.fuel == stats.fuel and found.fuel > 0
    assert DateTime.diff(found.since, before, :millisecond) >= -1
    assert DateTime.diff(DateTime.utc_now(), found.since) < 600
  end

  test "a plugin in a call is listed as busy" do
    name = named()
    plugin = new!(@module, name: name)
    call = Task.async(fn -> Vitrine.call(plugin, "spin", "", timeout: :infinity) end)
    eventually(fn -> match?([%{state: :busy}], listed(name)) end)
    Vitrine.cancel(plugin)
    Task.await(call, 60_000)
    assert [%{state: :idle}] = listed(name)
    # Held to here.
    assert plugin.name == name
  end

  test "a plugin that is closed or garbage-collected is not listed" do
    name = named()
    plugin = new!(@module, name: name)
    Vitrine.close(plugin)
    assert listed(name) == []

    name = named()
    Task.await(Task.async(fn -> new!(@module, name: name) && length(listed(name)) end), 60_000)
    eventually(fn -> listed(name) == [] end)
  end

  test "the instance of run/4 is listed while it runs, and the compiled plugin before and after" do
    name = named()
    compiled = Vitrine.compile!(@module, name: name)
    assert [%{kind: :compiled, instances: instances, owner: owner, hash: hash}] = listed(name)
    assert owner == self()
    assert hash == compiled.hash
    run = Task.async(fn -> Vitrine.run(compiled, "spin", "", timeout: :infinity) end)

    eventually(fn ->
      found = listed(name)
      compiled = Enum.find(found, &(&1.kind == :compiled))

      Enum.any?(found, &(&1.kind == :plugin and &1.owner == run.pid)) and
        compiled.instances == instances + 1
    end)

    Task.shutdown(run, :brutal_kill)
    eventually(fn -> match?([%{kind: :compiled}], listed(name)) end)
    # Held to here.
    assert compiled.name == name
  end

  test "a server is listed with its process, and its plugin with the server as the owner" do
    name = named()
    options = [source: @module, name: __MODULE__.Server, plugin_name: name, fuel: 1_000_000]
    server = start_supervised!({Vitrine.Server, options})
    for _ <- 1..3, do: Vitrine.call(server, "run")

    kinds = fn -> Enum.group_by(listed(name), & &1.kind) end
    assert %{server: [found], plugin: [%{owner: ^server} = plugin]} = kinds.()

    assert %{
             process: ^server,
             label: "Vitrine.Process.ListingTest.Server",
             instances: 1,
             calls: 3
           } = found

    assert found.memory_bytes == plugin.memory_bytes
    assert found.fuel > 0
    assert is_pid(found.owner) and found.owner != server

    # Calls and fuel go on after an upgrade.
    :ok = Vitrine.Server.upgrade(server, @module)
    Vitrine.call(server, "run")
    assert %{server: [again], plugin: [%{owner: ^server, calls: 1}]} = kinds.()
    assert again.calls == 4
    assert again.fuel > found.fuel

    stop_supervised!(__MODULE__.Server)
    eventually(fn -> listed(name) == [] end)
  end

  test "a pool is listed with its process, and its instances with the pool as the owner" do
    name = named()
    options = [source: @module, name: __MODULE__.Pool, plugin_name: name, size: 3, min_idle: 2]
    pool = start_supervised!({Vitrine.Pool, [fuel: 1_000_000] ++ options})
    eventually(fn -> Vitrine.Pool.info(pool).idle == 2 end)
    for _ <- 1..5, do: Vitrine.call(pool, "run")

    assert %{pool: [found], plugin: plugins, compiled: [_]} =
             Enum.group_by(listed(name), & &1.kind)

    assert %{process: ^pool, label: "Vitrine.Process.ListingTest.Pool", instances: 2, calls: 5} =
             found

    assert Enum.map(plugins, & &1.owner) == [pool, pool]
    assert found.memory_bytes == plugins |> Enum.map(& &1.memory_bytes) |> Enum.sum()
    assert found.fuel == Vitrine.stats(pool).fuel
  end

  test "many plugins are listed with little work" do
    name = named()
    compiled = Vitrine.compile!(@module, name: name, memory_layout: :dense)
    plugins = for _ <- 1..2_000, do: new!(compiled)
    {reductions, found} = Vitrine.Usage.reductions(fn -> listed(name) end)
    assert length(found) == 2_001
    assert reductions < 2_000_000
    Enum.each(plugins, &Vitrine.close/1)
    assert [%{kind: :compiled}] = listed(name)
    # Held to here.
    assert compiled.name == name
  end
end
