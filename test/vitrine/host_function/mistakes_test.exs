defmodule Vitrine.HostFunction.MistakesTest do
  # Errors for frequent mistakes in a host function say what would be right.
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  alias Vitrine.HostFunction

  # Imports a function of one i64 and calls it with a number.
  defp plugin!(function, number \\ 0, options \\ []) do
    functions = if is_struct(function), do: [function], else: %{"f" => function}

    new!(
      ~s|(module (import "extism:host/user" "f" (func $f (param i64) (result i64)))
           (func (export "run") (drop (call $f (i64.const #{number})))))|,
      [name: "p", host_functions: functions] ++ options
    )
  end

  describe "a function that takes the context, called without one" do
    @told "the host function extism:host/user::f failed; its last argument, the context, is nil: no context: … was " <>
            "given to the call, or to Vitrine.new/2 for what runs while the plugin is made"

    test "fails with what is missing, and the original beside it" do
      for {function, exception} <- [
            {fn _bytes, context -> context.user end, KeyError},
            {fn _bytes, context -> Map.fetch!(context, :user) end, BadMapError},
            {fn _bytes, context -> context.user() end, nil},
            {fn _bytes, %{user: user} -> user end, FunctionClauseError},
            {fn _bytes, context ->
               %{user: user} = context
               user
             end, MatchError}
          ] do
        error = error!(Vitrine.call(plugin!(function), "run"))
        assert {error.reason, error.message} == {:host_function, @told}
        assert exception == nil or error.exception.__struct__ == exception
        assert error.kind == :error and error.stacktrace != []
        context = %{user: "Joe"}

        if exception,
          do: assert({:ok, ""} = Vitrine.call(plugin!(function), "run", "", context: context))
      end
    end

    test "does not mention the context where something else failed, or a context was given" do
      untold = "the host function extism:host/user::f failed"

      for {function, options} <- [
            {fn _bytes, _context -> raise "other" end, []},
            {fn _bytes, context -> context.user end, [context: %{name: "Joe"}]},
            {fn bytes -> bytes.user end, []},
            {fn _bytes -> Map.get(%{}, :user).name end, []},
            {fn _bytes, _context -> String.length(:no) end, []}
          ] do
        assert error!(Vitrine.call(plugin!(function), "run", "", options)).message == untold
      end
    end
  end

  test "a number passed where bytes are declared is named by its position, counted from 1" do
    told = fn place, number ->
      "invalid handle offset for parameter #{place} of the host function extism:host/user::f: #{number}; " <>
        "bytes are passed by handles, and a number is declared as one by Vitrine.HostFunction.new/5"
    end

    error = error!(Vitrine.call(plugin!(& &1, 42), "run"))
    assert {error.reason, error.message} == {:trap, told.(1, 42)}

    two = ~s|(module (import "extism:host/user" "f" (func $f (param i64 i64) (result i64)))
           (func (export "run") (drop (call $f (i64.const 0) (i64.const -1)))))|

    plugin = new!(two, host_functions: %{"f" => fn one, _two -> one end})
    assert error!(Vitrine.call(plugin, "run")).message == told.(2, -1)

    # As that which a codec cannot decode.
    json = HostFunction.new("f", [:binary, :json], :binary, fn one, _two -> one end)
    plugin = new!(String.replace(two, "-1", "0"), host_functions: [json])
    error = error!(Vitrine.call(plugin, "run"))
    assert error.reason == :codec
    assert error.message =~ ~s(parameter 2 of the host function "f" cannot be decoded as :json)

    # Declared as what it is, it is passed.
    number = HostFunction.new("f", [:i64], :i64, &send(self(), &1))
    assert Vitrine.call(plugin!(number, 42), "run") == {:ok, ""}
    assert_received 42
  end

  test "an import with references or vectors is refused, with declared types and without" do
    source =
      ~s|(module (import "extism:host/user" "f" (func (param externref) (result v128))) (func (export "run")))|

    declared = HostFunction.new("f", [:i64], :i64, & &1)

    for functions <- [%{"f" => & &1}, [declared]] do
      error = error!(Vitrine.new(source, host_functions: functions))
      assert error.reason == :link

      assert error.message =~
               "references and vectors cannot be passed to a host function, numbers and bytes can"

      refute error.message =~ "declare its types"
      {:ok, %{refused: [refused]}} = Vitrine.inspect_plugin(source, host_functions: functions)
      assert refused =~ "references and vectors cannot be passed to a host function"
    end
  end

  describe "a value that does not fit" do
    test "is explained with the declaration that would fit" do
      returned = fn type, value ->
        function =
          if type,
            do: HostFunction.new("f", [:i64], type, fn _ -> value end),
            else: fn _ -> value end

        Exception.message(error!(Vitrine.call(plugin!(function), "run")).exception)
      end

      assert returned.(nil, 42) ==
               ~s(host function "f" must return a binary, iodata or nil, or {:error, text}, returned: 42; ) <>
                 ~s|to return numbers, declare it: Vitrine.HostFunction.new("f", […], :i64, …)|

      assert returned.(nil, {:ok, "text"}) =~ ~s(returned: {:ok, "text"}; return the value itself)
      assert returned.(nil, %{a: 1}) =~ "a codec makes bytes of other terms, such as :json"
      assert returned.(:i64, "42") =~ ~s(returned: "42"; to return bytes, declare :binary)
      assert returned.(:i64, 2 ** 64) =~ "must return an integer of 64 bits"
      assert byte_size(returned.(:i64, String.duplicate("x", 100_000))) < 300
    end

    test "of a type that cannot be declared is explained as that" do
      for {params, results, type} <- [
            {[:externref], nil, ":externref"},
            {[:i64, :v128], nil, ":v128"},
            {[], :externref, ":externref"},
            {[], [:i64, :funcref], ":funcref"}
          ] do
        make = fn -> HostFunction.new("f", params, results, fn -> nil end) end
        error = assert_raise ArgumentError, make

        assert error.message ==
                 ~s(host function "f": #{type} cannot be declared: numbers and bytes can be passed to the host, ) <>
                   "references and vectors cannot; expected one of [:i32, :i64, :f32, :f64, :binary], or a codec"
      end
    end
  end
end
