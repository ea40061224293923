defmodule Vitrine.ErrorTest do
  use ExUnit.Case, async: true
  doctest Vitrine.Error

  import Vitrine.Guests

  describe "message/1" do
    test "names the plugin, the function, what happened and where" do
      {:error, error} = Vitrine.call(guest!("rust"), "recurse")
      message = Exception.message(error)
      assert message =~ ~s(plugin "rust", function "recurse": call stack exhausted)
      assert message =~ ~r/\n    at function \d+ \(0x/
    end

    test "says only what is known" do
      message = &Exception.message(struct!(Vitrine.Error, [reason: :trap, message: "m"] ++ &1))
      assert message.([]) == "m"
      assert message.(function: "f") == ~s(function "f": m)
      assert message.(plugin: "p") == ~s(plugin "p": m)
      assert message.(message: nil) == ":trap"
      assert message.(message: nil, reason: nil) == "unknown error"
      frames = [%{function: "a", index: 1, offset: 16}, %{function: nil, index: 2, offset: nil}]
      assert message.(backtrace: frames) == "m\n    at a (0x10)\n    at function 2"
    end
  end

  describe "an error shows" do
    test "the fields that are set, and no others" do
      assert inspect(%Vitrine.Error{reason: :closed, message: "the plugin was closed"}) ==
               ~s(%Vitrine.Error{reason: :closed, message: "the plugin was closed"})

      error = %Vitrine.Error{reason: :exit, message: "m", plugin: "p", function: "f", code: 3}

      assert inspect(error, width: :infinity) ==
               ~s(%Vitrine.Error{reason: :exit, message: "m", plugin: "p", function: "f", code: 3})

      for {field, value} <- [
            trap: "t",
            raw: "r",
            kind: :error,
            exception: :e,
            backtrace: [1],
            stacktrace: [1]
          ] do
        error = struct!(Vitrine.Error, [{:reason, :trap}, {:message, "m"}, {field, value}])
        assert inspect(error) =~ "#{field}: #{inspect(value)}"
      end
    end

    test "its details in the message, with and without a message of its own" do
      message = &Exception.message(struct!(Vitrine.Error, &1))
      assert message.(reason: :exit, message: "it ended", code: 3) == "it ended (code 3)"
      assert message.(reason: :guest_error, message: "not today", code: 0) == "not today"

      assert message.(reason: :exit, message: "it exited with code 3", code: 3) ==
               "it exited with code 3"

      assert message.(reason: :guest_error, message: "no such user", code: 1) == "no such user"
      assert message.(reason: :exit, code: 3) == ":exit (code 3)"
      assert message.(reason: :trap, trap: "out of bounds\n") == ":trap: out of bounds\\n"
      assert message.(reason: :http, exception: :econnrefused) == ":http: :econnrefused"
      file = %File.Error{reason: :enoent, action: "read file", path: "p"}
      assert message.(reason: :file, exception: file) =~ ~s(:file: could not read file "p")
    end
  end

  describe "the exception of call!/4 after a host function raised" do
    setup do
      plugin =
        new!(
          ~S|
            (module
              (import "extism:host/user" "find" (func $find (param i64) (result i64)))
              (import "extism:host/env" "input_offset" (func $input (result i64)))
              (func (export "run") (drop (call $find (call $input)))))
          |,
          name: "p",
          host_functions: %{"find" => &__MODULE__.find/1}
        )

      {:ok, plugin: plugin}
    end

    # The line that the traces below are to begin with.
    def find("wrong result"), do: :no_bytes

    def find("nested " <> _) do
      plugin = new!("(module)")
      Vitrine.call!(plugin, "missing") <> ""
    end

    def find(name), do: not_found(name) <> ""

    defp not_found(name), do: raise("no user " <> name)

    defp trace(work) do
      work.()
      flunk("nothing was raised")
    rescue
      error in Vitrine.Error -> {error, __STACKTRACE__}
    end

    test "has the host function's own lines on top, and then those of the call", %{plugin: plugin} do
      {_error, trace} = trace(fn -> Vitrine.call!(plugin, "run", "Joe") <> "" end)

      assert [{__MODULE__, :not_found, 1, at}, {__MODULE__, :find, 1, _} | asked] = trace
      assert to_string(at[:file]) =~ "test/vitrine/error_test.exs"

      refute Enum.any?(trace, fn {module, _, _, _} ->
               to_string(module) =~ "Elixir.Vitrine.Call.Loop"
             end)

      assert [{__MODULE__, test, _, _} | _] = asked
      assert to_string(test) =~ "has the host function's own lines"
    end

    test "says in its message which line it was", %{plugin: plugin} do
      {error, _trace} = trace(fn -> Vitrine.call!(plugin, "run", "Joe") <> "" end)
      assert [first, line | _guest] = String.split(Exception.message(error), "\n")
      assert first =~ ~s(plugin "p", function "run": )
      assert first =~ "(RuntimeError) no user Joe"
      assert line =~ ~r"^    at .*test/vitrine/error_test.exs:\d+: Vitrine.ErrorTest.not_found/1$"
    end

    test "has the lines of the call where the function had returned already", %{plugin: plugin} do
      {error, [{__MODULE__, _, _, _} | _]} =
        trace(fn -> Vitrine.call!(plugin, "run", "wrong result") <> "" end)

      assert Exception.message(error) =~ ~s(host function "find" must return)
    end

    test "has those of a call within a host function, too", %{plugin: plugin} do
      {_error, trace} = trace(fn -> Vitrine.call!(plugin, "run", "nested call") <> "" end)
      assert [{__MODULE__, :find, 1, _} | _] = trace
    end

    test "has the same stacktrace from run!/4" do
      compiled =
        Vitrine.compile!(
          ~S|(module (import "extism:host/user" "f" (func $f)) (func (export "run") (call $f)))|,
          host_functions: [Vitrine.HostFunction.new("f", [], nil, fn -> not_found("x") <> "" end)]
        )

      {_error, trace} = trace(fn -> Vitrine.run!(compiled, "run") <> "" end)
      assert [{__MODULE__, :not_found, 1, _} | _] = trace
    end
  end

  test "text of a guest never becomes an atom" do
    plugin = guest!("rust")
    before = :erlang.system_info(:atom_count)

    for n <- 1..200 do
      Vitrine.call(plugin, "fail", "text #{n} of a guest")
      Vitrine.call(plugin, "function_#{n}")
      Vitrine.call(plugin, "greet", "name_#{n}")
    end

    assert :erlang.system_info(:atom_count) - before < 50
  end
end
