defmodule VitrineTest do
  use ExUnit.Case, async: true
  doctest Vitrine

  @moduletag :fusing

  import Vitrine.Guests

  @languages ~w(rust c zig assemblyscript)

  describe "new/2" do
    test "takes a path, bytes, text, a map with string or atom keys, JSON and a manifest struct" do
      path = wasm("rust_minimal")
      bytes = File.read!(path)
      {:ok, manifest} = Vitrine.Manifest.new(%{wasm: [%{data: bytes}]})

      sources = [
        path,
        bytes,
        %{wasm: [%{path: path}]},
        %{"wasm" => [%{"data" => bytes}]},
        %{"wasm" => [%{"data" => Base.encode64(bytes)}]},
        ~s({"wasm": [{"data": "#{Base.encode64(bytes)}"}]}),
        manifest
      ]

      for source <- sources do
        assert Vitrine.call(new!(source), "echo", "hi") == {:ok, "hi"}
      end

      assert Vitrine.call(new!(File.read!(wat("globals"))), "counter") == {:ok, "1"}
      assert Vitrine.call(new!(wat("globals")), "counter") == {:ok, "1"}
    end

    @tag :tmp_dir
    test "takes a file that holds a manifest", %{tmp_dir: dir} do
      path = Path.join(dir, "plugin.json")
      File.write!(path, ~s({"wasm": [{"path": "#{wasm("rust_minimal")}"}]}))
      assert Vitrine.call(new!(path), "echo", "hi") == {:ok, "hi"}
    end

    test "names the plugin as told, else after the manifest, the file or the hash" do
      wat = File.read!(wat("spin"))
      assert new!(wat("spin"), name: "mine").name == "mine"
      assert new!(wat("spin")).name == "spin"
      assert new!(%{wasm: [%{data: wat, name: "other"}]}).name == "other"
      hash = Base.encode16(:crypto.hash(:sha256, wat), case: :lower)
      assert new!(wat).name == String.slice(hash, 0, 12)
    end

    test "raises for options that are wrong, and says what would be right" do
      for {options, expected} <- [
            {[colour: :red], "unknown option: :colour. The options are :allowed_hosts, "},
            {[wasi: :maybe], "true, false or a keyword list"},
            {[scheduler: :fast], ":auto or :dirty"},
            {[on_trap: :cry], ":reset or :keep"},
            {[timeout: -1], "milliseconds"},
            {[timeout: "5s"], "milliseconds"},
            {[timeout: 0x1_0000_0000], "from 0 to 4294967295"},
            {[name: 1], "a string"},
            {[name: ""], "a string"},
            {[name: <<255>>], "a string"},
            {[coredump: ""], "the path of a file"},
            {[config: [1]], "a map"},
            {[config: [token: "secret"]], "got: a keyword list with the keys [:token]"},
            {[config: %URI{}], "got: a struct, %URI{}"},
            {[config: %{"a" => 1}], "config.a must be a string, got: 1"},
            {[config: %{"a" => nil}], "config.a must be a string, got: nil"},
            {[config: %{"a" => [8364]}], "config.a must be a string"},
            {[config: %{"a" => <<255>>}], "config.a must be a string"},
            {[config: %{1 => "a"}], "must have strings as keys, got: 1"},
            {[limits: %{output_bytes: 1}], ":limits to be a keyword list, got: a map"},
            {[limits: [output: 1]],
             "unknown option of :limits: :output (did you mean :output_bytes?)"},
            {[wasi: [enviroment: "secret"]], "unknown option of :wasi: :enviroment"},
            {[memory: 256], ":memory to be a map or a keyword list of limits, got: 256"},
            {[memory: [max_page: 1]],
             "unknown option of :memory: :max_page (did you mean :max_pages?)"},
            {[limits: nil], ":limits to be a keyword list, got: nil"},
            {[limits: [output_bytes: 2 ** 64]], "from 0 to 18446744073709551615"},
            {[allowed_hosts: ["a" | "b"]], ":allowed_hosts to be a list"},
            {[host_functions: :none], "a map of functions"},
            {[host_functions: [{"greet", & &1} | :none]], "a map of functions"},
            {[host_functions: %{greet: & &1}], "map strings to functions"},
            {[host_functions: %{<<255>> => & &1}], "map strings to functions"},
            {[host_functions: %{"greet" => "hello"}], "map strings to functions"},
            {%{name: "secret"},
             "the options to be a keyword list, got: a map with the keys [:name]"},
            {nil, "the options to be a keyword list, got: nil"},
            {[:name], "the options to be a keyword list, got: a list with :name in it"},
            {[{"name", "secret"}], "a list with the key \"name\" in it"},
            {[{:name, 1} | :end], "an improper list"}
          ] do
        error = assert_raise ArgumentError, fn -> Vitrine.new(wat("spin"), options) end
        assert error.message =~ expected
        refute error.message =~ "secret"
      end
    end

    test "compiles a module that many processes want at the same time for all of them" do
      bytes = File.read!(wasm("rust_minimal"))

      results =
        1..20
        |> Enum.map(fn n -> Task.async(fn -> Vitrine.call(new!(bytes), "echo", "#{n}") end) end)
        |> Task.await_many(60_000)

      assert results == for(n <- 1..20, do: {:ok, "#{n}"})
    end
  end

  describe "call/4 with plugins of every language" do
    for language <- @languages do
      test "#{language}: bytes come back as they went, whatever they are" do
        plugin = guest!(unquote(language))

        for size <- [0, 1, 7, 8, 9, 15, 64, 1_000, 4_096, 65_535, 65_536, 65_537, 300_000] do
          bytes = :crypto.strong_rand_bytes(size)
          assert Vitrine.call(plugin, "echo", bytes) == {:ok, bytes}
        end
      end

      test "#{language}: text is read and JSON written" do
        plugin = guest!(unquote(language))
        assert {:ok, json} = Vitrine.call(plugin, "count_vowels", "hello world")
        assert json =~ ~r/"count":\s*3/
      end

      test "#{language}: a host function is called" do
        plugin = guest!(unquote(language))
        assert Vitrine.call(plugin, "greet", "Joe") == {:ok, "hello Joe"}
      end

      test "#{language}: an instance keeps its state from call to call" do
        plugin = guest!(unquote(language))
        assert for(_ <- 1..3, do: Vitrine.call!(plugin, "counter")) == ["1", "2", "3"]
      end

      test "#{language}: an error of the plugin is an error with its text" do
        error = unquote(language) |> guest!() |> Vitrine.call("fail", "no luck") |> error!()
        assert error.reason == :guest_error
        assert error.message =~ "no luck"
        assert error.function == "fail"
        assert error.plugin == unquote(language)
      end
    end

    test "many calls in a row use no more memory" do
      plugin = guest!("rust")
      for _ <- 1..2_000, do: Vitrine.call!(plugin, "echo", :binary.copy("x", 10_000))
      assert Vitrine.call!(plugin, "echo", "still well") == "still well"
    end
  end

  describe "a value that is not a source" do
    test "is an error that says what a source is" do
      for {wrong, reason, message} <- [
            {nil, :manifest,
             "a source is a path, a module's bytes or text, {:module, bytes}, a manifest or a compiled plugin, got: nil"},
            {guest!("rust_minimal"), :manifest,
             "or a compiled plugin, got: #Vitrine.Plugin<rust_minimal>"},
            {{:ok, "bytes"}, :manifest, ~s(got: {:ok, "bytes"}: match on {:ok, source} first)},
            {"(func)", :file,
             ~s|no such file or directory. WebAssembly's text begins with (module|},
            {Base.encode64(<<0, "asm", 1, 0, 0, 0>>), :file,
             "It is a module in base64: decode it first, with Base.decode64!/1"},
            {"https://example.com/p", :file,
             ~s|by a manifest: %{wasm: [%{url: "https://example.com/p"}]}|}
          ] do
        error = error!(Vitrine.new(wrong))
        assert error.reason == reason
        assert error.message =~ message
        assert error!(Vitrine.new(wrong, name: "filter")).plugin == "filter"
      end
    end

    @tag :tmp_dir
    test "that is a component is explained", %{tmp_dir: directory} do
      path = Path.join(directory, "new.wasm")
      File.write!(path, <<0, "asm", 0x0D, 0, 1, 0>>)
      error = error!(Vitrine.new(path))
      assert {error.reason, error.plugin} == {:compile, "new"}
      assert error.message =~ "build a core module"
      assert error!(Vitrine.new(path, name: MyApp.Filter)).plugin == "MyApp.Filter"
    end

    @tag :tmp_dir
    test "that is a wrong manifest names the file", %{tmp_dir: directory} do
      path = Path.join(directory, "plugin.json")

      for {text, message} <- [
            {~s({"wasm": [{"path": "p.wasm"}], "tiemout_ms": 1}),
             ~s(has the unknown key "tiemout_ms")},
            {~s({"wasm": ), "the manifest is not valid JSON: EOF"}
          ] do
        File.write!(path, text)
        error = error!(Vitrine.new(path))
        assert error.reason == :manifest
        assert String.starts_with?(error.message, "the file #{inspect(path)}: ")
        assert error.message =~ message
      end
    end
  end

  describe "new!/2" do
    test "raises the error" do
      assert_raise Vitrine.Error, ~r/the file "missing.wasm"/, fn ->
        Vitrine.new!("missing.wasm")
      end
    end
  end

  describe "a value that is not a plugin, server or pool" do
    setup do
      {:ok, plugin: guest!("rust_minimal"), compiled: Vitrine.compile!(wasm("rust_minimal"))}
    end

    test "raises wherever one is taken", %{plugin: plugin} do
      for function <- [
            &Vitrine.call(&1, "echo"),
            &Vitrine.call(&1, "echo", "", timeout: 10),
            &Vitrine.call!(&1, "echo"),
            &Vitrine.trace(&1, "echo"),
            &Vitrine.stats/1,
            &Vitrine.functions/1,
            &Vitrine.function_exists?(&1, "echo"),
            &Vitrine.cancel/1,
            &Vitrine.reset/1,
            &Vitrine.vars/1,
            &Vitrine.put_vars(&1, %{}),
            &Vitrine.put_config(&1, %{}),
            &Vitrine.take_printed/1,
            &Vitrine.fuel_used/1,
            &Vitrine.close/1
          ],
          wrong <- [{:ok, plugin}, nil, true, "game", 1, [], %{}, make_ref()] do
        assert_raise ArgumentError, ~r/expected a plugin, a server or a pool, got: /, fn ->
          function.(wrong)
        end
      end
    end

    test "raises with advice", %{plugin: plugin, compiled: compiled} do
      for {wrong, advice} <- [
            {{:ok, plugin}, "match on {:ok, plugin} first"},
            {{:ok, compiled}, "match on {:ok, compiled} first, and use Vitrine.run/4"},
            {compiled, "use Vitrine.run/4, or make a plugin of it by Vitrine.new/2"},
            {Vitrine.Manifest.from_path("p"), "Vitrine.new/2 makes a plugin of a source"},
            {"game.wasm", "Vitrine.new/2 makes a plugin of a source"}
          ] do
        error = assert_raise ArgumentError, fn -> Vitrine.call(wrong, "echo") end
        assert String.ends_with?(error.message, ": " <> advice)
      end
    end
  end

  describe "call/4" do
    test "takes iodata as input, and nothing else" do
      plugin = guest!("rust_minimal")
      assert Vitrine.call(plugin, "echo", ["a", ?b, ["c"]]) == {:ok, "abc"}
      assert_raise ArgumentError, fn -> Vitrine.call(plugin, "echo", "", timeout: 1.5) end

      for wrong <- [%{}, nil, :atom, [256], ["a" | :b]], options <- [[], [context: 1]] do
        assert_raise ArgumentError, ~r/the input to be a binary or iodata, got: .* codec/, fn ->
          Vitrine.call(plugin, "echo", wrong, options)
        end
      end
    end

    test "says so if the input was forgotten" do
      plugin = guest!("rust_minimal")
      server = start_supervised!({Vitrine.Server, source: wasm("rust_minimal")})

      for callable <- [plugin, server] do
        assert_raise ArgumentError, ~r/got: \[timeout: 100\]: options come after the input/, fn ->
          Vitrine.call(callable, "echo", timeout: 100)
        end
      end
    end

    test "takes the name of a function as a string only" do
      plugin = guest!("rust_minimal")

      for wrong <- [:echo, ~c"echo", nil], options <- [[], [timeout: 10]] do
        assert_raise ArgumentError, ~r/the name of a function .*, a string, got: /, fn ->
          Vitrine.call(plugin, wrong, "", options)
        end
      end

      assert_raise ArgumentError, ~r/name of a function/, fn ->
        Vitrine.function_exists?(plugin, :echo)
      end
    end

    test "takes options as a keyword list only" do
      plugin = guest!("rust_minimal")

      for wrong <- [%{timeout: 1}, 100, [:timeout]] do
        assert_raise ArgumentError, ~r/the options to be a keyword list, got: /, fn ->
          Vitrine.call(plugin, "echo", "", wrong)
        end
      end
    end

    test "says which options there are, and shows none that were given" do
      plugin = guest!("rust_minimal")
      server = start_supervised!({Vitrine.Server, source: wasm("rust_minimal")})
      pool = start_supervised!({Vitrine.Pool, source: wasm("rust_minimal")})
      compiled = Vitrine.compile!(wasm("rust_minimal"))
      wrong = [tiemout: 1, context: "secret"]

      for call <- [
            fn -> Vitrine.call(plugin, "echo", "", wrong) end,
            fn -> Vitrine.call(server, "echo", "", wrong) end,
            fn -> Vitrine.call(pool, "echo", "", [as: :raw] ++ wrong) end,
            fn -> Vitrine.run(compiled, "echo", "", wrong) end,
            fn -> Vitrine.trace(plugin, "echo", "", wrong) end
          ] do
        error = assert_raise ArgumentError, call

        assert error.message ==
                 "unknown option: :tiemout (did you mean :timeout?). The options are :as, :context, " <>
                   ":stdin, :timeout, :trace"
      end
    end

    test "raises for an invalid timeout" do
      plugin = guest!("rust_minimal")
      server = start_supervised!({Vitrine.Server, source: wasm("rust_minimal")})
      pool = start_supervised!({Vitrine.Pool, source: wasm("rust_minimal")})

      for callable <- [plugin, server, pool], wrong <- [-1, 1.5, nil, "5", 0x1_0000_0000] do
        assert_raise ArgumentError,
                     ~r/:timeout to be milliseconds, .*, got: #{inspect(wrong)}/,
                     fn ->
                       Vitrine.call(callable, "echo", "", timeout: wrong)
                     end
      end
    end

    @tag :slow
    test "passes a hundred megabytes in and out" do
      bytes = :binary.copy("0123456789", 10_000_000)
      assert {:ok, out} = Vitrine.call(new!(echo()), "echo", bytes)
      assert out == bytes
    end

    test "turns return codes into errors" do
      plugin = new!(wat("rc"))
      assert Vitrine.call(plugin, "rc_0") == {:ok, ""}
      assert Vitrine.call(plugin, "no_result") == {:ok, ""}

      for {function, code} <- [{"rc_1", 1}, {"rc_42", 42}, {"rc_minus_1", -1}] do
        error = error!(Vitrine.call(plugin, function))
        assert {error.reason, error.code} == {:guest_error, code}
      end
    end

    test "fails if the plugin set an error, whatever the return code" do
      error = error!(Vitrine.call(new!(wat("error_and_rc0")), "error_and_rc0"))
      assert {error.reason, error.code} == {:guest_error, 0}
      assert error.message != ""
    end

    test "keeps the text of an error that the plugin set before it trapped" do
      error = error!(Vitrine.call(new!(wat("error_then_trap")), "error_then_trap"))
      assert error.reason == :trap
      assert error.trap =~ "unreachable"
      refute error.message == error.trap
    end

    test "refuses an export that is not a plugin function" do
      plugin = new!(wat("rc"))

      for {function, why} <- [
            {"missing", "has no function"},
            {"takes_params", "parameter"},
            {"two_results", "2 results"},
            {"i64_result",
             ~s(the function "i64_result" has the result i64; a plugin function has no parameters)},
            {<<255, 254>>, "has no function"}
          ] do
        error = error!(Vitrine.call(plugin, function))
        assert error.reason == :function_not_found
        assert error.message =~ why
      end
    end

    test "ends at its timeout, and the next call works" do
      plugin = guest!("rust")
      assert reason(Vitrine.call(plugin, "spin", "", timeout: 50)) == :timeout
      assert reason(Vitrine.call(plugin, "spin", "", timeout: 0)) == :timeout
      assert Vitrine.call(plugin, "echo", "hi") == {:ok, "hi"}
    end

    test "takes the timeout of the plugin, of the manifest, or its own" do
      spin = File.read!(wat("spin"))
      assert reason(Vitrine.call(new!(spin, timeout: 20), "spin")) == :timeout
      manifest = %{wasm: [%{data: spin}], timeout_ms: 20}
      assert reason(Vitrine.call(new!(manifest), "spin")) == :timeout
      assert reason(Vitrine.call(new!(spin), "spin", "", timeout: 20)) == :timeout
    end

    test "is refused with :busy while another process calls, at once" do
      plugin = guest!("rust")
      caller = running!(plugin, "spin")
      assert reason(Vitrine.call(plugin, "echo", "x")) == :busy
      assert reason(Vitrine.reset(plugin)) == :busy
      Process.exit(caller, :kill)
      eventually(fn -> Vitrine.call(plugin, "echo", "x") == {:ok, "x"} end)
    end

    test "leaves no message in the caller's mailbox" do
      plugin = guest!("c_wasi", wasi: true)
      for timeout <- [1, 5, 1_000], do: Vitrine.call(plugin, "sleep_ms", "5", timeout: timeout)
      refute_receive _, 50
    end
  end

  describe "call!/4" do
    test "raises the error" do
      plugin = guest!("rust")

      assert_raise Vitrine.Error, ~r/plugin "rust", function "fail": no luck/, fn ->
        Vitrine.call!(plugin, "fail", "no luck")
      end
    end
  end

  describe "cancel/1" do
    test "does nothing without a call" do
      plugin = guest!("rust")
      assert Vitrine.cancel(plugin) == :ok
      assert Vitrine.call(plugin, "echo", "hi") == {:ok, "hi"}
    end

    test "stops one instance and none of its siblings" do
      plugins = for _ <- 1..3, do: guest!("rust")
      options = [timeout: :infinity]
      calls = for p <- plugins, do: Task.async(fn -> Vitrine.call(p, "spin", "", options) end)
      Enum.each(plugins, &in_call!/1)
      Vitrine.cancel(hd(plugins))
      assert reason(Task.await(hd(calls), 60_000)) == :cancelled
      Process.sleep(50)
      assert Enum.map(tl(calls), &Task.yield(&1, 0)) == [nil, nil]
      for call <- tl(calls), do: Task.shutdown(call, :brutal_kill)
    end

    test "stops a plugin that sleeps" do
      plugin = guest!("c_wasi", wasi: true)
      call = Task.async(fn -> Vitrine.call(plugin, "sleep_ms", "60000", timeout: :infinity) end)
      in_call!(plugin)
      Vitrine.cancel(plugin)
      assert reason(Task.await(call, 60_000)) == :cancelled
    end
  end

  describe "reset/1" do
    test "makes the next call begin anew, with the variables kept" do
      plugin = guest!("rust")
      assert Vitrine.call!(plugin, "counter") == "1"
      Vitrine.call!(plugin, "var_set", "k=v")
      assert Vitrine.reset(plugin) == :ok
      assert Vitrine.call!(plugin, "counter") == "1"
      assert Vitrine.call!(plugin, "var_get", "k") == "v"
    end
  end

  describe "close/1" do
    test "ends the plugin for everybody, a running call included" do
      plugin = guest!("rust")
      call = Task.async(fn -> Vitrine.call(plugin, "spin", "", timeout: :infinity) end)
      in_call!(plugin)
      assert Vitrine.close(plugin) == :ok
      assert reason(Task.await(call, 60_000)) == :cancelled
      assert reason(Vitrine.call(plugin, "echo")) == :closed
      assert reason(Vitrine.reset(plugin)) == :closed
      assert Vitrine.close(plugin) == :ok
    end

    test "leaves variables and statistics to be read, and nothing to be changed" do
      plugin = guest!("rust")
      :ok = Vitrine.put_vars(plugin, %{"k" => "v"})
      :ok = Vitrine.close(plugin)
      assert reason(Vitrine.put_vars(plugin, %{"k" => "other"})) == :closed
      assert reason(Vitrine.put_config(plugin, %{"k" => "other"})) == :closed
      assert Vitrine.vars(plugin) == %{"k" => "v"}
      assert Vitrine.stats(plugin).calls == 0
    end
  end

  describe "function_exists?/2" do
    test "tells plugin functions and other exports apart" do
      plugin = new!(wat("rc"))
      existing = ~w(rc_0 no_result)
      others = ~w(missing takes_params two_results i64_result)
      assert Enum.all?(existing, &Vitrine.function_exists?(plugin, &1))
      refute Enum.any?(others, &Vitrine.function_exists?(plugin, &1))
    end
  end

  describe "functions/1" do
    test "of a server or pool that is not there is :closed" do
      assert reason(Vitrine.functions(:nobody)) == :closed
    end

    test "are the names of plugin functions, in order, of whatever has some" do
      names = ~w(no_result rc_0 rc_1 rc_42 rc_minus_1)
      server = start_supervised!({Vitrine.Server, source: wat("rc")})
      pool = start_supervised!({Vitrine.Pool, source: wat("rc")})

      for callable <- [new!(wat("rc")), Vitrine.compile!(wat("rc")), server, pool] do
        assert Vitrine.functions(callable) == {:ok, names}
      end

      :ok = Vitrine.Server.upgrade(server, ~S|(module (func (export "new")))|)
      assert Vitrine.functions(server) == {:ok, ["new"]}
    end
  end

  # Hands the input back as the output, without a copy by the guest.
  defp echo do
    ~S"""
    (module
      (import "extism:host/env" "input_offset" (func $input (result i64)))
      (import "extism:host/env" "input_length" (func $length (result i64)))
      (import "extism:host/env" "output_set" (func $output (param i64 i64)))
      (func (export "echo") (call $output (call $input) (call $length))))
    """
  end
end
