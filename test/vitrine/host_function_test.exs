defmodule Vitrine.HostFunctionTest do
  use ExUnit.Case, async: true
  doctest Vitrine.HostFunction

  @moduletag :fusing

  import Vitrine.Guests

  alias Vitrine.HostFunction

  defp greeter(function, options \\ []) do
    guest!("rust", [host_functions: %{"greet" => function}] ++ options)
  end

  describe "a host function" do
    test "runs in the process that calls the plugin" do
      plugin = greeter(fn _ -> inspect(self()) end)
      assert Vitrine.call(plugin, "greet", "") == {:ok, inspect(self())}
      task = Task.async(fn -> {inspect(self()), Vitrine.call!(plugin, "greet", "")} end)
      {pid, seen} = Task.await(task, 60_000)
      assert pid == seen
    end

    test "sees the caller's process dictionary, and may send and receive" do
      plugin =
        greeter(fn name ->
          send(self(), {:name, name})

          receive do
            {:name, name} -> Process.get(:greeting) <> name
          end
        end)

      Process.put(:greeting, "good morning ")
      assert Vitrine.call(plugin, "greet", "Joe") == {:ok, "good morning Joe"}
    end

    test "receives the context of the call as one more argument" do
      plugin = greeter(fn name, context -> "#{name} of #{inspect(context)}" end)
      assert Vitrine.call!(plugin, "greet", "Joe", context: {:team, 1}) == "Joe of {:team, 1}"
      assert Vitrine.call!(plugin, "greet", "Joe") == "Joe of nil"
    end

    test "may call other plugins, ten levels deep" do
      bottom = greeter(fn name -> "bottom " <> name end)

      top =
        Enum.reduce(1..10, bottom, fn level, below ->
          greeter(fn name -> "#{level} " <> Vitrine.call!(below, "greet", name) end)
        end)

      assert Vitrine.call!(top, "greet", "x") == "10 9 8 7 6 5 4 3 2 1 bottom x"
    end

    test "that returns an error with an empty text fails the call" do
      error = error!(Vitrine.call(greeter(fn _ -> {:error, ""} end), "greet", "Joe"))
      assert {error.reason, error.message} == {:guest_error, ~s(the host function "greet" failed)}
    end

    test "that calls the plugin which is running is told :busy" do
      me = self()

      plugin =
        greeter(fn _ ->
          receive do
            {:plugin, plugin} -> send(me, Vitrine.call(plugin, "greet", "again"))
          end

          "done"
        end)

      send(self(), {:plugin, plugin})
      assert Vitrine.call(plugin, "greet", "") == {:ok, "done"}
      assert_received {:error, %Vitrine.Error{reason: :busy}}
    end

    test "takes and returns bytes of any size" do
      plugin = greeter(fn bytes -> [bytes, bytes] end)

      for size <- [0, 1, 100, 70_000, 500_000, 3_000_000] do
        bytes = :crypto.strong_rand_bytes(size)

        assert Vitrine.call(plugin, "greet", Base.encode16(bytes)) ==
                 {:ok, Base.encode16(bytes) <> Base.encode16(bytes)}
      end
    end

    test "ends with the call's timeout once it returns" do
      plugin =
        greeter(fn _ ->
          Process.sleep(60)
          "late"
        end)

      assert reason(Vitrine.call(plugin, "greet", "", timeout: 30)) == :timeout
      assert Vitrine.call(plugin, "greet", "") == {:ok, "late"}
    end

    # Seconds, but much longer on a machine that has other things to do.
    @tag timeout: 300_000
    @tag :slow
    test "can be called over and over by one call" do
      tick = HostFunction.new("tick", [:i64], :i64, &tick/1)
      plugin = guest!("c", host_functions: [tick, {"greet", & &1}])
      error = error!(Vitrine.call(plugin, "spin_host", "", timeout: :infinity))
      assert error.reason == :host_function
      assert error.exception == %RuntimeError{message: "enough"}
    end

    defp tick(n) do
      ticks = Process.get(:ticks, 0) + 1
      Process.put(:ticks, ticks)
      if ticks > 100_000, do: raise("enough"), else: n
    end
  end

  describe "a host function that fails" do
    test "with an exception gives it to the caller, with its stacktrace" do
      error = error!(Vitrine.call(greeter(fn _ -> raise KeyError, key: :a end), "greet"))
      assert error.reason == :host_function
      assert error.kind == :error
      assert %KeyError{key: :a} = error.exception
      assert [{__MODULE__, _, _, _} | _] = error.stacktrace
      assert Exception.message(error) =~ "extism:host/user::greet"
      assert Exception.message(error) =~ "KeyError"
    end

    test "with a throw or an exit gives the caller its value" do
      error = error!(Vitrine.call(greeter(fn _ -> throw(:ball) end), "greet"))
      assert {error.kind, error.exception} == {:throw, :ball}
      error = error!(Vitrine.call(greeter(fn _ -> exit(:stage) end), "greet"))
      assert {error.kind, error.exception} == {:exit, :stage}
    end

    test "with an Erlang error gives the caller the Elixir exception" do
      error = error!(Vitrine.call(greeter(fn _ -> :erlang.error(:badarith) end), "greet"))
      assert %ArithmeticError{} = error.exception
    end

    test "by returning a wrong type says what to return" do
      error = error!(Vitrine.call(greeter(fn _ -> :atom end), "greet"))
      assert error.reason == :host_function
      assert %ArgumentError{message: message} = error.exception

      assert message =~
               ~s("greet" must return a binary, iodata or nil, or {:error, text}, returned: :atom)
    end

    test "by returning {:error, text} is a failed call to the guest" do
      error = error!(Vitrine.call(greeter(fn _ -> {:error, "no such user"} end), "greet"))
      assert {error.reason, error.message} == {:guest_error, "no such user"}
    end

    test "leaves the plugin usable" do
      plugin = greeter(fn name -> if name == "bad", do: raise("bad"), else: name end)
      assert reason(Vitrine.call(plugin, "greet", "bad")) == :host_function
      assert Vitrine.call(plugin, "greet", "good") == {:ok, "good"}
    end
  end

  describe "typed host functions" do
    defp adder do
      add = &(&1 + &2)

      new!(wat("host_add"),
        host_functions: [
          HostFunction.new("add", [:i64, :i64], :i64, add, namespace: "env"),
          HostFunction.new("add_i32", [:i32, :i32], [:i32], add, namespace: "env"),
          HostFunction.new("add_f32", [:f32, :f32], :f32, add, namespace: "env"),
          HostFunction.new("add_f64", [:f64, :f64], :f64, add, namespace: "env")
        ]
      )
    end

    test "take and return numbers of every type" do
      plugin = adder()
      assert {:ok, <<-4_999_999_999::little-signed-64>>} = Vitrine.call(plugin, "add_i64")
      assert {:ok, <<-5::little-signed-32>>} = Vitrine.call(plugin, "add_i32")
      assert {:ok, <<3.75::little-float-32>>} = Vitrine.call(plugin, "add_f32")
      assert {:ok, <<0.30000000000000004::little-float-64>>} = Vitrine.call(plugin, "add_f64")
    end

    defp returning(type, value) do
      wasm = %{i32: "i32", i64: "i64", f32: "f32", f64: "f64"}[type]
      size = if type in [:i32, :f32], do: 4, else: 8

      plugin =
        new!(
          """
          (module
            (import "env" "f" (func $f (result #{wasm})))
            (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
            (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
            (import "extism:host/env" "output_set" (func $output (param i64 i64)))
            (func (export "f") (local $p i64)
              (local.set $p (call $alloc (i64.const 8)))
              (call $store (local.get $p) #{bits(type)})
              (call $output (local.get $p) (i64.const #{size}))))
          """,
          host_functions: [HostFunction.new("f", [], type, fn -> value end, namespace: "env")]
        )

      Vitrine.call(plugin, "f")
    end

    defp bits(:i32), do: "(i64.extend_i32_u (call $f))"
    defp bits(:i64), do: "(call $f)"
    defp bits(:f32), do: "(i64.extend_i32_u (i32.reinterpret_f32 (call $f)))"
    defp bits(:f64), do: "(i64.reinterpret_f64 (call $f))"

    test "take integers as signed or unsigned, and refuse what does not fit" do
      assert returning(:i32, 0xFFFF_FFFF) == {:ok, <<255, 255, 255, 255>>}
      assert returning(:i32, -1) == {:ok, <<255, 255, 255, 255>>}
      assert returning(:i64, 0xFFFF_FFFF_FFFF_FFFF) == {:ok, :binary.copy(<<255>>, 8)}
      assert returning(:i64, -0x8000_0000_0000_0000) == {:ok, <<0::56, 0x80>>}
      assert reason(returning(:i32, 0x1_0000_0000)) == :host_function
      assert reason(returning(:i32, -0x8000_0001)) == :host_function
      assert reason(returning(:i64, 0x1_0000_0000_0000_0000)) == :host_function
      assert reason(returning(:i64, 1.0)) == :host_function
    end

    test "take integers for floats, and atoms for what Erlang has no floats for" do
      assert returning(:f32, 3) == {:ok, <<3.0::little-float-32>>}
      assert returning(:f64, 3) == {:ok, <<3.0::little-float-64>>}
      assert returning(:f64, :infinity) == {:ok, <<0::48, 0xF0, 0x7F>>}
      assert returning(:f64, :neg_infinity) == {:ok, <<0::48, 0xF0, 0xFF>>}
      assert {:ok, <<_::16, 0xC0, 0x7F>>} = returning(:f32, :nan)
      assert reason(returning(:f32, 1.0e39)) == :host_function
      assert reason(returning(:f64, Integer.pow(10, 400))) == :host_function
      assert reason(returning(:f64, "1.0")) == :host_function
    end

    test "receive infinities and NaN as atoms" do
      me = self()

      plugin =
        new!(
          ~S"""
          (module
            (import "env" "f" (func $f (param f64 f64 f32)))
            (func (export "f") (call $f (f64.const inf) (f64.const -inf) (f32.const nan))))
          """,
          host_functions: [
            HostFunction.new("f", [:f64, :f64, :f32], nil, &send(me, {&1, &2, &3}),
              namespace: "env"
            )
          ]
        )

      assert Vitrine.call(plugin, "f") == {:ok, ""}
      assert_received {:infinity, :neg_infinity, :nan}
    end

    test "may have several results" do
      swap = HostFunction.new("swap", [:i64, :i64], [:i64, :i64], &[&2, &1])

      wat = ~S"""
      (module
        (import "extism:host/user" "swap" (func $swap (param i64 i64) (result i64 i64)))
        (func (export "f") (result i32)
          (call $swap (i64.const 5) (i64.const 7))
          (i32.wrap_i64 (i64.sub))))
      """

      assert error!(Vitrine.call(new!(wat, host_functions: [swap]), "f")).code == 2
      one = HostFunction.new("swap", [:i64, :i64], [:i64, :i64], fn a, _ -> [a] end)
      error = error!(Vitrine.call(new!(wat, host_functions: [one]), "f"))
      assert error.exception.message =~ "a list of 2 values"
    end
  end

  describe "linking" do
    test "refuses a host function whose types are not the import's" do
      wrong = HostFunction.new("greet", [:i32], :i32, & &1)
      error = error!(Vitrine.new(wasm("rust"), host_functions: [wrong]))
      assert error.reason == :link

      assert error.message =~
               ~S|"extism:host/user"."greet" is declared as (i64) -> (i64), and the host function is|
    end

    test "refuses plain functions for imports of other numbers" do
      wat = ~S|(module (import "extism:host/user" "f" (func (param i32))))|
      error = error!(Vitrine.new(wat, host_functions: %{"f" => & &1}))
      assert error.reason == :link
      assert error.message =~ "HostFunction.new"
    end

    test "ignores host functions that the plugin does not import" do
      assert new!(wat("rc"), host_functions: %{"unused" => & &1})
    end

    test "plain functions fit imports of any number of handles" do
      me = self()

      plugin =
        new!(
          ~S"""
          (module
            (import "extism:host/user" "none" (func $none (result i64)))
            (import "extism:host/user" "quiet" (func $quiet (param i64)))
            (import "extism:host/user" "two" (func $two (param i64 i64) (result i64)))
            (func (export "f")
              (drop (call $none))
              (call $quiet (i64.const 0))
              (drop (call $two (i64.const 0) (i64.const 0)))))
          """,
          host_functions: %{
            "none" => fn -> nil end,
            "quiet" => fn input -> send(me, {:quiet, input}) end,
            "two" => fn a, b ->
              send(me, {:two, a, b})
              ""
            end
          }
        )

      assert Vitrine.call(plugin, "f") == {:ok, ""}
      assert_received {:quiet, ""}
      assert_received {:two, "", ""}
    end

    test "may replace a function of the Extism ABI" do
      config_get =
        HostFunction.new("config_get", [:binary], :binary, &("from Elixir: " <> &1),
          namespace: "extism:host/env"
        )

      plugin = guest!("rust", host_functions: [config_get, {"greet", & &1}])
      assert Vitrine.call(plugin, "config_value", "key") == {:ok, "from Elixir: key"}
    end

    test "raises for declarations that are wrong" do
      assert_raise ArgumentError, ~r/:i32, :i64/, fn ->
        HostFunction.new("f", [:u8], nil, & &1)
      end

      assert_raise ArgumentError, ~r/2 parameters/, fn ->
        HostFunction.new("f", [:i32, :i32], nil, & &1)
      end

      assert_raise ArgumentError, fn -> HostFunction.new("f", [], nil, fn -> 1 end, colour: 1) end

      for {arguments, message} <- [
            {[:f, [], nil, fn -> 1 end], "the name .* string, got: :f"},
            {[<<255>>, [], nil, fn -> 1 end], "the name of a host"},
            {["f", :i64, nil, & &1], "parameters .* a list .*: :i64"},
            {["f", nil, nil, & &1], "parameters to be a list"},
            {["f", [:i32 | :i32], nil, & &1], "parameters to be a list"},
            {["f", [], [:i32 | :i32], fn -> 1 end], "results to be a"},
            {["f", [], nil, fn -> 1 end, [namespace: :env]],
             "namespace of a host function to be a string, got: :env"},
            {["f", [], nil, fn -> 1 end, %{}], "keyword list"}
          ] do
        assert_raise ArgumentError, ~r/#{message}/, fn -> apply(HostFunction, :new, arguments) end
      end
    end
  end

  describe "a host function without declared types" do
    @twice ~S"""
    (module
      (import "extism:host/user" "greet" (func (param i64) (result i64)))
      (import "extism:host/user" "note" (func (param i64 i64))))
    """

    test "must take as many arguments as the import has parameters, or one more" do
      note = fn _, _ -> :ok end

      for {functions, name, params, arity} <- [
            {%{"greet" => fn -> "" end, "note" => note}, "greet", 1, 0},
            {%{"greet" => fn _, _, _ -> "" end, "note" => note}, "greet", 1, 3},
            {%{"greet" => & &1, "note" => & &1}, "note", 2, 1}
          ],
          load <- [&Vitrine.new/2, &Vitrine.compile/2] do
        error = error!(load.(@twice, host_functions: functions))
        assert error.reason == :link

        assert error.message =~
                 "imports the host function #{inspect(name)} with #{params} parameter#{if params > 1, do: "s"}; its " <>
                   "function has #{arity} argument#{if arity != 1, do: "s"}, and #{params} or #{params + 1} (with the context) " <>
                   "would be right"
      end

      {:ok, compiled} =
        Vitrine.compile(@twice, host_functions: %{"greet" => & &1, "note" => note})

      with_context = %{"greet" => fn a, _ -> a end, "note" => fn _, _, _ -> :ok end}
      assert {:ok, _} = Vitrine.new(compiled, host_functions: with_context)
      wrong = %{"greet" => & &1, "note" => & &1}
      assert reason(Vitrine.new(compiled, host_functions: wrong)) == :link
    end
  end

  describe "a host function called by a start function" do
    test "runs in the process that loads the plugin, with the context" do
      me = self()

      hello = fn text, context ->
        send(me, {text, self(), context})
        "12345"
      end

      plugin = new!(wat("host_in_start"), host_functions: %{"hello" => hello}, context: :loading)
      assert_received {"starting", ^me, :loading}
      assert Vitrine.call(plugin, "value") == {:ok, "5"}
    end

    test "that fails makes loading fail" do
      hello = fn _ -> raise "no" end
      error = error!(Vitrine.new(wat("host_in_start"), host_functions: %{"hello" => hello}))
      assert {error.reason, error.exception} == {:host_function, %RuntimeError{message: "no"}}
    end
  end
end
