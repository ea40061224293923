defmodule Vitrine.Pool.Version do
  @moduledoc false
  # The source of a pool's instances: a compiled plugin, and the variables that each instance begins with.

  alias Vitrine.{Compiled, Error, Plugin}
  alias Vitrine.Call.Timeout
  alias Vitrine.Loader.{Instance, Pipeline, Source}
  alias Vitrine.Options.Argument

  @derive {Inspect, only: [:compiled]}
  @enforce_keys [:compiled, :vars]
  defstruct @enforce_keys

  @type t :: %__MODULE__{compiled: Compiled.t(), vars: map()}

  @doc "Compiles a version, and makes an instance of it once, to see that it can be made."
  @spec load(Source.t() | Compiled.t(), keyword(), map()) :: {:ok, t()} | {:error, Error.t()}
  def load(source, options, vars) do
    with {:ok, compiled} <- Pipeline.compile(source, Argument.keyword!(options)),
         compiled = Pipeline.keep(compiled),
         version = %__MODULE__{compiled: compiled, vars: vars},
         {:ok, plugin} <- version |> instantiate(timeout(version)) |> explain(compiled.settings) do
      Plugin.close(plugin)
      {:ok, version}
    end
  end

  defp explain(result, settings),
    do: Timeout.explain(result, settings.timeout, settings.timeout_from)

  @doc "Makes an instance for a process, within this time, which is not the timeout of its calls."
  @spec instantiate(t(), timeout(), pid()) :: {:ok, Plugin.t()} | {:error, Error.t()}
  def instantiate(version, within, owner \\ self()) do
    with {:ok, plugin} <- Instance.make(version.compiled, within, owner) do
      case put_vars(plugin, version.vars) do
        :ok ->
          {:ok, plugin}

        error ->
          Plugin.close(plugin)
          error
      end
    end
  end

  @doc "Returns the timeout of calls that have none of their own."
  @spec timeout(t()) :: timeout()
  def timeout(%__MODULE__{compiled: %{settings: settings}}), do: settings.timeout

  # Variables that the initialisers set remain.
  defp put_vars(_plugin, vars) when vars == %{}, do: :ok
  defp put_vars(plugin, vars), do: Plugin.put_vars(plugin, Map.merge(Plugin.vars(plugin), vars))

  @doc "Checks the options and variables for a source that is loaded later."
  @spec validate!(Source.t() | Compiled.t(), keyword(), term()) :: :ok
  def validate!(source, options, vars) do
    Pipeline.check_options!(source, options)
    Argument.vars!(vars)
    :ok
  end
end
