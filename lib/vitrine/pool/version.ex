defmodule Vitrine.Pool.Version do
  @moduledoc false
  # What a pool makes its instances of: a compiled plugin, and the variables that each begins with.

  alias Vitrine.{Compiled, Error, Loader, Options, Plugin}
  alias Vitrine.Call.Deadline

  @derive {Inspect, only: [:compiled]}
  @enforce_keys [:compiled, :vars]
  defstruct @enforce_keys

  @type t :: %__MODULE__{compiled: Compiled.t(), vars: map()}

  @doc "Compiles a version, and makes an instance of it once, to see that it can be made."
  @spec load(Vitrine.source(), keyword(), map()) :: {:ok, t()} | {:error, Error.t()}
  def load(source, options, vars) do
    with {:ok, compiled} <- Vitrine.compile(source, options),
         version = %__MODULE__{compiled: compiled, vars: vars},
         {:ok, plugin} <- version |> instantiate(timeout(version)) |> told(compiled.settings) do
      Vitrine.close(plugin)
      {:ok, version}
    end
  end

  defp told(result, settings), do: Deadline.told(result, settings.timeout, settings.timeout_from)

  @doc "Makes an instance, of that process, within that time, which is not the timeout of its calls."
  @spec instantiate(t(), timeout(), pid()) :: {:ok, Plugin.t()} | {:error, Error.t()}
  def instantiate(version, within, owner \\ self()) do
    with {:ok, plugin} <- Loader.instantiate(version.compiled, within, owner) do
      case put_vars(plugin, version.vars) do
        :ok -> {:ok, plugin}
        error -> Vitrine.close(plugin) && error
      end
    end
  end

  @doc "The timeout of calls that have none of their own."
  @spec timeout(t()) :: timeout()
  def timeout(%__MODULE__{compiled: %{settings: settings}}), do: settings.timeout

  # Those that the initialisers set remain.
  defp put_vars(_plugin, vars) when vars == %{}, do: :ok
  defp put_vars(plugin, vars), do: Vitrine.put_vars(plugin, Map.merge(Vitrine.vars(plugin), vars))

  @doc "Checks what `load/3` takes, but for the source."
  def validate!(source, options, vars) do
    Loader.check_options!(source, options)
    Options.vars!(vars)
    :ok
  end
end
