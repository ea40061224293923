defmodule Vitrine.Test.Text do
  @moduledoc false
  # The plugins of Vitrine.Test, in WebAssembly's text format.

  alias Vitrine.HostFunction
  alias Vitrine.HostFunction.Types
  alias Vitrine.Loader.Surface

  @namespace "vitrine:test"

  @failures [:trap, :timeout, :out_of_memory]

  @doc "Returns the namespace of imports that do not belong to the application."
  @spec namespace() :: String.t()
  def namespace, do: @namespace

  @doc """
  Returns the ways in which a stub can fail. Its host functions return their numbers, from 1 on; 0 means success.
  """
  @spec failures() :: [atom()]
  def failures, do: @failures

  @doc """
  Returns a plugin with functions of these names. Each passes its input to the host function of the same name, and
  returns or fails as that says.
  """
  @spec stub([String.t()]) :: String.t()
  def stub(names) do
    imports = for name <- names, do: import_text({@namespace, name}, [:binary], [:i32, :binary])

    exports =
      for {name, index} <- Enum.with_index(names) do
        "(func (export #{quoted(name)}) (result i32) (call $end (call #{index} (call $input))))"
      end

    failures =
      for {failure, number} <- Enum.with_index(@failures, 1) do
        "(if (i32.eq (local.get $failure) (i32.const #{number})) (then #{fail(failure)}))"
      end

    """
    (module
      #{imports}
      (import "extism:host/env" "input_offset" (func $input (result i64)))
      (import "extism:host/env" "length" (func $length (param i64) (result i64)))
      (import "extism:host/env" "error_get" (func $error (result i64)))
      (import "extism:host/env" "output_set" (func $output (param i64 i64)))
      (memory 0)
      (func $end (param $failure i32) (param $answer i64) (result i32)
        #{failures}
        (call $output (local.get $answer) (call $length (local.get $answer)))
        (i64.ne (call $error) (i64.const 0)))
      #{exports})
    """
  end

  defp fail(:trap), do: "unreachable"
  defp fail(:timeout), do: "(loop (br 0))"
  defp fail(:out_of_memory), do: "(drop (memory.grow (i32.const 65536)))"

  @doc """
  Returns a plugin whose function `call` calls a host function with the values that the host function `arguments`
  returns.
  """
  @spec caller(Surface.import(), [HostFunction.type()], [HostFunction.type()]) :: String.t()
  def caller(import, params, results) do
    """
    (module
      #{import_text(import, params, results)}
      #{import_text({@namespace, "arguments"}, [], params)}
      (func (export "call") (call 0 (call 1)) #{for _ <- results, do: "drop "}))
    """
  end

  defp import_text({namespace, name}, params, results) do
    params = for type <- params, do: [" ", number(type)]
    results = for type <- results, do: [" ", number(type)]
    "(import #{quoted(namespace)} #{quoted(name)} (func (param#{params}) (result#{results})))\n"
  end

  defp number(type) do
    case Types.wasm(type) do
      :binary -> "i64"
      number -> Atom.to_string(number)
    end
  end

  # Every byte is escaped, so the text can contain anything.
  defp quoted(name) do
    bytes = for <<byte <- name>>, do: ["\\", Base.encode16(<<byte>>)]
    IO.iodata_to_binary([?", bytes, ?"])
  end
end
