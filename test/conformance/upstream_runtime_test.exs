defmodule Vitrine.Conformance.UpstreamRuntimeTest do
  # The tests of the reference host's runtime and of its SDKs, restated with plugins of our own.
  # Linking, WASI, fuel and memory, HTTP and manifests have test files of their own.
  use ExUnit.Case, async: true

  @moduletag :fusing

  import ExUnit.CaptureLog
  import Vitrine.Guests

  alias Vitrine.HostFunction

  describe "runtime.rs" do
    test "it_works: of two host functions of one name the namespace decides" do
      test = self()

      tell = fn where ->
        fn arg ->
          send(test, {where, arg})
          "hello " <> arg
        end
      end

      functions = [
        HostFunction.new("greet", [:binary], :binary, tell.(:user)),
        HostFunction.new("greet", [:binary], :binary, tell.(:test), namespace: "test")
      ]

      plugin = guest!("rust", host_functions: functions)

      for _ <- 1..100 do
        assert Vitrine.call(plugin, "greet", "you") == {:ok, "hello you"}
        assert_received {:user, "you"}
        refute_received {:test, _}
      end
    end

    test "plugin_threads: processes share a plugin through its server" do
      server =
        start_supervised!({Vitrine.Server, source: wasm("c"), host_functions: host_functions()})

      totals =
        1..3
        |> Enum.map(fn _ ->
          Task.async(fn ->
            for _ <- 1..10 do
              {:ok, json} = Vitrine.call(server, "count_vowels", "this is a test aaa")
              assert json =~ ~s("count":7)
              [_, total] = Regex.run(~r/"total":(\d+)/, json)
              String.to_integer(total)
            end
          end)
        end)
        |> Task.await_many(60_000)

      assert totals |> List.flatten() |> Enum.sort() == Enum.map(1..30, &(7 * &1))
    end

    test "cancel: five times, from another process" do
      plugin = new!(wat("spin"))

      for _ <- 1..5 do
        task = Task.async(fn -> Vitrine.call(plugin, "spin", "", timeout: :infinity) end)
        eventually(fn -> not Vitrine.Native.plugin_idle(plugin.ref) end)
        Vitrine.cancel(plugin)
        assert reason(Task.await(task, 60_000)) == :cancelled
      end
    end

    # Seconds, but much longer on a machine that has other things to do.
    @tag timeout: 300_000
    test "multiple_instantiations: ten thousand instances, one after the other" do
      plugin = new!(wat("globals"))

      for _ <- 1..10_001 do
        assert Vitrine.call(plugin, "counter") == {:ok, "1"}
        :ok = Vitrine.reset(plugin)
      end
    end

    test "globals: a hundred thousand calls of one instance" do
      plugin = new!(wat("globals"))
      for n <- 1..100_000, do: assert(Vitrine.call(plugin, "counter") == {:ok, "#{n}"})
    end

    test "call_with_host_context: a host function finds what the call gave" do
      reflect = HostFunction.new("host_reflect", [:binary], :binary, fn _, message -> message end)
      plugin = new!(wat("reflect"), host_functions: [reflect])

      for message <- ["one", "two"] do
        assert Vitrine.call(plugin, "reflect", "x", context: message) == {:ok, message}
      end
    end

    test "fuzz_reflect: bytes of any length go there and back" do
      plugin = new!(wat("reflect"), host_functions: %{"host_reflect" => & &1})
      all = :crypto.strong_rand_bytes(65_539)

      for length <- Enum.concat([1..300, Enum.take_every(301..65_000, 97), 65_000..65_539]) do
        bytes = binary_part(all, 0, length)
        assert Vitrine.call(plugin, "reflect", bytes) == {:ok, bytes}
      end
    end

    test "extism_error: the text that a host function sets is the error" do
      plugin =
        new!(wat("reflect"), host_functions: %{"host_reflect" => fn _ -> {:error, "TEST"} end})

      error = error!(Vitrine.call(plugin, "reflect", "x"))
      assert {error.reason, error.message} == {:guest_error, "TEST"}
    end

    test "userdata: a host function writes what it was given" do
      path = Path.join(System.tmp_dir!(), "vitrine-#{System.unique_integer([:positive])}")
      on_exit(fn -> File.rm(path) end)

      write = fn bytes ->
        File.write!(path, bytes)
        bytes
      end

      plugin = new!(wat("reflect"), host_functions: %{"host_reflect" => write})
      assert {:ok, output} = Vitrine.call(plugin, "reflect", "kept")
      assert File.read!(path) == output
    end

    test "manifest_ptr_len: an address is refused" do
      error = error!(Vitrine.new(%{wasm: [%{data: %{ptr: 1, len: 2}}]}))
      assert error.reason == :manifest
      assert error.message =~ "address"
    end

    test "no_vars: with a limit of 1 byte variables can only be deleted" do
      plugin = guest!("rust", memory: [max_var_bytes: 1])
      assert {:error, _} = Vitrine.call(plugin, "var_set", "key=" <> String.duplicate("x", 1024))
      assert {:ok, _} = Vitrine.call(plugin, "var_delete", "key")
    end

    test "var limit: the size of keys, values and entries counts" do
      plugin = guest!("rust", memory: [max_var_bytes: 100])
      assert {:ok, _} = Vitrine.call(plugin, "var_set", "k=" <> String.duplicate("x", 51))
      error = error!(Vitrine.call(plugin, "var_set", "k=" <> String.duplicate("x", 52)))
      assert error.message =~ "Variable store is full"
    end

    test "disabled variables cannot even be deleted" do
      plugin = guest!("rust", memory: [max_var_bytes: 0])
      assert error!(Vitrine.call(plugin, "var_delete", "k")).message =~ "Vars are disabled"
    end
  end

  describe "issues.rs" do
    test "620: an empty output is a success" do
      assert Vitrine.call(
               new!(~S|(module (func (export "test") (result i32) (i32.const 0)))|),
               "test"
             ) ==
               {:ok, ""}
    end

    test "775: a trap is not a success" do
      assert reason(Vitrine.call(new!(wat("traps")), "unreachable")) == :trap
    end
  end

  describe "python-sdk" do
    test "vowels are counted, in text of any script" do
      plugin = new!(wat("vowels"))

      for {text, count} <- [
            {"this is a test", 4},
            {"this is a test again", 7},
            {"this is a test thrice", 6},
            {"🌎hello🌎world🌎", 3}
          ] do
        assert Vitrine.call(plugin, "count_vowels", text) == {:ok, ~s({"count":#{count}})}
      end
    end

    test "unknown functions and bad manifests are errors" do
      assert reason(Vitrine.call(new!(wat("vowels")), "nothing")) == :function_not_found
      assert reason(Vitrine.new(%{wasm: [%{path: wat("vowels")}], nothing: 1})) == :manifest
      assert reason(Vitrine.new(%{wasm: []})) == :manifest
    end

    test "the timeout of the manifest is kept" do
      plugin = new!(%{wasm: [%{path: wat("spin")}], timeout_ms: 1_000})
      {time, result} = :timer.tc(fn -> Vitrine.call(plugin, "spin") end)
      assert reason(result) == :timeout
      assert time >= 1_000_000
    end
  end

  describe "js-sdk" do
    test "log levels are filtered, by the plugin's own too" do
      plugin = guest!("rust", log_level: :warning)
      log = capture_log(fn -> assert {:ok, _} = Vitrine.call(plugin, "log_all", "line") end)
      assert length(String.split(log, "line")) == 3
      assert Vitrine.call(plugin, "log_level") == {:ok, "3"}
      silent = guest!("rust", log_level: :off)

      assert Vitrine.OwnLog.lines(fn -> assert {:ok, _} = Vitrine.call(silent, "log_all", "x") end) ==
               []

      assert Vitrine.call(silent, "log_level") == {:ok, "2147483647"}
    end

    test "what a host function raises reaches the caller" do
      plugin =
        new!(wat("reflect"), host_functions: %{"host_reflect" => fn _ -> raise "oh no" end})

      error = error!(Vitrine.call(plugin, "reflect", "x"))
      assert error.reason == :host_function
      assert error.exception == %RuntimeError{message: "oh no"}
      assert Exception.message(error) =~ "oh no"
    end

    test "Haskell's runtime is started once for each instance" do
      plugin = new!(wat("haskell"))
      for _ <- 1..2, do: assert(Vitrine.call(plugin, "value") == {:ok, "12"})
      assert Vitrine.reset(plugin) == :ok
      assert Vitrine.call(plugin, "value") == {:ok, "12"}
    end

    test "hashes are checked" do
      bytes = File.read!(wat("vowels"))
      hash = Base.encode16(:crypto.hash(:sha256, bytes), case: :lower)
      assert {:ok, _} = Vitrine.new(%{wasm: [%{path: wat("vowels"), hash: hash}]})
      wrong = String.duplicate("0", 64)
      error = error!(Vitrine.new(%{wasm: [%{path: wat("vowels"), hash: wrong}]}))

      assert {error.reason, error.message =~ hash, error.message =~ wrong} ==
               {:manifest, true, true}

      assert reason(Vitrine.new(%{wasm: [%{path: wat("vowels"), hash: "abc"}]})) == :manifest
    end
  end
end
