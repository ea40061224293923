defmodule Vitrine.Server.State do
  @moduledoc false
  # The state of a server.

  alias Vitrine.Plugin
  alias Vitrine.Process.Queue
  alias Vitrine.Server.{Lease, Options, Upgrade}

  @type t :: %__MODULE__{
          options: Options.t(),
          plugin: Plugin.t(),
          # The call that the server has handed over, if there is one.
          lease: Lease.t() | nil,
          queue: Queue.t(),
          upgrade: Upgrade.t() | nil,
          # Changes of the configuration since the start. An upgrade takes them over.
          config: map(),
          saved_vars: non_neg_integer(),
          # Why the server is to stop.
          failure: Vitrine.Error.t() | nil,
          version: pos_integer(),
          # The counts of the versions before this one.
          past: %{
            calls: non_neg_integer(),
            errors: non_neg_integer(),
            fuel: non_neg_integer()
          },
          started: integer(),
          # The directory's data of the server, besides its plugin. Times are microseconds of Unix time.
          about: %{label: String.t(), starter: pid() | nil, since: integer()}
        }

  # A crash report shows neither modules nor configuration nor inputs.
  @derive {Inspect, only: [:plugin, :version, :lease, :past]}
  @enforce_keys [:options, :plugin, :saved_vars, :started, :about]
  defstruct @enforce_keys ++
              [
                lease: nil,
                queue: %Queue{},
                upgrade: nil,
                config: %{},
                failure: nil,
                version: 1,
                past: %{calls: 0, errors: 0, fuel: 0}
              ]

  @doc "Returns what `Vitrine.Server.info/1` gives."
  @spec info(t()) :: Vitrine.Server.info()
  def info(state) do
    stats = Plugin.stats(state.plugin)

    %{
      plugin: state.plugin.name,
      hash: state.plugin.hash,
      version: state.version,
      state: if(state.lease, do: :busy, else: :idle),
      upgrading: state.upgrade != nil,
      queue: Queue.size(state.queue),
      calls: state.past.calls + stats.calls,
      errors: state.past.errors + errors(stats),
      memory_bytes: stats.memory_bytes,
      uptime_ms: System.monotonic_time(:millisecond) - state.started
    }
  end

  @doc "Returns a state with another plugin, whose counters begin anew."
  @spec replace(t(), Plugin.t()) :: t()
  def replace(state, plugin) do
    stats = Plugin.stats(state.plugin)

    %{
      state
      | plugin: plugin,
        version: state.version + 1,
        past: %{
          calls: state.past.calls + stats.calls,
          errors: state.past.errors + errors(stats),
          fuel: state.past.fuel + stats.fuel
        }
    }
  end

  @doc "Returns what the directory has of the server."
  @spec entry(t()) :: Vitrine.Process.Directory.server()
  def entry(%{plugin: plugin} = state) do
    Map.merge(state.about, %{
      plugin: plugin.name,
      hash: plugin.hash,
      past: {state.past.calls, state.past.fuel}
    })
  end

  defp errors(stats), do: stats.errors |> Map.values() |> Enum.sum()
end
