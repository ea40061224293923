defmodule Vitrine.Server.Lease do
  @moduledoc false
  # A call that a server has handed over, to the process that asked for it or to a proxy of that. The server hears of
  # its end by {:release, tag, error}, or by a monitor.

  alias Vitrine.{Native, Plugin}
  alias Vitrine.Call.{Frame, Loop, Proxy}
  alias __MODULE__

  @derive {Inspect, only: [:holder]}
  defstruct [:tag, :id, :holder, :monitors, :call, :proxy]

  @type t :: %Lease{
          tag: reference() | :recovering,
          # The client's name for the call.
          id: reference(),
          holder: pid() | nil,
          monitors: [reference()],
          # The call's resource, if the call has begun.
          call: reference() | nil,
          # The process of this node that makes the call for a client on another one.
          proxy: pid() | nil
        }

  @typedoc "The work that is left: to start the call, or to continue from what its first slice asked for."
  @type work :: {:start, input :: binary(), timeout()} | tuple()

  @doc """
  Hands the call over to the client. If the server `saves?` variables, the client waits for that at the end of its call.
  """
  @spec grant(Frame.t(), work(), {reference(), GenServer.from()}, boolean(), reference() | nil) ::
          t()
  def grant(frame, work, {id, {client, _} = from}, saves?, call \\ nil) do
    tag = make_ref()
    monitor = Process.monitor(client)
    GenServer.reply(from, {:lease, tag, frame, work, saves?})
    %Lease{tag: tag, id: id, holder: client, monitors: [monitor], call: call}
  end

  @doc "Lets a process of this node make the call, for a client on another one."
  @spec proxy((() -> Proxy.result()), {reference(), GenServer.from()}, boolean()) :: t()
  def proxy(work, {id, {client, _} = from}, saves?) do
    {server, tag} = {self(), make_ref()}

    {proxy, watcher} =
      Proxy.start(from, work, fn result ->
        GenServer.cast(server, {:release, tag, failure(result)})
        if saves?, do: await_save(server)
      end)

    monitors = [Process.monitor(watcher), Process.monitor(client)]
    %Lease{tag: tag, id: id, holder: proxy, monitors: monitors, proxy: proxy}
  end

  @doc "In the client: makes the call, and tells the server when it has ended."
  @spec work(GenServer.server(), reference(), Frame.t(), work(), boolean()) :: Proxy.result()
  def work(server, tag, frame, work, saves?) do
    result = drive(work, frame)
    GenServer.cast(server, {:release, tag, failure(result)})
    if saves?, do: await_save(server)
    result
  catch
    kind, reason ->
      GenServer.cast(server, {:release, tag, nil})
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  # The server answers after it has handled the release, which saves. A server that ends meanwhile saves, too.
  defp await_save(server) do
    GenServer.call(server, :saved, :infinity)
  catch
    :exit, _ended -> :ok
  end

  defp drive({:start, input, timeout}, frame), do: Loop.drive(frame, input, timeout)
  defp drive(step, frame), do: Loop.continue(step, frame)

  defp failure({:error, error}), do: error
  defp failure({:ok, _output}), do: nil

  @doc "Ends the lease."
  @spec close(t()) :: :ok
  def close(%Lease{monitors: monitors}), do: Enum.each(monitors, &Process.demonitor(&1, [:flush]))

  @doc """
  Takes the plugin back from a holder that is gone, perhaps in the middle of a slice. The plugin is free when that slice
  has ended, which the cancellation makes happen soon. Until then the lease remains.
  """
  @spec recover(t(), Plugin.t()) :: t() | nil
  def recover(lease, plugin) do
    close(lease)
    if lease.proxy, do: Process.exit(lease.proxy, :kill)
    Plugin.cancel(plugin)
    if lease.call, do: Native.call_drop(lease.call)

    unless Native.plugin_idle(plugin.ref) do
      %{lease | tag: :recovering, holder: nil, monitors: []}
    end
  end
end
