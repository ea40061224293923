defmodule Vitrine.TestTest do
  use ExUnit.Case, async: true

  import Vitrine.Guests
  import Vitrine.Test

  alias Vitrine.{HostFunction, Manifest, Pool, Server}

  doctest Vitrine.Test

  defp new_stub!(functions, options \\ []), do: functions |> stub() |> new!(options)

  describe "stub/2 is a source for" do
    setup do
      # The process that runs the function, and the number of earlier calls in this process.
      count = fn input ->
        calls = Process.get(:calls, 0)
        Process.put(:calls, calls + 1)
        "#{input}, #{calls}, #{inspect(self())}"
      end

      %{stub: stub(%{"count" => count, "other" => fn -> "other" end}), me: inspect(self())}
    end

    test "Vitrine.new/2", %{stub: stub, me: me} do
      plugin = new!(stub)
      assert plugin.name == "stub"
      assert Vitrine.call(plugin, "count", "a") == {:ok, "a, 0, #{me}"}
      assert Vitrine.call(plugin, "count", "b") == {:ok, "b, 1, #{me}"}
      assert Vitrine.call(plugin, "other", "b") == {:ok, "other"}
    end

    test "Vitrine.compile/2, with other options later", %{stub: stub, me: me} do
      {:ok, compiled} = Vitrine.compile(stub, name: "compiled")
      assert Vitrine.run(compiled, "count", "a") == {:ok, "a, 0, #{me}"}
      plugin = new!(compiled, timeout: 1_000, config: %{"a" => "b"})
      assert Vitrine.call(plugin, "count", "b") == {:ok, "b, 1, #{me}"}
    end

    test "a server, and its upgrade", %{stub: stub, me: me} do
      server = start_supervised!({Server, source: stub})
      assert Vitrine.call(server, "count", "a") == {:ok, "a, 0, #{me}"}
      assert Server.upgrade(server, stub(%{"count" => fn -> "new" end})) == :ok
      assert Vitrine.call(server, "count") == {:ok, "new"}
    end

    test "a pool, and its upgrade", %{stub: stub, me: me} do
      pool = start_supervised!({Pool, source: stub, size: 2, min_idle: 1})
      assert Vitrine.call(pool, "count", "a") == {:ok, "a, 0, #{me}"}

      theirs = Task.async(fn -> {Vitrine.call(pool, "count", "b"), inspect(self())} end)
      assert {{:ok, answer}, task} = Task.await(theirs, 60_000)
      assert answer == "b, 0, #{task}"

      assert Pool.upgrade(pool, stub(%{"count" => fn -> "new" end})) == :ok
      assert Vitrine.call(pool, "count") == {:ok, "new"}
    end
  end

  describe "stub/2 beside what an application says of its plugin:" do
    setup do
      %{stub: stub(%{"run" => &String.upcase/1})}
    end

    test "its host functions, also when those are others later", %{stub: stub} do
      theirs = %{"run" => fn _ -> flunk("not the stub's") end, "greet" => & &1}
      plugin = new!(stub, host_functions: theirs)
      assert Vitrine.call(plugin, "run", "a") == {:ok, "A"}

      {:ok, compiled} = Vitrine.compile(stub, host_functions: theirs)
      plugin = new!(compiled, host_functions: %{theirs | "greet" => fn _ -> "" end})
      assert Vitrine.call(plugin, "run", "b") == {:ok, "B"}
    end

    test "its contract", %{stub: stub} do
      requires = [exports: ["run"], imports: [], abi: 1]
      assert Vitrine.call(new!(stub, requires: requires), "run", "a") == {:ok, "A"}

      error = error!(Vitrine.new(stub, requires: [exports: ["walk"]]))
      assert error.reason == :contract
      assert error.message =~ ~s("walk")
    end

    test "options that change its code", %{stub: stub} do
      for option <- [
            [wasi: true],
            [fuel: 100_000],
            [memory_layout: :dense],
            [fuse: false],
            [debug_info: true],
            [memory: [max_pages: 1]],
            [scheduler: :dirty],
            [snapshot: true],
            [snapshot: "run"]
          ] do
        assert Vitrine.call(new!(stub, option), "run", "a") == {:ok, "A"}, inspect(option)
      end
    end

    test "its name", %{stub: stub} do
      assert new!(stub, name: "thumbnails").name == "thumbnails"
      assert new!(stub(%{}, name: "filter")).name == "filter"
    end
  end

  describe "a stub's function" do
    test "gets the context, if it has an argument for it" do
      plugin = new_stub!(%{"run" => fn input, context -> inspect({input, context}) end})
      assert Vitrine.call(plugin, "run", "a", context: :b) == {:ok, ~s({"a", :b})}
      assert Vitrine.call(plugin, "run", "a") == {:ok, ~s({"a", nil})}
    end

    test "can have any name" do
      names = ["", "a", "run-\"it\"", "öffnen\n\\", "\0", "input"]
      plugin = new_stub!(Map.new(names, &{&1, fn -> "this is " <> &1 end}))
      assert Vitrine.functions(plugin) == {:ok, Enum.sort(names)}
      for name <- names, do: assert(Vitrine.call(plugin, name) == {:ok, "this is " <> name})
    end

    test "takes and gives many bytes, iodata and none" do
      bytes = :crypto.strong_rand_bytes(3_000_000)
      plugin = new_stub!(%{"echo" => & &1, "iodata" => &["a", [&1 | "b"]]})
      assert Vitrine.call(plugin, "echo", bytes) == {:ok, bytes}
      assert Vitrine.call(plugin, "echo", "") == {:ok, ""}
      assert Vitrine.call(plugin, "iodata", "-") == {:ok, "a-b"}
    end

    test "has the codec of all, or one of its own" do
      functions = %{
        "add" => fn %{"a" => a, "b" => b} -> a + b end,
        "render" => {fn %{"id" => id} -> "<b>#{id}</b>" end, as: {:json, :string}},
        "raw" => {& &1, []}
      }

      plugin = functions |> stub(as: :json) |> new!()
      assert Vitrine.call(plugin, "add", %{a: 1, b: 2}, as: :json) == {:ok, 3}
      assert Vitrine.call(plugin, "render", ~s({"id": 7})) == {:ok, "<b>7</b>"}
      assert Vitrine.call(plugin, "raw", <<255>>) == {:ok, <<255>>}
    end

    test "is not called with what its codec cannot decode" do
      plugin = new_stub!(%{"run" => {fn _ -> flunk("called") end, as: :json}})
      error = error!(Vitrine.call(plugin, "run", "{"))
      assert {error.reason, error.code} == {:guest_error, 1}
      assert error.message =~ "the input cannot be decoded as :json: EOF"
    end

    test "fails if it returns a value that is not an output" do
      plugin =
        new_stub!(%{"run" => fn -> {:ok, "a"} end, "json" => {fn -> self() end, as: :json}})

      error = error!(Vitrine.call(plugin, "run"))
      assert error.reason == :host_function
      assert error.exception.message =~ ~s(expected a binary or iodata, got: {:ok, "a"})

      error = error!(Vitrine.call(plugin, "json"))
      assert error.reason == :host_function
      assert error.exception.message =~ ~s(cannot be encoded as :json: it is #PID<)
    end

    test "that fails is an error with the original" do
      plugin = new_stub!(%{"raise" => fn -> raise "boom" end, "exit" => fn -> exit(:bye) end})
      error = error!(Vitrine.call(plugin, "raise"))
      assert {error.reason, error.kind} == {:host_function, :error}
      assert error.exception == %RuntimeError{message: "boom"}
      error = error!(Vitrine.call(plugin, "exit"))
      assert {error.reason, error.kind, error.exception} == {:host_function, :exit, :bye}
    end

    test "reports an error" do
      plugin = new_stub!(%{"run" => &{:error, &1}})
      error = error!(Vitrine.call(plugin, "run", "no"))
      assert {error.reason, error.message, error.code} == {:guest_error, "no", 1}
      assert error!(Vitrine.call(plugin, "run", "")).reason == :guest_error
    end

    test "fails as plugins do" do
      plugin = new_stub!(%{"run" => fn reason -> {:fail, String.to_existing_atom(reason)} end})

      for reason <- [:trap, :timeout, :out_of_memory] do
        error = error!(Vitrine.call(plugin, "run", Atom.to_string(reason), timeout: 200))
        assert error.reason == reason
        assert error.backtrace != []
      end

      unknown = error!(Vitrine.call(plugin, "run", "busy"))
      assert unknown.reason == :host_function

      assert unknown.exception.message =~ "one of the reasons :out_of_memory, :timeout, :trap"
    end

    test "that never ends can be cancelled" do
      plugin = new_stub!(%{"run" => fn -> {:fail, :timeout} end})
      call = Task.async(fn -> Vitrine.call(plugin, "run", "", timeout: :infinity) end)
      eventually(fn -> not Vitrine.Native.plugin_idle(plugin.ref) end)
      Vitrine.cancel(plugin)
      assert reason(Task.await(call, 60_000)) == :cancelled
    end
  end

  describe "stub/2 raises" do
    test "for a value that is not a map of functions" do
      for wrong <- [
            [run: & &1],
            %{run: & &1},
            %{"run" => "output"},
            %{"run" => fn _, _, _ -> "" end},
            %{"run" => {"output", as: :json}},
            %{<<255>> => & &1},
            nil
          ] do
        assert_raise ArgumentError, ~r/stub's functions/, fn -> stub(wrong) end
      end
    end

    test "for wrong options and codecs" do
      assert_raise ArgumentError, ~r/unknown option: :ass \(did you mean :as\?/, fn ->
        stub(%{}, ass: :json)
      end

      assert_raise ArgumentError, ~r/a codec: .* got: :yaml/, fn ->
        stub(%{"run" => & &1}, as: :yaml)
      end

      assert_raise ArgumentError, ~r/unknown option: :timeout/, fn ->
        stub(%{"run" => {& &1, timeout: 1}})
      end
    end
  end

  test "a stub's manifest with host functions can be read again unchanged" do
    stub = stub(%{"run" => & &1})
    assert Manifest.new(stub) == {:ok, stub}
    refute is_map_key(Manifest.to_map(stub), "host_functions")
    assert reason(Manifest.new(%{wasm: stub.wasm, host_functions: []})) == :manifest
  end

  describe "call_host_function/4" do
    test "calls a function in this process, with the context" do
      functions = %{"whoami" => fn _, context -> inspect({self(), context}) end}
      answer = inspect({self(), :me})

      assert call_host_function(functions, "whoami", [""], context: :me) == {:ok, answer}
    end

    test "passes and gives what types say" do
      kinds = [:i32, :i64, :f32, :f64, :binary, :json]
      id = HostFunction.new("id", kinds, kinds, fn a, b, c, d, e, f -> [a, b, c, d, e, f] end)
      args = [-1, 0x7FFF_FFFF_FFFF_FFFF, 0.5, :infinity, "bytes", %{"a" => [1, nil]}]
      assert call_host_function([id], "id", args) == {:ok, args}

      none = HostFunction.new("none", [], nil, fn -> send(self(), :called) end, namespace: "env")
      assert call_host_function([none], "none", [], namespace: "env") == {:ok, nil}
      assert_received :called
    end

    test "expects as many results as it is told of a function without types" do
      functions = %{"f" => fn _ -> :ok end, "two" => fn -> ["a", "b"] end}
      assert call_host_function(functions, "f", ["x"], results: 0) == {:ok, nil}
      assert reason(call_host_function(functions, "f", ["x"])) == :host_function
      assert call_host_function(functions, "two", [], results: 2) == {:ok, ["a", "b"]}
    end

    test "answers with the errors that a plugin's caller gets" do
      functions = %{
        "refuse" => fn _ -> {:error, "no"} end,
        "raise" => fn _ -> raise "boom" end,
        "wrong" => fn _ -> %{} end,
        "slow" => fn _ -> Process.sleep(50) && "" end
      }

      assert error!(call_host_function(functions, "refuse", [""])).message == "no"
      assert reason(call_host_function(functions, "refuse", [""])) == :guest_error
      assert error!(call_host_function(functions, "raise", [""])).exception.message == "boom"
      assert reason(call_host_function(functions, "wrong", [""])) == :host_function
      assert reason(call_host_function(functions, "slow", [""], timeout: 10)) == :timeout
    end

    test "cannot call what a plugin could not import" do
      functions = %{"greet" => & &1}
      error = error!(call_host_function(functions, "great", [""]))
      assert error.reason == :link
      assert error.message =~ ~S|"extism:host/user"."great" is unknown; did you mean "greet"?|
      assert reason(call_host_function(functions, "greet", [""], namespace: "env")) == :link
      assert reason(call_host_function(functions, "greet", ["", "", ""])) == :link
    end

    test "raises for arguments that are not of the declared types" do
      add = HostFunction.new("add", [:i64, :i64], :i64, fn a, b -> a + b end)

      for wrong <- [[1], [1, 2, 3], [1, "2"], []] do
        assert_raise ArgumentError, ~r/of the types \[:i64, :i64\] for .*"add", got: /, fn ->
          call_host_function([add], "add", wrong)
        end
      end

      for {name, args} <- [{:f, [""]}, {"f", ""}] do
        assert_raise ArgumentError, ~r/expected the name of a host function and a list of/, fn ->
          call_host_function(%{"f" => & &1}, name, args)
        end
      end

      for results <- [nil, -1] do
        assert_raise ArgumentError, ~r/expected :results to be an integer from 0 to 1000/, fn ->
          call_host_function(%{"f" => & &1}, "f", [""], results: results)
        end
      end

      assert_raise ArgumentError, ~r/for the host function "f", got: \[1\]/, fn ->
        call_host_function(%{"f" => & &1}, "f", [1])
      end
    end
  end
end
