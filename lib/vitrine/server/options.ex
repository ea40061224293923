defmodule Vitrine.Server.Options do
  @moduledoc false
  # The options of a server, checked where it is started: a wrong one raises there.

  alias Vitrine.{Keys, Loader, Options}
  alias Vitrine.Loader.Source
  alias Vitrine.Options.Argument
  alias Vitrine.Text.Nearest

  @server [
    :source,
    :id,
    :plugin_name,
    :on_trap,
    :restart,
    :shutdown,
    :restore_vars,
    :max_queue,
    :watch
  ]
  @gen_server [:name, :hibernate_after, :spawn_opt, :debug]

  @default_shutdown 5_000

  @default_max_queue 10_000

  # How often watched files are looked at, in milliseconds.
  @default_interval 500

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

  @doc "What a server is to be, and the options of `GenServer.start_link/3`."
  @spec start!(keyword()) :: {t(), keyword()}
  def start!(options) do
    plugin_names = Options.plugin_options() -- [:name]
    options = Keys.validate!(options, @server ++ @gen_server ++ plugin_names)
    {gen_server, options} = Keyword.split(options, @gen_server)
    unless options[:source], do: raise(ArgumentError, "the option :source is missing")

    on_trap = options |> Keyword.get(:on_trap, :reset) |> on_trap!()
    plugin = Keyword.take(options, plugin_names -- [:on_trap])
    on_trap_of_plugin = if on_trap == :keep, do: :keep, else: :reset
    plugin = [name: options[:plugin_name], on_trap: on_trap_of_plugin] ++ plugin
    # Not first in the server's own process.
    Loader.check_options!(options[:source], plugin)
    restart!(options[:restart])

    {%{
       name: gen_server[:name],
       source: options[:source],
       plugin: plugin,
       on_trap: on_trap,
       shutdown: shutdown!(Keyword.get(options, :shutdown, @default_shutdown)),
       max_queue: max_queue!(Keyword.get(options, :max_queue, @default_max_queue)),
       vars: vars!(options[:restore_vars], gen_server[:name]),
       watch: watch!(options[:watch], options[:source])
     }, gen_server}
  end

  @doc "The options of `Vitrine.Server.upgrade/3`."
  @spec upgrade!(keyword()) :: keyword()
  def upgrade!(options), do: Keys.validate!(options, Options.plugin_options())

  @doc "The child specification of a server."
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(options) do
    Argument.keyword!(options)

    %{
      id: options[:id] || options[:name] || Vitrine.Server,
      start: {Vitrine.Server, :start_link, [options]},
      restart: restart!(options[:restart]),
      shutdown: shutdown!(Keyword.get(options, :shutdown, @default_shutdown))
    }
  end

  defp on_trap!(on_trap) when on_trap in [:reset, :keep, :stop], do: on_trap

  defp on_trap!(other),
    do: wrong(:on_trap, ":reset, :keep or :stop", other, [:reset, :keep, :stop])

  @doc "The option `:restart` of a server or a pool."
  @spec restart!(term()) :: :permanent | :transient | :temporary
  def restart!(nil), do: :permanent
  def restart!(restart) when restart in [:permanent, :transient, :temporary], do: restart

  def restart!(other) do
    known = [:permanent, :transient, :temporary]
    wrong(:restart, ":permanent, :transient or :temporary", other, known)
  end

  defp shutdown!(shutdown) when shutdown in [:infinity, :brutal_kill], do: shutdown
  defp shutdown!(shutdown) when is_integer(shutdown) and shutdown >= 0, do: shutdown

  defp shutdown!(other) do
    known = [:infinity, :brutal_kill]
    wrong(:shutdown, "milliseconds, :infinity or :brutal_kill", other, known)
  end

  defp max_queue!(:infinity), do: :infinity
  defp max_queue!(max) when is_integer(max) and max >= 0, do: max
  defp max_queue!(other), do: wrong(:max_queue, "an integer from 0 on or :infinity", other)

  defp vars!(none, _name) when none in [nil, false], do: nil

  defp vars!(true, nil) do
    raise ArgumentError,
          "restore_vars: true finds the variables again by the server's :name, which is missing"
  end

  defp vars!(true, name), do: {:memory, name}

  defp vars!({module, _argument} = store, _name) when is_atom(module) do
    if Code.ensure_loaded?(module) and function_exported?(module, :load, 1) and
         function_exported?(module, :save, 2) do
      store
    else
      wrong(:restore_vars, "{module, argument} with a Vitrine.Server.Store", store)
    end
  end

  defp vars!(other, _name), do: wrong(:restore_vars, "true, false or {module, argument}", other)

  defp watch!(none, _source) when none in [nil, false], do: nil
  defp watch!(true, source), do: watch!(@default_interval, source)

  defp watch!(interval, source) when is_integer(interval) and interval > 0 do
    if Source.files(source) == [] do
      raise ArgumentError,
            "expected :watch together with a source that is a file or made of files"
    end

    interval
  end

  defp watch!(other, _source), do: wrong(:watch, "true, false or milliseconds", other)

  defp wrong(option, expected, value, known \\ []) do
    raise ArgumentError,
          "expected #{inspect(option)} to be #{expected}, got: #{inspect(value)}" <>
            Nearest.advice(value, known)
  end
end
