defmodule Vitrine.Native.SchedulingTest do
  # Others must not feel the work of plugins. Benchmarks measure how much they do; these tests check that
  # it holds at all, with a wide margin. Not async: they load the machine.
  use ExUnit.Case, async: false

  @moduletag :slow

  import Vitrine.Guests

  # Microseconds that no ordinary process may wait; a scheduler that is blocked waits for longer.
  @blocked 500_000

  defp spinning(count, source \\ nil, function \\ "spin") do
    source = source || File.read!(wat("spin"))
    plugins = for _ <- 1..count, do: new!(source, memory: [max_pages: 16_384])

    callers =
      for plugin <- plugins do
        spawn_link(fn ->
          Process.flag(:trap_exit, false)
          loop(fn -> Vitrine.call(plugin, function, "", timeout: 60_000) end)
        end)
      end

    Process.sleep(200)
    Enum.each(callers, &Process.unlink/1)
    callers
  end

  defp loop(call) do
    call.()
    loop(call)
  end

  # The machine's own work meanwhile counts, too, so the best of five rounds is taken.
  defp worst_latency, do: Enum.min(for _ <- 1..5, do: worst_latency_of_a_round())

  defp worst_latency_of_a_round do
    for _ <- 1..40 do
      me = self()

      {microseconds, :ok} =
        :timer.tc(fn ->
          spawn(fn -> send(me, :done) end)

          receive do
            :done -> :ok
          end
        end)

      Process.sleep(1)
      microseconds
    end
    |> Enum.max()
  end

  defp kill(callers) do
    monitors = Enum.map(callers, &Process.monitor/1)
    Enum.each(callers, &Process.exit(&1, :kill))

    for monitor <- monitors do
      assert_receive {:DOWN, ^monitor, :process, _, :killed}
    end
  end

  describe "a hundred plugins in endless loops" do
    test "hold up neither processes nor other plugins, and die with their callers" do
      callers = spinning(100)
      assert worst_latency() < @blocked
      echo = guest!("rust_minimal")
      for n <- 1..100, do: assert(Vitrine.call(echo, "echo", "#{n}") == {:ok, "#{n}"})
      kill(callers)
    end

    test "each end at their timeouts" do
      plugins = for _ <- 1..100, do: new!(wat("spin"))

      calls =
        for p <- plugins, do: Task.async(fn -> Vitrine.call(p, "spin", "", timeout: 100) end)

      results = Task.await_many(calls, 30_000)
      assert Enum.map(results, &reason/1) == List.duplicate(:timeout, 100)
    end

    test "end with Task.shutdown/2" do
      plugin = new!(wat("spin"))
      task = Task.async(fn -> Vitrine.call(plugin, "spin", "", timeout: :infinity) end)
      Process.sleep(20)
      assert Task.shutdown(task, :brutal_kill) == nil
      eventually(fn -> Vitrine.reset(plugin) == :ok end)
    end
  end

  describe "plugins that fill and copy large memories in a loop" do
    test "hold up no other process" do
      callers = spinning(2, wat("bulk_hostile"), "fill_forever")
      callers = callers ++ spinning(2, wat("bulk_hostile"), "copy_forever")
      assert worst_latency() < @blocked
      kill(callers)
    end
  end

  describe "an instance for one call" do
    setup do
      {:ok, compiled} = Vitrine.compile(wat("spin"))
      # After these runs, an instance of the module is known to be made quickly.
      for _ <- 1..20, do: Vitrine.run!(compiled, "noop")
      {:ok, compiled: compiled}
    end

    test "is made on a normal scheduler if few processes wait for those, and otherwise on a dirty one",
         context do
      run = fn -> assert Vitrine.run(context.compiled, "noop") == {:ok, ""} end
      eventually(fn -> :call_start in natives(run) end)

      busy =
        for _ <- 1..(4 * System.schedulers_online()), do: spawn(fn -> loop(fn -> :ok end) end)

      eventually(fn ->
        natives = natives(run)
        :call_start_dirty in natives and :call_start not in natives
      end)

      kill(busy)
    end
  end

  # The functions of the NIF that a process calls for `work`.
  defp natives(work) do
    task = Task.async(fn -> receive(do: (:go -> work.())) end)
    :erlang.trace_pattern({Vitrine.Native, :_, :_}, true, [:local])
    :erlang.trace(task.pid, true, [:call])
    send(task.pid, :go)
    Task.await(task, 60_000)
    :erlang.trace_pattern({Vitrine.Native, :_, :_}, false, [:local])
    called(:erlang.trace_delivered(task.pid))
  end

  defp called(delivered) do
    receive do
      {:trace, _pid, :call, {_module, function, _args}} -> [function | called(delivered)]
      {:trace_delivered, _pid, ^delivered} -> []
    end
  end

  describe "a thousand processes whose host functions sleep" do
    test "sleep at the same time" do
      test = self()

      greet = fn _ ->
        send(test, {:sleeping, self()})
        receive do: (:wake_up -> "x")
      end

      source = File.read!(wasm("zig"))
      options = [host_functions: %{"greet" => greet}, timeout: :infinity]
      plugins = for _ <- 1..1_000, do: new!(source, options)
      tasks = for plugin <- plugins, do: Task.async(fn -> Vitrine.call(plugin, "greet") end)
      for %{pid: pid} <- tasks, do: assert_receive({:sleeping, ^pid})
      for %{pid: pid} <- tasks, do: send(pid, :wake_up)
      assert Enum.uniq(Task.await_many(tasks, 60_000)) == [{:ok, "x"}]
    end
  end

  describe "scheduler: :dirty" do
    test "runs the whole of a call on dirty schedulers, with the same results" do
      plugin = guest!("rust", scheduler: :dirty)
      assert Vitrine.call(plugin, "echo", "hi") == {:ok, "hi"}
      assert Vitrine.call(plugin, "greet", "Joe") == {:ok, "hello Joe"}
      assert reason(Vitrine.call(plugin, "recurse")) == :trap
    end

    test "runs on dirty schedulers after a host function and while it loads, too" do
      {:ok, compiled} = Vitrine.compile(wasm("rust"), host_functions: host_functions())

      greet = fn options ->
        plugin = new!(compiled, options)
        Vitrine.call!(plugin, "greet", "Joe")
      end

      # The scheduler on which an instance is made depends on whether one was made before.
      greet.([])

      # A slice that is over before the call is goes on in another one.
      assert Enum.dedup(entered(fn -> greet.(scheduler: :dirty) end)) ==
               [:plugin_initialise_dirty, :call_start_dirty, :call_resume_dirty]

      eventually(fn -> match?([:plugin_initialise | _], entered(fn -> greet.([]) end)) end)
    end

    # The functions of the native library that run guests, in the order in which `body` calls them.
    defp entered(body) do
      test = self()
      :erlang.trace_pattern({Vitrine.Native, :_, :_}, true, [])

      task =
        Task.async(fn ->
          :erlang.trace(self(), true, [:call, tracer: test])
          body.()
        end)

      Task.await(task, 60_000)
      :erlang.trace_pattern({Vitrine.Native, :_, :_}, false, [])
      delivered = :erlang.trace_delivered(task.pid)
      assert_receive {:trace_delivered, _, ^delivered}
      entered_functions([])
    end

    defp entered_functions(names) do
      receive do
        {:trace, _pid, :call, {Vitrine.Native, name, _}}
        when name in ~w(plugin_initialise plugin_initialise_dirty call_start call_start_dirty
                        call_resume call_resume_dirty)a ->
          entered_functions([name | names])

        {:trace, _pid, :call, _} ->
          entered_functions(names)
      after
        0 -> Enum.reverse(names)
      end
    end
  end
end
