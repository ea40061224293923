defmodule Vitrine.Pool.Options do
  @moduledoc false
  # The options of a pool, checked.

  alias Vitrine.Options.{Argument, Names, Schema, Type, Validation}
  alias Vitrine.Options.Tables.Plugin, as: PluginTable
  alias Vitrine.Options.Tables.Pool, as: Table
  alias Vitrine.Pool.{Policy, Version}

  # A pool never uses an instance again after a trap.
  @plugin_options Schema.names(PluginTable.schema()) -- [:name, :on_trap]

  # A partition of fewer slots than this would often have to borrow.
  @slots_of_partition 2

  # Neither the configuration nor the variables, which may be secret.
  @derive {Inspect, only: [:size, :overflow, :policy]}
  @enforce_keys [:size, :overflow, :partitions, :max_queue, :queue_timeout, :shutdown, :policy] ++
                  [:source, :plugin, :vars]
  # `name` is that of the process.
  defstruct @enforce_keys ++ [:name]

  @type t :: %__MODULE__{}

  @doc "The options of `Vitrine.Pool.start_link/1`, without the process's name and id."
  @spec new!(keyword()) :: t()
  def new!(options) do
    {options, plugin} = Validation.split!(options, Table.schema(), @plugin_options)
    # Defaults that depend on the machine are found when a pool is started.
    options = %{options | size: options.size || 2 * System.schedulers_online()}
    at_most_size!(options, :min_idle)

    plugin = plugin |> name(options.plugin_name)
    Version.validate!(options.source, plugin, options.vars)

    %__MODULE__{
      source: options.source,
      plugin: plugin,
      vars: options.vars,
      size: options.size,
      overflow: options.overflow,
      partitions: partitions!(options),
      max_queue: options.max_queue,
      queue_timeout: options.queue_timeout,
      shutdown: options.shutdown,
      policy: %Policy{
        reset?: options.reset,
        max_calls: options.max_calls,
        max_age: options.max_age,
        min_idle: options.min_idle,
        idle_timeout: options.idle_timeout
      }
    }
  end

  @doc "The child specification of a pool."
  @spec child_spec(module(), keyword()) :: Supervisor.child_spec()
  def child_spec(module, options) do
    options = Argument.keyword!(options)
    shutdown = Keyword.get(options, :shutdown, Schema.default(Table.schema(), :shutdown))

    %{
      id: options[:id] || options[:name] || module,
      start: {module, :start_link, [options]},
      restart: Validation.value!(Table.schema(), :restart, options[:restart]) || :permanent,
      shutdown: Table.schema() |> Validation.value!(:shutdown, shutdown) |> patience()
    }
  end

  # The supervisor waits a second longer than the calls may take.
  defp patience(:infinity), do: :infinity
  defp patience(shutdown), do: min(shutdown + 1_000, Type.max_timeout())

  @doc "The options of `Vitrine.Pool.upgrade/3`, put over those of the pool."
  @spec upgrade!(keyword(), Vitrine.source(), keyword(), map()) :: {keyword(), map()}
  def upgrade!(changes, source, plugin, vars) do
    changes = Names.validate!(changes, [:vars, :plugin_name] ++ @plugin_options)
    {vars, changes} = Keyword.pop(changes, :vars, vars)
    {plugin_name, changes} = Keyword.pop(changes, :plugin_name)
    plugin = plugin |> Keyword.merge(changes) |> name(plugin_name)
    Version.validate!(source, plugin, vars)
    {plugin, vars}
  end

  defp name(plugin, nil), do: plugin
  defp name(plugin, name), do: Keyword.put(plugin, :name, name)

  defp partitions!(%{partitions: nil, size: size}) do
    size |> div(@slots_of_partition) |> min(System.schedulers_online()) |> max(1)
  end

  defp partitions!(%{partitions: partitions} = options) do
    at_most_size!(options, :partitions)
    partitions
  end

  defp at_most_size!(options, key) do
    value = Map.fetch!(options, key)

    if value > options.size do
      raise ArgumentError,
            "expected #{inspect(key)} to be at most :size, which is #{options.size}, got: #{value}"
    end
  end
end
