defmodule Vitrine.Plugin do
  @moduledoc """
  A loaded plugin, as returned by `Vitrine.new/2`. `Vitrine.call/4` calls it.

  It has one instance and serves one call at a time. A call while another one runs gets `:busy`. A plugin can be sent to
  other processes. Its memory is freed when no process refers to it any more, or by `Vitrine.close/1`.
  """

  alias Vitrine.{Error, Native}
  alias Vitrine.Call.Failure
  alias __MODULE__

  @typedoc "A loaded plugin. All fields except `name` are private."
  @type t :: %Plugin{
          name: String.t(),
          # The sha256 of the main module.
          hash: String.t(),
          ref: reference(),
          host_functions: tuple(),
          timeout: timeout(),
          timeout_from: Vitrine.Call.Timeout.whose(),
          scheduler: :auto | :dirty,
          http: Vitrine.HTTP.Policy.t(),
          logs?: boolean(),
          log_level: Vitrine.Call.Log.level(),
          print_levels: %{stdout: Logger.level(), stderr: Logger.level()},
          wasi?: boolean()
        }

  @enforce_keys [
    :name,
    :hash,
    :ref,
    :host_functions,
    :timeout,
    :timeout_from,
    :scheduler,
    :http,
    :logs?,
    :log_level,
    :print_levels,
    :wasi?
  ]
  defstruct @enforce_keys

  # The operations of `Vitrine` on a plugin, and of servers and pools on theirs. The names are those of `Vitrine`, which
  # has checked the arguments.

  @doc false
  @spec function_exists?(t(), String.t()) :: boolean()
  def function_exists?(%Plugin{ref: ref}, name), do: Native.plugin_function(ref, name)

  @doc false
  @spec functions(t()) :: {:ok, [String.t()]}
  def functions(%Plugin{ref: ref}), do: {:ok, Native.plugin_functions(ref)}

  @doc false
  @spec stats(t()) :: map()
  def stats(%Plugin{ref: ref}), do: Native.plugin_stats(ref)

  @doc false
  @spec fuel_used(t()) :: non_neg_integer()
  def fuel_used(%Plugin{ref: ref}), do: Native.plugin_fuel_used(ref)

  @doc false
  @spec take_printed(t()) :: %{stdout: binary(), stderr: binary()}
  def take_printed(%Plugin{ref: ref}) do
    {stdout, stderr} = Native.plugin_take_printed(ref)
    %{stdout: stdout, stderr: stderr}
  end

  @doc false
  @spec vars(t()) :: %{optional(String.t()) => binary()}
  def vars(%Plugin{ref: ref}), do: Native.plugin_vars(ref)

  @doc false
  @spec put_vars(t(), Enumerable.t()) :: :ok | {:error, Error.t()}
  def put_vars(%Plugin{ref: ref} = plugin, vars),
    do: ref |> Native.plugin_put_vars(Enum.to_list(vars)) |> result(plugin)

  @doc false
  @spec put_config(t(), Enumerable.t()) :: :ok | {:error, Error.t()}
  def put_config(%Plugin{ref: ref} = plugin, changes),
    do: ref |> Native.plugin_put_config(Enum.to_list(changes)) |> result(plugin)

  @doc false
  @spec reset(t()) :: :ok | {:error, Error.t()}
  def reset(%Plugin{ref: ref} = plugin), do: ref |> Native.plugin_reset() |> result(plugin)

  @doc false
  @spec cancel(t()) :: :ok
  def cancel(%Plugin{ref: ref}), do: Native.plugin_cancel(ref)

  @doc false
  @spec close(t()) :: :ok
  def close(%Plugin{ref: ref}), do: Native.plugin_close(ref)

  defp result(answer, plugin), do: Failure.result(answer, plugin: plugin.name)

  defimpl Inspect do
    def inspect(plugin, _options),
      do: "#Vitrine.Plugin<#{Vitrine.Text.Printable.name(plugin.name)}>"
  end
end
