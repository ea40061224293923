defmodule Vitrine.Call.Proxy do
  @moduledoc false
  # Makes a call for a client on another node, to which the NIF's references mean nothing. A second process watches the
  # one that makes the call, so that the client gets an answer even if that one dies, for example because a host
  # function linked it to something.

  alias Vitrine.Error

  @type result :: {:ok, binary()} | {:error, Error.t()}

  @doc """
  Runs `work` in a process of its own, runs `ended` with its result, and then answers `from` with it. If the client
  dies, the work is killed. Gives the process that works, and the one that watches it, which lives until all is done.
  """
  @spec start(GenServer.from(), (() -> result()), (result() -> term())) ::
          {worker :: pid(), watcher :: pid()}
  def start(from, work, ended \\ fn _result -> :ok end) do
    worker =
      spawn(fn ->
        receive do
          {:begin, tag, watcher} -> send(watcher, {tag, work.()})
        end
      end)

    {worker, spawn(fn -> watch(worker, from, ended) end)}
  end

  defp watch(worker, {client, _} = from, ended) do
    worker_monitor = Process.monitor(worker)
    client_monitor = Process.monitor(client)
    send(worker, {:begin, worker_monitor, self()})

    receive do
      {^worker_monitor, result} ->
        ended.(result)
        GenServer.reply(from, result)

      {:DOWN, ^worker_monitor, :process, _, reason} ->
        GenServer.reply(from, {:error, died(reason)})

      {:DOWN, ^client_monitor, :process, _, _} ->
        Process.exit(worker, :kill)
    end
  end

  defp died(reason) do
    %Error{
      reason: :host_function,
      kind: :exit,
      exception: reason,
      message:
        "the process on #{node()} that made the call for this node ended: " <>
          Exception.format_exit(reason)
    }
  end
end
