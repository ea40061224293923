defmodule Vitrine.Pool.Options do
  @moduledoc false
  # The options of a pool, checked.

  alias Vitrine.Keys
  alias Vitrine.Options.Argument
  alias Vitrine.Pool.{Policy, Version}

  # A pool never uses an instance again after a trap.
  @plugin_options Vitrine.Options.plugin_options() -- [:name, :on_trap]

  # Of :size and :partitions, those that depend on the machine are found when a pool is started.
  @defaults [
    id: nil,
    restart: nil,
    source: nil,
    plugin_name: nil,
    size: nil,
    partitions: nil,
    overflow: 0,
    max_queue: 1_000,
    queue_timeout: :infinity,
    min_idle: 0,
    idle_timeout: 60_000,
    max_calls: :infinity,
    max_age: :infinity,
    reset: false,
    shutdown: 5_000,
    vars: %{}
  ]

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
    {plugin, options} =
      options |> Keys.validate!(@defaults ++ @plugin_options) |> Keyword.split(@plugin_options)

    options = Map.new(options)
    options = %{options | size: options.size || 2 * System.schedulers_online()}
    unless options.source, do: raise(ArgumentError, "the option :source is missing")

    integer!(options, :size, 1)
    integer!(options, :overflow, 0)
    integer!(options, :min_idle, 0)
    integer!(options, :max_queue, 0, :infinity)
    integer!(options, :max_calls, 1, :infinity)
    for key <- [:queue_timeout, :shutdown], do: integer!(options, key, 0, :infinity)
    for key <- [:idle_timeout, :max_age], do: integer!(options, key, 1, :infinity)
    boolean!(options, :reset)
    Vitrine.Server.Options.restart!(options.restart)
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
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(options) do
    options = Argument.keyword!(options)
    checked = %{shutdown: Keyword.get(options, :shutdown, @defaults[:shutdown])}
    integer!(checked, :shutdown, 0, :infinity)

    %{
      id: options[:id] || options[:name] || Vitrine.Pool,
      start: {Vitrine.Pool, :start_link, [options]},
      restart: Vitrine.Server.Options.restart!(options[:restart]),
      shutdown: patience(checked.shutdown)
    }
  end

  # What the supervisor adds to the time for calls.
  defp patience(:infinity), do: :infinity
  defp patience(shutdown), do: shutdown + 1_000

  @doc "The options of `Vitrine.Pool.upgrade/3`, put over those of the pool."
  @spec upgrade!(keyword(), Vitrine.source(), keyword(), map()) :: {keyword(), map()}
  def upgrade!(changes, source, plugin, vars) do
    changes = Keys.validate!(changes, [:vars, :plugin_name] ++ @plugin_options)
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
    integer!(options, :partitions, 1)
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

  defp integer!(options, key, least, also \\ nil) do
    value = Map.fetch!(options, key)

    unless (is_integer(value) and value >= least) or (also != nil and value == also) do
      or_also = if also, do: " or #{inspect(also)}", else: ""

      raise ArgumentError,
            "expected #{inspect(key)} to be an integer from #{least} on#{or_also}, got: " <>
              inspect(value)
    end
  end

  defp boolean!(options, key) do
    unless is_boolean(Map.fetch!(options, key)) do
      raise ArgumentError,
            "expected #{inspect(key)} to be true or false, got: #{inspect(Map.fetch!(options, key))}"
    end
  end
end
