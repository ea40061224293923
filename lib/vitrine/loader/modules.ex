defmodule Vitrine.Loader.Modules do
  @moduledoc false
  # Compiles the modules of a plugin.

  alias Vitrine.{Error, Native, Telemetry}
  alias Vitrine.Call.Failure
  alias Vitrine.Loader.{NativeCache, Source}
  alias Vitrine.Text.Printable

  @typedoc "A module's name for linking, and the native code."
  @type compiled :: {name :: String.t(), reference()}

  @doc """
  Compiles modules, one after the other: a worker of the core uses all processors for each. `main` is the index of the
  main module, and `plugin` what events and errors call the plugin.
  """
  @spec compile([Source.wasm()], non_neg_integer(), map(), String.t() | nil) ::
          {:ok, [compiled()]} | {:error, Error.t()}
  def compile(modules, main, settings, plugin) do
    stage = if settings.snapshot != false, do: :draft

    modules
    |> Enum.with_index()
    |> Enum.reduce_while({:ok, []}, fn {{name, bytes}, index}, {:ok, compiled} ->
      terms = terms(settings, index != main, stage)

      case compile_one(name, bytes, terms, plugin) do
        {:ok, {module, _from}} -> {:cont, {:ok, [{name, module} | compiled]}}
        error -> {:halt, native(in_module(error, name, modules), plugin)}
      end
    end)
    |> then(&with {:ok, compiled} <- &1, do: {:ok, Enum.reverse(compiled)})
  end

  @doc "Compiles the module that a snapshot has made of a plugin's only one."
  @spec compile_snapshot(binary(), map(), String.t()) :: {:ok, [compiled()]} | {:error, Error.t()}
  def compile_snapshot(bytes, settings, plugin) do
    compiled = compile_one("main", bytes, terms(settings, false, :snapshot), plugin)
    with {:ok, {module, _from}} <- native(compiled, plugin), do: {:ok, [{"main", module}]}
  end

  @doc """
  Emits the events of a compilation for a module that cannot even be read, and is therefore never compiled. Those who
  count compilations are told of it like of any other that fails.
  """
  @spec report_unreadable(Source.wasm(), error, String.t() | nil) :: error
        when error: {:error, Error.t()}
  def report_unreadable({module, bytes}, error, plugin) do
    metadata = %{plugin: Telemetry.tag(plugin), module: Telemetry.tag(module)}
    describe = &Map.put(Telemetry.outcome(&1), :from, nil)

    Telemetry.span([:vitrine, :compile], %{bytes: byte_size(bytes)}, metadata, describe, fn ->
      error
    end)
  end

  defp terms(settings, library?, stage) do
    Map.merge(settings.compile, %{
      cache: NativeCache.find!(settings.cache),
      library: library?,
      stage: stage
    })
  end

  defp compile_one(name, bytes, terms, plugin) do
    describe = fn result ->
      Map.put(Telemetry.outcome(native(result, plugin)), :from, from(result))
    end

    metadata = %{plugin: Telemetry.tag(plugin), module: Telemetry.tag(name)}

    Telemetry.span([:vitrine, :compile], %{bytes: byte_size(bytes)}, metadata, describe, fn ->
      Native.await(&Native.compile(bytes, terms, &1))
    end)
  end

  defp from({:ok, {_module, from}}), do: from
  defp from({:error, _details}), do: nil

  # If there are several modules, the message says which one it is about.
  defp in_module(error, _name, [_only]), do: error

  defp in_module({:error, details}, name, _modules),
    do: {:error, put_elem(details, 1, name(elem(details, 1), Printable.quoted(name)))}

  defp name("the module " <> rest, name), do: "the module #{name} #{rest}"
  defp name(message, name), do: "the module #{name}: #{message}"

  defp native(answer, name), do: Failure.result(answer, plugin: name)
end
