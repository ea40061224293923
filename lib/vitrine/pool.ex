defmodule Vitrine.Pool do
  @moduledoc """
  A pool of instances of one plugin, for concurrent callers.

      children = [
        {Vitrine.Pool, source: "thumbnails.wasm", name: MyApp.Thumbnails, size: 8}
      ]

      Vitrine.call(MyApp.Thumbnails, "resize", image, timeout: 500)

  `Vitrine.call/4` takes a pool, by its pid or any name, as it takes a plugin. The call leases an instance and runs in
  the calling process: host functions run in the caller, and `self()` is the caller. No other process takes part,
  unless all instances are taken. Callers then wait in a queue, in order. A call's timeout includes the time in the
  queue.

  `Vitrine.stats/1`, `Vitrine.function_exists?/2` and `Vitrine.close/1` also take a pool.

  ## State

  An instance serves one call at a time. What a call leaves in an instance, the next call finds, whatever process
  makes it. Use `reset: true` if callers must not see anything of each other, and host functions for state that is
  shared.

  Each instance has its own variables. `Vitrine.vars/1`, `Vitrine.put_vars/2`, `Vitrine.put_config/2`,
  `Vitrine.reset/1`, `Vitrine.cancel/1` and similar functions therefore raise `ArgumentError` for a pool. To stop a
  call, end its process.

  An instance is dropped after a trap, a timeout, an exit, a failure of a host function, or the death of its caller in
  the middle of a call, and as the options of `start_link/1` say. A new instance is made when it is needed.

  A pool that is not used has no instance and sets no timer, so there can be one for each tenant. See the guide
  [Pools](pools.md).
  """

  alias Vitrine.{Error, Telemetry, Trace}
  alias Vitrine.Options.{Argument, Docs, Tables}
  alias Vitrine.Pool.{Checkout, Options, Slots, Version}
  alias Vitrine.Process.{Callable, Client, Directory, Request}
  alias Vitrine.Process.Directory.Stranger

  # How long another node may take to answer info/1, in milliseconds.
  @info_timeout 5_000

  # How long a pool may take to put itself into the directory, in milliseconds.
  @introduce_timeout 500

  @doc """
  Starts a pool.

  The plugin is loaded, and one instance is made to check that this is possible. If it is not, the result is
  `{:error, %Vitrine.Error{}}`. As with `GenServer.start_link/3`, a caller that does not trap exits then ends together
  with the process that could not load the plugin. Other instances are made by callers, when they need them.

  ## Options

  All options of `Vitrine.new/2`, but for `:on_trap`, and those of the pool. Wrong options raise `ArgumentError`.

  #{Docs.markdown(Tables.Pool.schema())}
  ## Example

      iex> {:ok, pool} = Vitrine.Pool.start_link(source: ~S|(module (func (export "run")))|, size: 2)
      iex> Vitrine.call(pool, "run")
      {:ok, ""}
      iex> Vitrine.Pool.stop(pool)
      :ok
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options) do
    {server_options, options} = options |> Argument.keyword!() |> Keyword.split([:name])

    options = %{Options.new!(options) | name: server_options[:name]}
    Vitrine.Pool.Server.start_link(options, server_options)
  end

  @doc "A child specification; the options are those of `start_link/1`."
  @spec child_spec(keyword()) :: Supervisor.child_spec()
  def child_spec(options), do: Options.child_spec(__MODULE__, options)

  @doc false
  # Vitrine.call/4 for a pool, which has these slots.
  @spec call(GenServer.server(), Slots.t(), Request.t()) :: {:ok, binary()} | {:error, Error.t()}
  def call(pool, slots, %Request{trace: trace, function: function, input: input} = request) do
    run = fn -> Checkout.call(slots, request) end
    Trace.call(trace, function, input, fn -> observed(pool, slots, function, run) end)
  end

  defp observed(pool, slots, function, run) do
    case Telemetry.handler() do
      false ->
        run.()

      handler ->
        plugin = Slots.plugin_name(slots) || slots.label
        Telemetry.call(handler, Telemetry.called(plugin, function, pool, slots.label), run)
    end
  end

  @doc false
  # The same for a pool that this node's directory does not have: it is still starting, or the application was stopped
  # and is back.
  @spec introduce_and_call(GenServer.server(), pid(), Request.t()) ::
          {:ok, binary()} | {:error, Error.t()}
  def introduce_and_call(pool, pid, %Request{function: function, timeout: timeout} = request) do
    with {:ok, timeout} <- Client.introduce(pid, timeout),
         %Slots{} = slots <- Directory.lookup(pid) do
      call(pool, slots, %{request | timeout: timeout})
    else
      nil ->
        with {:error, error} <- closed(pool, "it has just been stopped"),
             do: failed(error, function)

      {:error, error} ->
        failed(error, function)
    end
  end

  defp failed(error, function), do: {:error, %{error | function: function}}

  @doc """
  Switches new calls to another version of the plugin. Calls in progress end on the version that they began on.

  `options` are those of `Vitrine.new/2` and `:vars`. They are merged over the options of the pool.

  The version is compiled, and an instance of it made, in the calling process, on the pool's node. If this fails, the
  error is returned and the pool stays as it was. To go back, upgrade to the earlier source.

      iex> {:ok, pool} = Vitrine.Pool.start_link(source: ~S|(module (func (export "one")))|)
      iex> Vitrine.Pool.upgrade(pool, ~S|(module (func (export "two")))|)
      :ok
      iex> Vitrine.call(pool, "two")
      {:ok, ""}
      iex> {:error, error} = Vitrine.Pool.upgrade(pool, ~S|(module (func (export "three") unknown))|)
      iex> {error.reason, Vitrine.Pool.info(pool).version}
      {:compile, 2}
  """
  @spec upgrade(GenServer.server(), Vitrine.source(), keyword()) :: :ok | {:error, Error.t()}
  def upgrade(pool, source, options \\ []) do
    Callable.process!(pool, "a pool")
    Argument.keyword!(options)
    Callable.local!(source, pool)
    arguments = [pool, source, options]
    at_home(pool, :upgrade, arguments, :infinity, fn -> load(pool, source, options) end)
  end

  defp load(pool, source, options) do
    describe = &Map.merge(Telemetry.outcome(&1), upgraded(pool))

    Telemetry.measure([:vitrine, :pool, :upgrade], describe, fn ->
      with {:ok, {plugin, vars}} <- Client.ask(pool, :configuration, :infinity, "a pool"),
           {plugin, vars} = Options.upgrade!(options, source, plugin, vars),
           {:ok, version} <- Version.load(source, plugin, vars) do
        Client.ask(pool, {:upgrade, version, plugin, vars})
      end
    end)
  end

  defp upgraded(pool) do
    case Slots.find(pool) do
      nil ->
        %{
          pool: Directory.label(pool),
          plugin: nil,
          server: GenServer.whereis(pool)
        }

      slots ->
        %{pool: slots.label, plugin: Telemetry.tag(Slots.plugin_name(slots)), server: slots.pid}
    end
  end

  @doc """
  Returns what a pool is doing, as a map:

    * `:size`, `:overflow`, `:partitions` - the options that it was started with
    * `:idle` - how many instances are ready
    * `:busy` - how many calls have an instance or are making one
    * `:waiting` - how many callers are in the queue
    * `:calls` - how many calls have ended
    * `:version` - how many versions there were, including this one
    * `:plugin` - the version's name, as in errors
    * `:hash` - the sha256 of its main module, in hexadecimal digits

  The pool's process is not asked, so this is equally cheap for a busy pool. If the pool is not running, the error is
  `:closed`.

      iex> {:ok, pool} = Vitrine.Pool.start_link(source: ~S|(module (func (export "run")))|, size: 2)
      iex> Vitrine.call(pool, "run")
      iex> Map.take(Vitrine.Pool.info(pool), [:size, :idle, :busy, :calls])
      %{size: 2, idle: 1, busy: 0, calls: 1}
  """
  @spec info(GenServer.server()) :: map() | {:error, Error.t()}
  def info(pool) do
    Callable.process!(pool, "a pool")

    at_home(pool, :info, [pool], @info_timeout, fn ->
      case Slots.find(pool) do
        nil -> pool |> GenServer.whereis() |> found_later(pool)
        slots -> describe(pool, slots)
      end
    end)
  end

  defp found_later(nil, pool), do: closed(pool, "there is no such process")

  defp found_later(pid, pool) do
    case Stranger.kind(pid) do
      # The application was stopped and is back, or the pool is just starting.
      :pool -> introduced(pid, pool)
      :server -> Stranger.refuse!("a pool", pool, "a server")
      {:stranger, what} -> Stranger.refuse!("a pool", pool, what)
      :gone -> closed(pool, "there is no such process")
    end
  end

  defp introduced(pid, pool) do
    with {:ok, _left} <- Client.introduce(pid, @introduce_timeout),
         %Slots{} = slots <- Slots.find(pid) do
      describe(pool, slots)
    else
      _not_yet -> closed(pool, "it has not started yet")
    end
  end

  defp describe(pool, slots) do
    {number, version} = Slots.version(slots)

    %{
      size: slots.size,
      overflow: slots.total - slots.size,
      partitions: slots.partitions,
      idle: Enum.count(Slots.instances(slots), fn {slot, _, _} -> !Slots.owner(slots, slot) end),
      busy: length(Slots.leased(slots)),
      waiting: Slots.waiting(slots),
      calls: Slots.all_uses(slots),
      version: number,
      plugin: version.compiled.name,
      hash: version.compiled.hash
    }
  catch
    # The table went with the pool while it was read.
    :error, :badarg -> closed(pool, "it has just been stopped")
  end

  # The data that a pool shares with its callers is only of use on its own node.
  defp at_home(pool, function, arguments, timeout, work) do
    case GenServer.whereis(pool) do
      {_name, node} -> ask_node(node, function, arguments, timeout)
      pid when node(pid) == node() -> work.()
      nil -> work.()
      pid -> ask_node(node(pid), function, arguments, timeout)
    end
  end

  defp ask_node(node, function, [pool | _] = arguments, timeout) do
    :erpc.call(node, __MODULE__, function, arguments, timeout)
  catch
    :error, {:erpc, :timeout} -> closed(pool, "#{node} did not answer within #{timeout} ms")
    :error, {:erpc, reason} -> closed(pool, "#{node} cannot be asked: #{inspect(reason)}")
    # Only the pool's node could see that an option is wrong.
    :error, {:exception, exception, _stack} when is_exception(exception) -> raise exception
  end

  defp closed(pool, why) do
    {:error, %Error{reason: :closed, message: "the pool #{inspect(pool)} is not running: #{why}"}}
  end

  @doc """
  Stops a pool, as a supervisor does. New calls get `:closed`. Calls in progress and in the queue may go on for the
  time of the option `:shutdown`. Calls that have not ended then are cancelled. Returns `:ok` also if there is no such
  pool.
  """
  @spec stop(GenServer.server()) :: :ok
  def stop(pool), do: pool |> Callable.process!("a pool") |> Client.stop("a pool")
end
