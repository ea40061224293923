defmodule Vitrine.Server.Upgrade do
  @moduledoc false
  # Replaces a server's plugin with another version. A process of its own loads the new version while the server serves
  # calls, and it takes over between two calls.

  alias Vitrine.{Error, Native, Plugin, Telemetry}
  alias Vitrine.Loader.Pipeline
  alias Vitrine.Options.Argument
  alias Vitrine.Process.Directory
  alias Vitrine.Server.{State, Vars}
  alias __MODULE__

  defstruct [:from, :loader, :monitor, :began, :options, plugin: nil]

  @type t :: %Upgrade{
          from: GenServer.from(),
          loader: pid(),
          monitor: reference(),
          began: integer(),
          options: keyword(),
          # The new version, when it is loaded.
          plugin: Plugin.t() | nil
        }

  @doc "Begins to load another version. `from` is answered when it has taken over, or cannot."
  @spec begin(State.t(), Vitrine.source(), keyword(), GenServer.from()) :: State.t()
  def begin(%{upgrade: nil} = state, source, options, {client, _} = from) do
    options = Keyword.merge(state.options.plugin, options)

    {loader, monitor} =
      spawn_monitor(fn ->
        # Initialisers may call host functions, which find the caller by this.
        Process.put(:"$callers", [client])
        exit({:loaded, load(source, options)})
      end)

    began = System.monotonic_time()

    upgrade = %Upgrade{
      from: from,
      loader: loader,
      monitor: monitor,
      began: began,
      options: options
    }

    %{state | upgrade: upgrade}
  end

  def begin(state, _source, _options, from) do
    message = "the server is in the middle of another upgrade"
    error = %Error{reason: :busy, message: message, plugin: state.plugin.name}
    GenServer.reply(from, {:error, error})
    state
  end

  defp load(source, options) do
    Pipeline.load(source, Argument.keyword!(options))
  rescue
    # An option is wrong. The process that gave it raises this.
    exception -> {:raise, exception}
  end

  @doc "Takes the result of the process that loads, which has ended."
  @spec loaded(State.t(), term()) :: State.t()
  def loaded(%{upgrade: upgrade} = state, {:loaded, {:ok, plugin}}),
    do: %{state | upgrade: %{upgrade | plugin: plugin}}

  def loaded(state, {:loaded, failure}), do: finish(state, failure)

  def loaded(state, reason) do
    message = "loading the new version ended early: #{Exception.format_exit(reason)}"
    finish(state, {:error, %Error{reason: :cancelled, message: message}})
  end

  @doc "Lets a new version that is loaded take over. The server calls this between two calls."
  @spec settle(State.t()) :: State.t()
  def settle(%{upgrade: %Upgrade{plugin: new, options: options}, plugin: old} = state)
      when new != nil do
    case take_over(state, old, new) do
      :ok ->
        true = Native.plugin_tie(new.ref)
        state = %{State.replace(state, new) | saved_vars: Vars.version(new)}
        Directory.put(State.entry(state))
        Plugin.close(old)
        finish(%{state | options: %{state.options | plugin: options}}, :ok)

      {:error, error} ->
        Plugin.close(new)
        finish(state, {:error, error})
    end
  end

  def settle(state), do: state

  defp take_over(state, old, new) do
    with :ok <- Plugin.put_vars(new, Plugin.vars(old)) do
      Plugin.put_config(new, state.config)
      Vars.replace(state.options.vars, new)
    end
  end

  defp finish(%{upgrade: upgrade} = state, answer) do
    GenServer.reply(upgrade.from, answer)

    metadata =
      Map.merge(Telemetry.outcome(answer), %{
        server: self(),
        plugin: Telemetry.tag(state.plugin.name)
      })

    duration = System.monotonic_time() - upgrade.began
    Telemetry.emit([:vitrine, :server, :upgrade], %{duration: duration}, metadata)
    %{state | upgrade: nil}
  end
end
