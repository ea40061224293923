defmodule Vitrine.Server do
  @moduledoc """
  A process that holds one plugin for many callers. Use it for a plugin whose state is shared and lives long, such as
  a game.

      children = [
        {Vitrine.Server, source: "game.wasm", name: MyApp.Game}
      ]

      Vitrine.call(MyApp.Game, "handle_event", json)

  `Vitrine.call/4`, `Vitrine.cancel/1`, `Vitrine.reset/1`, `Vitrine.function_exists?/2`, `Vitrine.stats/1`,
  `Vitrine.close/1` and similar functions take a server as they take a plugin, by its pid or any name.

  ## How a call runs

  Calls are served one at a time, in order. The server itself runs the first slice of a call, which is nearly always the
  whole call. A call that takes longer, or calls a host function, continues in the calling process. Host functions
  therefore run in the caller, `self()` is the caller, and the server answers while a plugin works.

  If the caller dies, its call ends with it, and the server goes on with the next call. If the server ends, for whatever
  reason, the call is `:cancelled`. For a caller on another node, a process on the server's node makes the call.

  ## Timeouts

  A call's timeout includes the time that it waits for its turn. It also covers a server that does not answer at all.
  The error then comes a tenth of a second later. The plugin's own timeout, for calls that set none, is known only to
  the server.

  The guides [Servers under supervision](supervision.md) and [Upgrades](upgrades.md) describe restarts, variables that
  survive them, and new versions.
  """

  use GenServer

  alias Vitrine.{Native, Plugin}
  alias Vitrine.Loader.Pipeline
  alias Vitrine.Options.{Docs, Tables}
  alias Vitrine.Process.{Callable, Client, Directory, Request, Status}
  alias Vitrine.Server.{Drain, Options, Scheduler, State, Upgrade, Vars, Watch}
  alias Vitrine.Text.Printable

  # How long a server may take to answer info/1, in milliseconds.
  @info_timeout 5_000

  @typedoc "Any name of a process that `GenServer.call/3` takes."
  @type server :: GenServer.server()

  @typedoc """
  The facts about a server, see `info/1`. `hash` is the sha256 of the main module. `version` starts at 1 and grows with
  each upgrade. `calls` and `errors` are totals of all versions; the other fields are those of the present version.
  """
  @type info :: %{
          plugin: String.t(),
          hash: String.t(),
          version: pos_integer(),
          state: :idle | :busy,
          upgrading: boolean(),
          queue: non_neg_integer(),
          calls: non_neg_integer(),
          errors: non_neg_integer(),
          memory_bytes: non_neg_integer(),
          uptime_ms: non_neg_integer()
        }

  @doc """
  Starts a server with its plugin.

  ## Options

  All options of `Vitrine.new/2`, and those of the server.

  #{Docs.markdown(Tables.Server.schema())}
  ## Errors

  A plugin that cannot be loaded is `{:error, %Vitrine.Error{}}`. Wrong options raise `ArgumentError`. As with
  `GenServer.start_link/3`, a caller that does not trap exits ends together with the process that could not load the
  plugin. Such an error is seen by the supervisor.

      iex> {:ok, server} = Vitrine.Server.start_link(source: ~S|(module (func (export "run")))|)
      iex> Vitrine.call(server, "run")
      {:ok, ""}
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options) do
    {options, gen_server} = Options.start!(options)
    GenServer.start_link(__MODULE__, options, gen_server)
  end

  @doc "A child specification; the options are those of `start_link/1`."
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(options), do: Options.child_spec(__MODULE__, options)

  @doc """
  Returns what a server is and does now, see `t:info/0`.

      iex> {:ok, server} = Vitrine.Server.start_link(source: ~S|(module (func (export "run")))|)
      iex> Vitrine.call(server, "run")
      iex> info = Vitrine.Server.info(server)
      iex> {info.state, info.queue, info.version, info.calls, info.errors}
      {:idle, 0, 1, 1, 0}
  """
  @spec info(server()) :: info() | {:error, Vitrine.Error.t()}
  def info(server),
    do: server |> Callable.process!("a server") |> Client.ask(:info, @info_timeout, "a server")

  @doc """
  Replaces a server's plugin with another version.

  The new version is loaded beside the server, which continues to serve calls. It takes over between two calls, with the
  variables and the changes of the configuration of the old version. A running call ends on the old version, and waiting
  calls go to the new one. The function then returns `:ok`.

  If a version cannot be loaded, or cannot take over the variables, everything stays as it was. The error is

    * that of `Vitrine.new/2`,
    * `:vars`,
    * `:busy` while another upgrade is in progress,
    * `:cancelled` if loading was interrupted, or
    * `:closed` if the server is not running, or ends meanwhile.

  `options` are changes to the server's options, as far as they are options of `Vitrine.new/2`. A server that is
  restarted by its supervisor begins with the source and the options that it was started with.

      iex> {:ok, server} = Vitrine.Server.start_link(source: ~S|(module (func (export "run")))|)
      iex> Vitrine.Server.upgrade(server, ~S|(module (func (export "run") unreachable))|)
      :ok
      iex> {:error, error} = Vitrine.call(server, "run")
      iex> error.reason
      :trap
      iex> {:error, error} = Vitrine.Server.upgrade(server, "(module (func i32.const))")
      iex> {error.reason, Vitrine.Server.info(server).version}
      {:compile, 2}
  """
  @spec upgrade(server(), Vitrine.source(), keyword()) :: :ok | {:error, Vitrine.Error.t()}
  def upgrade(server, source, options \\ []) do
    Callable.process!(server, "a server")
    Callable.local!(source, server)
    options = Options.upgrade!(options)

    case Client.ask(server, {:upgrade, source, options}, :infinity, "a server") do
      {:raise, exception} -> raise exception
      answer -> answer
    end
  end

  @doc false
  # By this the directory recognises the process.
  def __vitrine__, do: :server

  ## The process

  @impl true
  def init(options) do
    # So that terminate/2 runs when a supervisor shuts this down.
    Process.flag(:trap_exit, true)
    stamps = options.watch && Watch.stamps(options.source)

    with {:ok, plugin} <- Pipeline.load(options.source, options.plugin),
         # Its calls run in their callers. They are to end with this process, also if that is killed.
         true = Native.plugin_tie(plugin.ref),
         :ok <- Vars.restore(options.vars, plugin) do
      if options.watch, do: watch(options, plugin, stamps)

      state = %State{
        options: options,
        plugin: plugin,
        saved_vars: Vars.version(plugin),
        started: System.monotonic_time(:millisecond),
        about: %{
          label: Directory.label(options.name),
          starter: Directory.starter(),
          since: System.system_time(:microsecond)
        }
      }

      Directory.join(State.entry(state))
      {:ok, state}
    else
      {:error, error} -> {:stop, error}
    end
  end

  defp watch(options, plugin, stamps) do
    server = self()

    watched = %{
      source: options.source,
      interval: options.watch,
      plugin: plugin.name,
      upgrade: &upgrade(server, &1)
    }

    Watch.start_link(watched, stamps)
  end

  @impl true
  def handle_call(%Request{} = request, from, state),
    do: state |> Scheduler.enqueue(request, from) |> continue()

  def handle_call({:upgrade, source, options}, from, state),
    do: state |> Upgrade.begin(source, options, from) |> continue()

  def handle_call(:info, _from, state), do: {:reply, State.info(state), state}

  def handle_call({:put_vars, vars}, _from, state) do
    result = Plugin.put_vars(state.plugin, vars)
    {:reply, result, Scheduler.save_vars(state)}
  end

  def handle_call({:put_config, changes}, _from, state) do
    state = %{state | config: Map.merge(state.config, changes)}
    {:reply, Plugin.put_config(state.plugin, changes), state}
  end

  def handle_call({:function_exists?, name}, _from, state),
    do: {:reply, Plugin.function_exists?(state.plugin, name), state}

  def handle_call(:functions, _from, state),
    do: {:reply, Plugin.functions(state.plugin), state}

  def handle_call(:cancel, _from, state), do: {:reply, Plugin.cancel(state.plugin), state}
  # A client asks this after it has released the plugin.
  def handle_call(:saved, _from, state), do: {:reply, :ok, state}
  def handle_call(:vars, _from, state), do: {:reply, Plugin.vars(state.plugin), state}
  def handle_call(:stats, _from, state), do: {:reply, Plugin.stats(state.plugin), state}
  def handle_call(:fuel_used, _from, state), do: {:reply, Plugin.fuel_used(state.plugin), state}
  def handle_call(:reset, _from, state), do: {:reply, Plugin.reset(state.plugin), state}

  def handle_call(:take_printed, _from, state),
    do: {:reply, Plugin.take_printed(state.plugin), state}

  def handle_call(question, _from, state) do
    # Only a pool is asked for its configuration, and only by an upgrade.
    advice = if question == :configuration, do: "; use Vitrine.Server.upgrade/3", else: ""
    name = Printable.quoted(state.plugin.name)
    found = "the server #{inspect(self())} of plugin #{name}#{advice}"
    {:reply, Client.misdirected(question, "a pool", found), state}
  end

  @impl true
  def handle_cast({:release, tag, error}, state),
    do: state |> Scheduler.release(tag, error) |> continue()

  def handle_cast({:abandon, id}, state), do: state |> Scheduler.abandon(id) |> continue()
  def handle_cast(_message, state), do: {:noreply, state}

  # The application was stopped, and is back.
  @impl true
  def handle_info({Directory, :join}, state) do
    if Directory.join(State.entry(state)), do: Vars.reclaim(state.options.vars, state.plugin)
    {:noreply, state}
  end

  def handle_info({:DOWN, monitor, :process, _, reason}, %{upgrade: %{monitor: monitor}} = state),
    do: state |> Upgrade.loaded(reason) |> Scheduler.next() |> continue()

  def handle_info({:DOWN, monitor, :process, _, _}, state),
    do: state |> Scheduler.down(monitor) |> continue()

  def handle_info(:recover, %{lease: %{tag: :recovering}} = state),
    do: state |> Scheduler.recover() |> continue()

  def handle_info({:expired, id}, state), do: state |> Scheduler.expire(id) |> continue()

  def handle_info({:EXIT, _linked, :normal}, state), do: {:noreply, state}
  def handle_info({:EXIT, _linked, reason}, state), do: {:stop, reason, state}

  # Wake-ups of calls that were handed over, for example.
  def handle_info(_message, state), do: {:noreply, state}

  @impl true
  def terminate(reason, state) do
    Directory.delete(self())
    state = Drain.run(state, reason)
    # First, because saving the variables may take longer than the supervisor waits.
    Plugin.close(state.plugin)
    Scheduler.save_vars(state)
  end

  # A callback for Elixir since 1.17 only; OTP calls it in any case.
  @impl {:format_status, 1} in GenServer.behaviour_info(:callbacks)
  @doc false
  def format_status(status), do: Status.redact(status)

  defp continue(%{failure: nil} = state), do: {:noreply, state}

  # The exit reason is that of a process that raised the error, so that logs show it well.
  defp continue(%{failure: error} = state) do
    {:current_stacktrace, stacktrace} = Process.info(self(), :current_stacktrace)
    {:stop, {error, stacktrace}, state}
  end
end
