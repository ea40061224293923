defmodule Vitrine.Server.Options do
  @moduledoc false
  # The options of a server, checked where it is started: a wrong one raises there.

  alias Vitrine.Loader.{Pipeline, Source}
  alias Vitrine.Options.{Argument, Names, Schema, Type, Validation}
  alias Vitrine.Options.Tables.Plugin, as: PluginTable
  alias Vitrine.Options.Tables.Server, as: Table
  alias Vitrine.Text.Printable

  # A server has an `:on_trap` of its own, and its `:name` is that of the process.
  @plugin_options Schema.names(PluginTable.schema()) -- [:name, :on_trap]

  @max_timeout Type.max_timeout()

  @gen_server [:name, :hibernate_after, :spawn_opt, :debug]

  @type t :: %{
          name: GenServer.name() | nil,
          source: Vitrine.source(),
          plugin: keyword(),
          on_trap: :reset | :keep | :stop,
          shutdown: timeout() | :brutal_kill,
          max_queue: non_neg_integer() | :infinity,
          vars: nil | {:memory, term()} | {module(), term()},
          watch: pos_integer() | nil
        }

  @doc "Returns the server's options, and the options of `GenServer.start_link/3`."
  @spec start!(keyword()) :: {t(), keyword()}
  def start!(options) do
    {checked, plugin} = Validation.split!(options, Table.schema(), @plugin_options)
    on_trap_of_plugin = if checked.on_trap == :keep, do: :keep, else: :reset
    plugin = [name: checked.plugin_name, on_trap: on_trap_of_plugin] ++ plugin
    # Not first in the server's own process.
    Pipeline.check_options!(checked.source, plugin)

    {%{
       name: checked.name,
       source: checked.source,
       plugin: plugin,
       on_trap: checked.on_trap,
       shutdown: checked.shutdown,
       max_queue: checked.max_queue,
       vars: vars!(checked.restore_vars, checked.name),
       watch: watch!(checked.watch, checked.source)
     }, Keyword.take(options, @gen_server)}
  end

  @doc "The options of `Vitrine.Server.upgrade/3`."
  @spec upgrade!(keyword()) :: keyword()
  def upgrade!(options), do: Names.validate!(options, Schema.names(PluginTable.schema()))

  @doc "The child specification of a server."
  @spec child_spec(module(), keyword()) :: Supervisor.child_spec()
  def child_spec(module, options) do
    options = Argument.keyword!(options)
    shutdown = Keyword.get(options, :shutdown, Schema.default(Table.schema(), :shutdown))

    %{
      id: options[:id] || options[:name] || module,
      start: {module, :start_link, [options]},
      restart: Validation.value!(Table.schema(), :restart, options[:restart]) || :permanent,
      shutdown: Validation.value!(Table.schema(), :shutdown, shutdown)
    }
  end

  defp vars!(none, _name) when none in [nil, false], do: nil

  defp vars!(true, nil) do
    raise ArgumentError,
          "restore_vars: true finds the variables again by the server's :name, which is missing"
  end

  defp vars!(true, name), do: {:memory, name}

  defp vars!({module, _argument} = store, _name) when is_atom(module) do
    if wrong = not_a_store(module) do
      raise ArgumentError,
            "expected :restore_vars to be {module, argument} with a Vitrine.Server.Store, got: " <>
              "#{Printable.term(store)}: #{inspect(module)} #{wrong}"
    end

    store
  end

  defp vars!(other, _name), do: Validation.wrong!(Table.schema(), :restore_vars, other)

  defp not_a_store(module) do
    cond do
      not Code.ensure_loaded?(module) -> "is not available"
      not function_exported?(module, :load, 1) -> "lacks load/1"
      not function_exported?(module, :save, 2) -> "lacks save/2"
      true -> nil
    end
  end

  defp watch!(none, _source) when none in [nil, false], do: nil
  defp watch!(true, source), do: watch!(Table.interval(), source)

  defp watch!(interval, source) when is_integer(interval) and interval in 1..@max_timeout do
    if Source.files(source) == [] do
      raise ArgumentError,
            "expected :watch together with a source that is a file or made of files"
    end

    interval
  end

  defp watch!(other, _source), do: Validation.wrong!(Table.schema(), :watch, other)
end
