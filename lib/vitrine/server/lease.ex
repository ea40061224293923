defmodule Vitrine.Server.Lease do
  @moduledoc false
  # A call that a server has handed over, to the process that asked for it or to one that stands in
  # for that. The server is told of its end by {:release, tag, error}, or by a monitor.

  alias Vitrine.{Native, Plugin}
  alias Vitrine.Call.{Loop, Proxy}
  alias __MODULE__

  @derive {Inspect, only: [:holder]}
  defstruct [:tag, :id, :holder, :monitors, :call, :runner]

  @type t :: %Lease{
          tag: reference() | :recovering,
          # What the client calls its call.
          id: reference(),
          holder: pid() | nil,
          monitors: [reference()],
          # The call's resource, if it has begun.
          call: reference() | nil,
          runner: pid() | nil
        }

  @doc """
  Lets the client go on with what a first slice came to, or start. If the server `saves?` variables, the
  client waits for that in the end.
  """
  def grant(frame, work, {id, {client, _} = from}, saves?, call \\ nil) do
    tag = make_ref()
    monitor = Process.monitor(client)
    GenServer.reply(from, {:lease, tag, frame, work, saves?})
    %Lease{tag: tag, id: id, holder: client, monitors: [monitor], call: call}
  end

  @doc "Has a process of this node make the call, for a client on another."
  def stand_in(work, {id, {client, _} = from}, saves?) do
    {server, tag} = {self(), make_ref()}

    {runner, watcher} =
      Proxy.start(from, work, fn result ->
        GenServer.cast(server, {:release, tag, failure(result)})
        if saves?, do: saved(server)
      end)

    monitors = [Process.monitor(watcher), Process.monitor(client)]
    %Lease{tag: tag, id: id, holder: runner, monitors: monitors, runner: runner}
  end

  @doc "In the client: goes on with the call, and tells the server when that has ended."
  def work(server, tag, frame, work, saves?) do
    result = drive(work, frame)
    GenServer.cast(server, {:release, tag, failure(result)})
    if saves?, do: saved(server)
    result
  catch
    kind, reason ->
      GenServer.cast(server, {:release, tag, nil})
      :erlang.raise(kind, reason, __STACKTRACE__)
  end

  # Served after the release, which saves. A server that ends meanwhile saves, too.
  defp saved(server) do
    GenServer.call(server, :saved, :infinity)
  catch
    :exit, _ended -> :ok
  end

  defp drive({:start, input, timeout}, frame), do: Loop.drive(frame, input, timeout)
  defp drive(step, frame), do: Loop.continue(step, frame)

  defp failure({:error, error}), do: error
  defp failure({:ok, _output}), do: nil

  @doc "Ends it."
  def close(%Lease{monitors: monitors}), do: Enum.each(monitors, &Process.demonitor(&1, [:flush]))

  @doc """
  Takes the plugin back from a holder that is gone, perhaps in the middle of a slice: it is free
  when that has ended, which the cancellation makes soon. Until then the lease remains.
  """
  @spec recover(t(), Plugin.t()) :: t() | nil
  def recover(lease, plugin) do
    close(lease)
    if lease.runner, do: Process.exit(lease.runner, :kill)
    Vitrine.cancel(plugin)
    if lease.call, do: Native.call_drop(lease.call)

    unless Native.plugin_idle(plugin.ref) do
      %{lease | tag: :recovering, holder: nil, monitors: []}
    end
  end
end
