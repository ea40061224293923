defmodule Vitrine.Loader.Snapshot do
  @moduledoc false
  # The option `:snapshot`: a plugin is initialised once, in a call like any other, and its memory and
  # globals become the module that instances are made of.

  alias Vitrine.{Compiled, Error, Loader, Native, Telemetry}
  alias Vitrine.Call.{Deadline, Loop}
  alias Vitrine.Loader.Source

  @typedoc "Whether there is to be one, or the function that it is taken after."
  @type wish :: boolean() | String.t()

  @doc "Whether there can be one of a plugin of these modules."
  @spec check(wish(), [Source.wasm()], String.t() | nil) :: :ok | {:error, Error.t()}
  def check(wish, modules, name) do
    if wish == false or match?([_], modules) do
      :ok
    else
      message =
        "no snapshot can be taken of the plugin: it has #{length(modules)} modules, and that is " <>
          "possible for one only"

      {:error, %Error{reason: :snapshot, message: message, plugin: name}}
    end
  end

  @doc """
  The module of a plugin's snapshot, and the variables that its initialisation set. The plugin was
  compiled for it.
  """
  @spec take(Compiled.t()) :: {:ok, module :: binary(), vars :: map()} | {:error, Error.t()}
  def take(%Compiled{settings: settings} = compiled) do
    # What ended itself is not kept, whatever `:on_trap` says.
    settings = put_in(settings.terms.on_trap, :reset)

    Telemetry.span(
      [:vitrine, :snapshot],
      %{plugin: Telemetry.tag(compiled.name)},
      &Telemetry.outcome/1,
      fn ->
        with {:ok, plugin} <- Loader.plugin(%{compiled | settings: settings}) do
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
    do: {plugin, nil, settings.context} |> Loop.initialise(plugin.timeout) |> told(plugin)

  # The first call makes the instance, too, within the same time.
  defp initialise(plugin, function, settings) do
    frame = {%{plugin | scheduler: :dirty}, function, settings.context}
    frame |> Loop.drive("", plugin.timeout) |> told(plugin)
  end

  defp told(result, plugin), do: Deadline.told(result, plugin.timeout, plugin.timeout_from)

  defp native({:ok, _} = ok, _plugin), do: ok

  defp native({:error, details}, plugin),
    do: {:error, Error.from_native(details, plugin: plugin.name)}
end
