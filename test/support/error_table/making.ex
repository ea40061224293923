defmodule Vitrine.ErrorTable.Making do
  @moduledoc "The sources of the table's errors: guests in a few words, and files that are there for a test."

  import ExUnit.Callbacks

  @abi ~S|
    (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
    (import "extism:host/env" "input_offset" (func $input (result i64)))
    (import "extism:host/env" "length" (func $length (param i64) (result i64)))
    (import "extism:host/env" "error_set" (func $error (param i64)))
    (import "extism:host/env" "output_set" (func $output (param i64 i64)))
    (import "extism:host/env" "config_get" (func $config (param i64) (result i64)))
    (import "extism:host/env" "var_get" (func $var (param i64) (result i64)))
    (import "extism:host/env" "var_set" (func $set (param i64 i64)))
    (import "extism:host/env" "log_info" (func $log (param i64)))
  |

  @doc "A module with the ABI at hand, and what is to be in it."
  def text(body), do: "(module #{@abi} #{body})"

  @doc "Makes a plugin of a module with the ABI at hand, and calls `run` in it."
  def call(body, input \\ "", options \\ [], call_options \\ []) do
    with {:ok, plugin} <- Vitrine.new(text(body), options),
         do: Vitrine.call(plugin, "run", input, call_options)
  end

  @doc "The same, of a body of `run`."
  def run(body, input \\ "", options \\ [], call_options \\ []),
    do: call(~s|(func (export "run") #{body})|, input, options, call_options)

  @doc "Calls `run`, which hands its input to the host function `f` and outputs what that gives."
  def ask(function, input \\ "input", options \\ [], call_options \\ []) do
    call(
      ~S|(import "extism:host/user" "f" (func $f (param i64) (result i64)))
         (func (export "run") (local $answer i64)
           (local.set $answer (call $f (call $input)))
           (call $output (local.get $answer) (call $length (local.get $answer))))|,
      input,
      [host_functions: host_functions(function)] ++ options,
      call_options
    )
  end

  defp host_functions(function) when is_function(function), do: %{"f" => function}
  defp host_functions(functions), do: functions

  @doc "A file of this content, for as long as the test runs."
  def file(bytes, name \\ "plugin.wasm") do
    path = Path.join(directory(), name)
    File.write!(path, bytes)
    path
  end

  @doc "A directory, for as long as the test runs."
  def directory do
    path = Path.join(System.tmp_dir!(), "vitrine-errors-#{System.unique_integer([:positive])}")
    File.mkdir_p!(path)
    on_exit(fn -> File.rm_rf!(path) end)
    path
  end
end
