defmodule Vitrine.Native.PermitTest do
  # Tests the length of the BEAM's queue for dirty schedulers, which everything else in this system shares.
  use ExUnit.Case, async: false

  @moduletag :slow

  import Vitrine.Guests

  alias Vitrine.Native

  @loops 400

  # Counts calls, then loops: what a call leaves shows whether the instance is the one before.
  @counts """
  (module
    (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
    (import "extism:host/env" "output_set" (func $output (param i64 i64)))
    (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
    (global $calls (mut i32) (i32.const 0))
    (func (export "spin")
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (loop $again (br $again)))
    (func (export "calls") (local $at i64)
      (local.set $at (call $alloc (i64.const 1)))
      (call $store (local.get $at) (i32.add (i32.const 48) (global.get $calls)))
      (call $output (local.get $at) (i64.const 1))))
  """

  setup do
    :ok = free()
    on_exit(&free/0)
  end

  test "four hundred endless loops put no more entries into the BEAM's dirty queue than there are schedulers" do
    callers = loops(@loops)
    limit = :erlang.system_info(:dirty_cpu_schedulers_online)

    for _ <- 1..300 do
      Process.sleep(1)
      # Running entries are not in it, and one may be on its way out when the next comes in.
      assert dirty_queue() <= limit + 1
      assert Native.permits().taken <= limit
    end

    assert Native.permits().waiting > @loops - 3 * limit
    kill(callers)
  end

  test "beside four hundred endless loops another library's dirty NIF does not wait for a round of them" do
    callers = loops(@loops)

    # A quarter of a second where all of the loops stand before it; about a millisecond where they do not, but the
    # machine itself may be busy.
    eventually(fn -> median(50, fn -> :erts_debug.dirty_cpu(:scheduler, :type) end) < 50_000 end)
    kill(callers)
  end

  test "large inputs and outputs, codecs, HTML documents and new instances take permits, too" do
    limit = :erlang.system_info(:dirty_cpu_schedulers_online)
    input = String.duplicate("x", 3_000_000)
    terms = Enum.to_list(1..200_000)
    html = String.duplicate("<p>text</p>", 20_000)
    {:ok, compiled} = Vitrine.compile(wasm("rust_minimal"), host_functions: host_functions())
    {:ok, dirty} = Vitrine.compile(compiled, scheduler: :dirty)

    works = [
      fn -> assert {:ok, ^input} = Vitrine.run(compiled, "echo", input, timeout: 60_000) end,
      fn -> assert {:ok, _} = Vitrine.run(dirty, "echo", "hi", timeout: 60_000) end,
      fn -> assert {:ok, _} = Vitrine.Codec.encode(:json, terms) end,
      fn -> assert {:ok, _} = Vitrine.Codec.encode(:msgpack, terms) end,
      fn -> assert {:ok, _} = Vitrine.HTML.sanitize(html, namespace: "game") end
    ]

    tasks = for work <- works, _ <- 1..20, do: Task.async(fn -> for _ <- 1..5, do: work.() end)

    samples =
      for _ <- 1..100 do
        Process.sleep(1)
        %{taken: taken, waiting: waiting} = Native.permits()
        assert taken <= limit
        {dirty_queue(), waiting}
      end

    {queued, waiting} = Enum.unzip(samples)
    assert Enum.max(waiting) > 20
    # The processes' own garbage collections are not work of Vitrine.
    assert Enum.at(Enum.sort(queued), 50) <= 2 * limit
    Task.await_many(tasks, 120_000)
    assert eventually(fn -> idle?() end)
  end

  test "loops that all wait for a scheduler end by their deadlines, each in its own instance" do
    {:ok, compiled} = Vitrine.compile(@counts, on_trap: :keep)
    plugins = for _ <- 1..@loops, do: new!(compiled)

    times =
      plugins
      |> Enum.map(&Task.async(fn -> elapsed(fn -> assert timeout!(&1, 300) end) end))
      |> Task.await_many(60_000)

    assert Enum.min(times) >= 299_000
    # That they were stopped while they waited loses no instance that is to be kept.
    for plugin <- plugins, do: assert(Vitrine.call(plugin, "calls") == {:ok, "1"})
    assert idle?()
  end

  test "a plugin whose slices are all dirty gives up at its deadline where no scheduler was free in time" do
    callers = loops(@loops)
    plugin = guest!("rust_minimal", scheduler: :dirty)
    results = for _ <- 1..20, do: Vitrine.call(plugin, "echo", "hi", timeout: 1)
    assert Enum.any?(results, &(reason(&1) == :timeout))
    kill(callers)
    assert Vitrine.call(plugin, "echo", "hi") == {:ok, "hi"}
  end

  test "cancelled loops end while they wait for a scheduler" do
    plugins = for _ <- 1..@loops, do: new!(@counts)
    # To make an instance took some.
    made = for plugin <- plugins, do: {plugin, Vitrine.stats(plugin).slices}
    tasks = for plugin <- plugins, do: Task.async(fn -> spin(plugin) end)
    # A call that has not begun cannot be cancelled.
    begun? = fn {plugin, slices} -> Vitrine.stats(plugin).slices > slices end
    assert eventually(fn -> Enum.all?(made, begun?) end)
    Enum.each(plugins, &Vitrine.cancel/1)
    for result <- Task.await_many(tasks, 60_000), do: assert(reason(result) == :cancelled)
    assert idle?()
    assert Process.info(self(), :message_queue_len) == {:message_queue_len, 0}
  end

  test "thousands of killed loops leave all permits free, wherever they were" do
    {:ok, compiled} = Vitrine.compile(@counts)
    limit = :erlang.system_info(:dirty_cpu_schedulers_online)

    for round <- 1..60 do
      callers =
        for _ <- 1..50, do: spawn(fn -> Vitrine.run(compiled, "spin", "", timeout: 60_000) end)

      # Some of them have not begun, some wait, some are invited, and some run.
      Process.sleep(rem(round, 12))
      callers |> Enum.shuffle() |> Enum.each(&Process.exit(&1, :kill))
    end

    assert eventually(fn -> idle?() end)
    plugin = new!(@counts)
    assert reason(Vitrine.call(plugin, "spin", "", timeout: 50)) == :timeout
    assert Native.permits() == %{limit: limit, taken: 0, invited: 0, waiting: 0}
  end

  test "waiting calls go on when others are killed, also in the middle of a slice" do
    plugins = for _ <- 1..60, do: new!(@counts)
    callers = for plugin <- plugins, do: spawn(fn -> spin(plugin) end)
    assert eventually(fn -> Native.permits().waiting > 50 end)

    {killed, left} = Enum.split(Enum.zip(callers, plugins), 40)

    for {pid, _plugin} <- killed do
      Process.sleep(3)
      Process.exit(pid, :kill)
    end

    {left, plugins} = Enum.unzip(left)
    assert eventually(progress(plugins))
    kill(left)
  end

  test "loops share the dirty schedulers evenly" do
    plugins = for _ <- 1..40, do: new!(@counts)
    callers = for plugin <- plugins, do: spawn(fn -> spin(plugin) end)
    assert eventually(fn -> Enum.min(slices(plugins)) >= 20 end)
    # In each round each has one.
    slices = slices(plugins)
    assert Enum.max(slices) <= 2 * Enum.min(slices)
    kill(callers)
  end

  test "processes that were suspended while they waited do not hold others up, and go on when they are resumed" do
    plugins = for _ <- 1..100, do: new!(@counts)
    tasks = for plugin <- plugins, do: Task.async(fn -> spin(plugin) end)
    assert eventually(fn -> Native.permits().waiting > 50 end)
    for task <- tasks, do: suspend(task.pid)
    other = new!(@counts)
    running = running!(other, "spin")
    eventually(fn -> Vitrine.stats(other).slices > 5 end)
    Process.exit(running, :kill)
    for task <- tasks, do: resume(task.pid)
    assert eventually(progress(plugins))
    for task <- tasks, do: Task.shutdown(task, :brutal_kill)
  end

  test "there are as many permits as dirty schedulers are online, also when that is set" do
    limit = :erlang.system_info(:dirty_cpu_schedulers_online)

    try do
      :erlang.system_flag(:dirty_cpu_schedulers_online, 1)
      callers = loops(5)
      assert eventually(fn -> match?(%{limit: 1, waiting: 4}, Native.permits()) end)
      :erlang.system_flag(:dirty_cpu_schedulers_online, limit)
      assert eventually(fn -> Native.permits().limit == limit end)
      kill(callers)
    after
      :erlang.system_flag(:dirty_cpu_schedulers_online, limit)
    end
  end

  defp loops(count) do
    {:ok, compiled} = Vitrine.compile(@counts)
    plugins = for _ <- 1..count, do: new!(compiled)
    callers = for plugin <- plugins, do: spawn(fn -> spin(plugin) end)
    limit = :erlang.system_info(:dirty_cpu_schedulers_online)
    assert eventually(fn -> Native.permits().waiting >= count - 3 * limit end)
    callers
  end

  defp spin(plugin, timeout \\ :infinity), do: Vitrine.call(plugin, "spin", "", timeout: timeout)

  defp timeout!(plugin, timeout), do: reason(spin(plugin, timeout)) == :timeout

  defp kill(callers) do
    Enum.each(callers, &Process.exit(&1, :kill))
    assert eventually(fn -> idle?() end)
  end

  # Of a process that is on a dirty scheduler at this moment OTP says that it is an error, and does it.
  defp suspend(pid) do
    :erlang.suspend_process(pid)
  catch
    :error, :internal_error -> :ok
  end

  defp resume(pid) do
    :erlang.resume_process(pid)
    resume(pid)
  catch
    :error, :badarg -> :ok
  end

  # Whether each has had another slice since.
  defp progress(plugins) do
    before = slices(plugins)
    fn -> Enum.all?(Enum.zip_with(before, slices(plugins), &(&1 < &2))) end
  end

  defp slices(plugins), do: for(plugin <- plugins, do: Vitrine.stats(plugin).slices)

  defp idle?, do: match?(%{taken: 0, invited: 0, waiting: 0}, Native.permits())

  # Work that earlier tests left is over soon.
  defp free,
    do: if(eventually(fn -> idle?() end), do: :ok, else: flunk(inspect(Native.permits())))

  # The last two are those of dirty schedulers, for processor time and for waiting.
  defp dirty_queue, do: :erlang.statistics(:run_queue_lengths_all) |> Enum.at(-2)

  defp median(times, work) do
    all = for _ <- 1..times, do: Process.sleep(1) && elapsed(work)
    all |> Enum.sort() |> Enum.at(div(times, 2))
  end

  defp elapsed(work), do: work |> :timer.tc() |> elem(0)
end
