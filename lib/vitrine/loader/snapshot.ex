defmodule Vitrine.Loader.Snapshot do
  @moduledoc false
  # Takes snapshots: a plugin is initialised once, in a call like any other, and its memory and globals become part of
  # the module that instances are made from.

  alias Vitrine.{Compiled, Error, Native, Telemetry}
  alias Vitrine.Call.{Failure, Frame, Loop, Timeout}
  alias Vitrine.Loader.{Instance, Source}

  @doc "Tells whether a snapshot can be taken of a plugin of these modules, if the option `:snapshot` asks for one."
  @spec check(boolean() | String.t(), [Source.wasm()], String.t() | nil) ::
          :ok | {:error, Error.t()}
  def check(snapshot, modules, name) do
    if snapshot == false or match?([_], modules) do
      :ok
    else
      message =
        "no snapshot can be taken of the plugin: it has #{length(modules)} modules, and a snapshot needs a plugin of one " <>
          "module"

      {:error, %Error{reason: :snapshot, message: message, plugin: name}}
    end
  end

  @doc """
  Returns the module of a plugin's snapshot, and the variables that its initialisation set. The plugin was
  compiled for it.
  """
  @spec take(Compiled.t()) :: {:ok, module :: binary(), vars :: map()} | {:error, Error.t()}
  def take(%Compiled{settings: settings} = compiled) do
    # An instance that trapped or exited is not kept, whatever `:on_trap` says.
    settings = put_in(settings.terms.on_trap, :reset)

    Telemetry.span(
      [:vitrine, :snapshot],
      %{plugin: Telemetry.tag(compiled.name)},
      &Telemetry.outcome/1,
      fn ->
        with {:ok, plugin} <- Instance.bind(%{compiled | settings: settings}) do
          try do
            initialise_and_take(plugin, settings)
          after
            Native.plugin_close(plugin.ref)
          end
        end
      end
    )
  end

  defp initialise_and_take(plugin, settings) do
    with {:ok, _} <- initialise(plugin, settings.snapshot, settings),
         {:ok, module} <- native(Native.await(&Native.plugin_snapshot(plugin.ref, &1)), plugin) do
      {:ok, module, Native.plugin_vars(plugin.ref)}
    end
  end

  defp initialise(plugin, true, settings),
    do:
      plugin
      |> Frame.new(nil, settings.context)
      |> Loop.initialise(plugin.timeout)
      |> explain(plugin)

  # The first call makes the instance, too, within the same time.
  defp initialise(plugin, function, settings) do
    frame = %{Frame.new(plugin, function, settings.context) | scheduler: :dirty}
    frame |> Loop.drive("", plugin.timeout) |> explain(plugin)
  end

  defp explain(result, plugin), do: Timeout.explain(result, plugin.timeout, plugin.timeout_from)

  defp native(answer, plugin), do: Failure.result(answer, plugin: plugin.name)
end
