defmodule Vitrine.TelemetryTest do
  # The handler is one for all.
  use ExUnit.Case, async: false
  doctest Vitrine.Telemetry

  import ExUnit.CaptureLog
  import Vitrine.Guests

  alias Vitrine.Telemetry

  # The events that this test's own work emits: other processes of the suite may still be there.
  defp attach! do
    test = self()

    Telemetry.attach(fn event, measurements, metadata ->
      if self() == test, do: send(test, {event, measurements, metadata})
    end)

    on_exit(&Telemetry.detach/0)
  end

  defp emitted(events \\ []) do
    receive do
      {[:vitrine | _], _, _} = event -> emitted([event | events])
    after
      0 -> Enum.reverse(events)
    end
  end

  # The emitted events that are not of a beginning.
  defp ended, do: Enum.reject(emitted(), fn {event, _, _} -> List.last(event) == :start end)

  describe "events" do
    test "of loading a plugin" do
      attach!()
      new!(wasm("rust_minimal"), name: "p")

      assert [
               {[:vitrine, :compile, :start], %{bytes: bytes}, begun},
               {[:vitrine, :compile, :stop], compile,
                %{plugin: "p", module: "main", result: :ok}},
               {[:vitrine, :instantiate, :start], %{system_time: _}, %{plugin: "p"}},
               {[:vitrine, :instantiate, :stop], instantiate, %{plugin: "p", result: :ok}}
             ] = emitted()

      assert bytes == compile.bytes
      assert %{plugin: "p", module: "main", telemetry_span_context: _} = begun

      assert compile.bytes == File.stat!(wasm("rust_minimal")).size
      for times <- [compile, instantiate], do: assert(times.duration > 0 and times.monotonic_time)
    end

    test "of compiling, with where the code came from" do
      attach!()
      source = "(module (; #{System.unique_integer()} ;))"
      {:ok, compiled} = Vitrine.compile(source)
      {:ok, _again} = Vitrine.compile(source, name: compiled.name)
      # Making a plugin of a compiled one compiles nothing.
      {:ok, _plugin} = Vitrine.new(compiled)

      assert [
               {[:vitrine, :compile, :stop], _, %{from: :compiler, result: :ok}},
               {[:vitrine, :compile, :stop], _, %{from: :memory, result: :ok}},
               {[:vitrine, :instantiate, :stop], _, _}
             ] = ended()
    end

    test "of a source that cannot be loaded" do
      attach!()
      {:error, error} = Vitrine.new("(module (func i32.const))", name: "p")

      assert [
               {[:vitrine, :compile, :stop], _,
                %{from: nil, result: :error, error: ^error, reason: :compile}}
             ] = ended()

      {:error, error} = Vitrine.new(wat("trapping_start"))

      assert [
               _compile,
               {[:vitrine, :instantiate, :stop], _,
                %{result: :error, error: ^error, reason: :trap}}
             ] = ended()
    end

    test "of a call, with its host functions in between" do
      plugin =
        guest!("rust",
          name: "p",
          host_functions: %{
            "greet" => fn _ ->
              Process.sleep(5)
              "x"
            end
          }
        )

      attach!()
      {:ok, "x"} = Vitrine.call(plugin, "greet")

      assert [
               {[:vitrine, :call, :start], %{system_time: _, monotonic_time: start}, begun},
               {[:vitrine, :host_call, :start], %{system_time: _, monotonic_time: host_start},
                %{kind: :host_function, name: "greet", telemetry_span_context: host_span}},
               {[:vitrine, :host_call, :stop], host,
                %{telemetry_span_context: host_span} = host_call},
               {[:vitrine, :call, :stop], %{monotonic_time: stop, duration: duration}, ended}
             ] = emitted()

      assert %{plugin: "p", function: "greet", server: nil, telemetry_span_context: span} = begun
      assert %{telemetry_span_context: ^span, result: :ok, error: nil, plugin: "p"} = ended
      assert stop == start + duration
      assert host.monotonic_time == host_start + host.duration
      assert host_span != span

      assert %{kind: :host_function, name: "greet", plugin: "p", function: "greet", result: :ok} =
               host_call

      assert System.convert_time_unit(host.duration, :native, :millisecond) >= 5
      assert host.duration < duration
    end

    test "of a call that fails" do
      plugin = guest!("rust", host_functions: %{"greet" => fn _ -> raise "no" end})
      attach!()
      {:error, error} = Vitrine.call(plugin, "greet")

      assert [
               {_, _, %{result: :error, reason: :failed}},
               {[:vitrine, :call, :stop], _,
                %{error: ^error, result: :error, reason: :host_function}}
             ] = ended()
    end

    test "of a call in an instance of its own, which is made within it" do
      compiled = Vitrine.compile!(~S|(module (func (export "run")))|, name: "compiled")
      attach!()
      {:ok, ""} = Vitrine.run(compiled, "run")
      {:error, error} = Vitrine.run(compiled, "walk")

      assert [
               {[:vitrine, :call, :start], %{system_time: _},
                %{plugin: "compiled", function: "run", pool: nil, server: nil} = begun},
               {[:vitrine, :call, :stop], %{duration: _}, %{result: :ok, reason: nil} = ended},
               {[:vitrine, :call, :start], _, %{function: "walk"}},
               {[:vitrine, :call, :stop], _,
                %{function: "walk", reason: :function_not_found, error: ^error}}
             ] = emitted()

      assert begun.telemetry_span_context == ended.telemetry_span_context
    end

    test "of a call that raises" do
      plugin = new!(wasm("rust_minimal"))
      attach!()
      # A timeout that no option could be: what a bug of ours would look like.
      assert_raise ArgumentError, fn ->
        Vitrine.Call.Loop.run(Vitrine.Call.Frame.new(plugin, "echo"), "", :never, :call)
      end

      assert [
               _,
               {[:vitrine, :call, :exception], %{duration: _},
                %{kind: :error, stacktrace: [_ | _]}}
             ] = emitted()
    end

    test "of a call of a server, once, in the calling process" do
      server =
        start_supervised!(
          {Vitrine.Server, source: wasm("rust"), host_functions: host_functions()}
        )

      attach!()
      {:ok, _} = Vitrine.call(server, "greet", "Joe")

      assert [
               {[:vitrine, :call, :start], _,
                %{server: ^server, plugin: "rust", pool: nil, function: "greet"}},
               {[:vitrine, :host_call, :start], _, %{name: "greet"}},
               {[:vitrine, :host_call, :stop], _, %{name: "greet"}},
               {[:vitrine, :call, :stop], _, %{server: ^server, result: :ok}}
             ] = emitted()
    end

    test "of a server's queue and upgrades, in the server" do
      server =
        start_supervised!(
          {Vitrine.Server, source: wasm("rust"), host_functions: host_functions()}
        )

      test = self()
      on_exit(&Telemetry.detach/0)

      Telemetry.attach(fn
        [_, :server, event], times, metadata when metadata.server == server ->
          send(test, {event, self(), times, metadata})

        _event, _measurements, _metadata ->
          :ok
      end)

      spinner = Task.async(fn -> Vitrine.call(server, "spin", "", timeout: :infinity) end)
      eventually(fn -> Vitrine.Server.info(server).state == :busy end)
      queued = Task.async(fn -> Vitrine.call(server, "echo", "", timeout: :infinity) end)
      eventually(fn -> Vitrine.Server.info(server).queue == 1 end)
      Process.sleep(2)
      Vitrine.cancel(server)
      {:error, _} = Task.await(spinner, 60_000)
      {:ok, _} = Task.await(queued, 60_000)
      assert_received {:queue, ^server, %{duration: waited}, %{plugin: "rust"}}
      assert System.convert_time_unit(waited, :native, :millisecond) >= 1

      :ok = Vitrine.Server.upgrade(server, wasm("rust_minimal"))
      {:error, error} = Vitrine.Server.upgrade(server, "missing.wasm")
      # The answer comes first.
      Vitrine.Server.info(server)
      assert_received {:upgrade, ^server, %{duration: _}, %{plugin: "rust_minimal", result: :ok}}
      assert_received {:upgrade, ^server, _, %{result: :error, error: ^error}}
    end

    test "of a call of a pool, and of the wait for an instance" do
      functions = %{
        "greet" => fn _, pool -> inspect(Vitrine.call(pool, "echo")) end,
        "tick" => & &1
      }

      options = [source: wasm("rust"), host_functions: functions, size: 1]
      pool = start_supervised!({Vitrine.Pool, options})
      attach!()
      assert {:ok, busy} = Vitrine.call(pool, "greet", "", context: pool)
      assert busy =~ ":busy"

      label = inspect(pool)

      assert [
               {[:vitrine, :call, :start], _,
                %{function: "greet", server: ^pool, plugin: "rust", pool: ^label}},
               {[:vitrine, :instantiate, :start], _, _},
               {[:vitrine, :instantiate, :stop], _, _},
               {[:vitrine, :host_call, :start], _, %{name: "greet"}},
               {[:vitrine, :call, :start], _, %{function: "echo", server: ^pool}},
               {[:vitrine, :pool, :queue], %{duration: _},
                %{pool: ^label, plugin: "rust", server: ^pool, result: :busy, reason: :busy}},
               {[:vitrine, :call, :stop], _, %{function: "echo", result: :error}},
               {[:vitrine, :host_call, :stop], _, %{name: "greet"}},
               {[:vitrine, :call, :stop], %{duration: _}, %{function: "greet", result: :ok}}
             ] = emitted()
    end

    test "of upgrades of a pool, in the process that asks" do
      pool = start_supervised!({Vitrine.Pool, source: wasm("rust_minimal")})
      attach!()
      :ok = Vitrine.Pool.upgrade(pool, wasm("rust_minimal"))
      {:error, error} = Vitrine.Pool.upgrade(pool, "missing.wasm")
      upgrades = for {[_, :pool, :upgrade], times, metadata} <- emitted(), do: {times, metadata}
      label = inspect(pool)

      assert [
               {%{duration: _},
                %{pool: ^label, server: ^pool, plugin: "rust_minimal", result: :ok, error: nil}},
               {%{duration: _}, %{pool: ^label, result: :error, error: ^error, reason: :file}}
             ] = upgrades
    end

    test "have tags that are always printable, whatever is called and by whatever name" do
      named = fn module, options ->
        name = options[:name]

        pid =
          start_supervised!({module, [source: wasm("rust_minimal"), id: make_ref()] ++ options})

        if name, do: [name, pid], else: [pid]
      end

      start_supervised!({Registry, keys: :unique, name: __MODULE__.Registry})

      via =
        &{:via, Registry, {__MODULE__.Registry, {&1, "\e[2J" <> String.duplicate("x", 1_000)}}}

      callables =
        for module <- [Vitrine.Server, Vitrine.Pool],
            name <- [nil, :"tags of #{module}", {:global, {module, :tags}}, via.(module)],
            callable <- named.(module, if(name, do: [name: name], else: [])),
            do: callable

      plugin = new!(wasm("rust_minimal"))
      attach!()

      for callable <- [
            plugin,
            :nobody,
            {:via, Registry, {__MODULE__.Registry, :nobody}} | callables
          ],
          function <- ["echo", "missing\n"],
          do: Vitrine.call(callable, function, "x")

      events = emitted()
      assert length(events) >= 4 * length(callables)

      for {_event, _measurements, metadata} <- events,
          tag <- [:plugin, :pool, :function, :reason],
          value = Map.get(metadata, tag) do
        assert String.printable?(to_string(value))
        assert byte_size(to_string(value)) < 200
        if tag == :reason, do: assert(is_atom(value))
      end

      for {[_, :call, _], _, metadata} <- events, metadata.server != :nobody do
        assert metadata.plugin == "rust_minimal" or
                 match?({:via, _, {_, :nobody}}, metadata.server)
      end

      assert "#{inspect(:"tags of #{Vitrine.Pool}")}" in for(
               {_, _, %{pool: pool}} <- events,
               do: pool
             )

      reasons = for {[_, :call, :stop], _, metadata} <- events, uniq: true, do: metadata.reason
      assert Enum.sort(reasons) == [:closed, :function_not_found, nil]
    end

    test "of a host call that raises in the trace that looks on end with an exception" do
      plugin = guest!("rust")
      attach!()

      assert_raise RuntimeError, fn ->
        Vitrine.call(plugin, "greet", "", trace: fn _ -> raise "a broken sink" end)
      end

      assert [
               {[:vitrine, :host_call, :exception], %{duration: _}, metadata},
               {[_, :call, :exception], _, _}
             ] = ended()

      assert %{kind: :error, reason: %RuntimeError{}, stacktrace: [_ | _], name: "greet"} =
               metadata
    end

    test "are all documented" do
      {:docs_v1, _, _, _, %{"en" => doc}, _, _} = Code.fetch_docs(Telemetry)
      for event <- Telemetry.events(), do: assert(doc =~ "`#{inspect(event)}`")
    end
  end

  describe "attach/1" do
    test "takes a module and a function, and puts it in the place of the one before" do
      attach!()
      Telemetry.attach({__MODULE__, :note})
      {:ok, _} = Vitrine.call(new!(wasm("rust_minimal")), "echo")
      assert emitted() == []
      assert_received {:noted, [:vitrine, :call, :stop]}
    end

    test "refuses a value that is not a handler" do
      for wrong <- [fn -> :ok end, {"M", :f}, nil] do
        assert_raise ArgumentError, ~r/telemetry handler/, fn -> Telemetry.attach(wrong) end
      end
    end

    test "survives a handler that fails, without it" do
      plugin = new!(wasm("rust_minimal"))
      on_exit(&Telemetry.detach/0)
      test = self()
      Telemetry.attach(fn _, _, _ -> if self() == test, do: raise("broken handler") end)
      log = capture_log(fn -> assert Vitrine.call(plugin, "echo", "hi") == {:ok, "hi"} end)
      assert log =~ "broken handler"
      assert [_before, _after] = String.split(log, "was detached")
      assert capture_log(fn -> assert Vitrine.call(plugin, "echo", "hi") == {:ok, "hi"} end) == ""
    end
  end

  describe "attach/2" do
    defp attach_as!(id) do
      test = self()

      :ok =
        Telemetry.attach(id, fn event, _measurements, _metadata ->
          if self() == test, do: send(test, {id, event})
        end)

      on_exit(fn -> Telemetry.detach(id) end)
    end

    defp flush do
      receive do
        _any -> flush()
      after
        0 -> :ok
      end
    end

    defp called!, do: {:ok, _} = Vitrine.call(new!(wasm("rust_minimal")), "echo")

    test "adds a handler beside the one of attach/1 and the others" do
      attach!()
      attach_as!(:one)
      attach_as!("two")
      called!()
      assert_received {:one, [:vitrine, :call, :stop]}
      assert_received {"two", [:vitrine, :call, :stop]}
      assert Enum.any?(emitted(), &match?({[:vitrine, :call, :stop], _, _}, &1))

      Telemetry.detach()
      :ok = Telemetry.detach(:one)
      plugin = new!(wasm("rust_minimal"))
      flush()
      {:ok, _} = Vitrine.call(plugin, "echo")
      refute_received {:one, _}
      assert_received {"two", [:vitrine, :call, :stop]}
      assert emitted() == []
    end

    test "refuses an id that is taken, and a value that is not a handler" do
      attach_as!(:one)
      assert Telemetry.attach(:one, {__MODULE__, :note}) == {:error, :already_exists}
      assert Telemetry.detach(:other) == {:error, :not_found}
      assert_raise ArgumentError, ~r/telemetry handler/, fn -> Telemetry.attach(:two, nil) end
    end

    test "survives a handler that fails, without it and with the others" do
      attach_as!(:one)
      test = self()
      Telemetry.attach(:broken, fn _, _, _ -> if self() == test, do: raise("broken handler") end)
      attach_as!(:three)
      log = capture_log(fn -> called!() end)
      assert log =~ "the telemetry handler :broken failed"
      assert [_before, _after] = String.split(log, "was detached")
      assert Telemetry.detach(:broken) == {:error, :not_found}
      for id <- [:one, :three], do: assert_received({^id, [:vitrine, :call, :stop]})
    end

    test "detaches a handler once that fails in a thousand processes at the same time, and none waits for another" do
      plugins = for _ <- 1..1_000, do: new!("(module (func (export \"run\")))")
      test = self()

      Telemetry.attach(:failing, fn _event, _measurements, _metadata ->
        # All of them are in it before the first fails.
        send(test, {:in_handler, self()})
        receive do: (:fail -> raise("oops"))
      end)

      log =
        capture_log(fn ->
          options = [timeout: :infinity]
          call = fn plugin -> Task.async(fn -> Vitrine.call(plugin, "run", "", options) end) end
          calls = Enum.map(plugins, call)
          for %{pid: pid} <- calls, do: assert_receive({:in_handler, ^pid})
          for %{pid: pid} <- calls, do: send(pid, :fail)
          assert Enum.all?(Task.await_many(calls, 60_000), &(&1 == {:ok, ""}))
        end)

      assert [_before, _after] = String.split(log, "was detached")
      assert {:error, :not_found} = Telemetry.detach(:failing)
    end

    test "costs nothing once the last handler is gone" do
      attach_as!(:one)
      assert Telemetry.handler() != false
      Telemetry.detach(:one)
      assert Telemetry.handler() == false
    end
  end

  describe "the configured handler" do
    setup do
      on_exit(fn ->
        Application.delete_env(:vitrine, :telemetry_handler)
        Telemetry.detach()
      end)
    end

    defp configure(value) do
      Application.put_env(:vitrine, :telemetry_handler, value)
      Telemetry.detach()
    end

    test "takes events" do
      configure({__MODULE__, :note})
      {:ok, _} = Vitrine.call(new!(wasm("rust_minimal")), "echo")
      assert_received {:noted, [:vitrine, :compile, :stop]}
      assert_received {:noted, [:vitrine, :call, :stop]}
    end

    test "can be absent or invalid" do
      configure(false)
      assert Telemetry.handler() == false
      configure("M.f")
      assert_raise ArgumentError, ~r/telemetry handler/, fn -> Telemetry.handler() end
    end

    test "is looked at when the application starts" do
      configure("M.f")

      assert_raise ArgumentError, ~r/telemetry handler to be a function .*, got: "M.f"/, fn ->
        Vitrine.Application.start(:normal, [])
      end

      for right <- [nil, false, {__MODULE__, :note}, fn _, _, _ -> :ok end] do
        configure(right)
        assert Telemetry.check_handler!() == :ok
      end
    end
  end

  describe "the application :telemetry" do
    # It cannot be a dependency, so this stands in for it: the one function, and being started.
    setup do
      refute Code.ensure_loaded?(:telemetry)

      Code.compile_string("""
      defmodule :telemetry do
        def execute(event, measurements, metadata), do: send(self(), {event, measurements, metadata})
      end
      """)

      :ok =
        :application.load({:application, :telemetry, [vsn: ~c"1", modules: [], registered: []]})

      Telemetry.detach()

      on_exit(fn ->
        capture_log(fn -> Application.stop(:telemetry) end)
        Application.unload(:telemetry)
        :code.purge(:telemetry)
        :code.delete(:telemetry)
        Telemetry.detach()
      end)
    end

    test "gets the events once it is started" do
      plugin = new!(wasm("rust_minimal"))
      {:ok, _} = Vitrine.call(plugin, "echo")
      assert emitted() == []
      :ok = Application.start(:telemetry)
      {:ok, _} = Vitrine.call(plugin, "echo")
      assert [{[:vitrine, :call, :start], _, _}, {[:vitrine, :call, :stop], _, _}] = emitted()
    end

    test "gets the events beside a handler with an id" do
      :ok = Application.start(:telemetry)
      attach_as!(:one)
      {:ok, _} = Vitrine.call(new!(wasm("rust_minimal")), "echo")
      assert_received {:one, [:vitrine, :call, :stop]}
      assert Enum.any?(emitted(), &match?({[:vitrine, :call, :stop], _, _}, &1))
    end

    test "gives way to a handler that is attached" do
      :ok = Application.start(:telemetry)
      Telemetry.attach({__MODULE__, :note})
      {:ok, _} = Vitrine.call(new!(wasm("rust_minimal")), "echo")
      assert emitted() == []
      assert_received {:noted, [:vitrine, :call, :stop]}
    end
  end

  def note(event, %{monotonic_time: _}, %{}), do: send(self(), {:noted, event})
end
