defmodule Vitrine.Call.Proxy do
  @moduledoc false
  # Makes a call for a client on another node, to which the NIF's references mean nothing. A second
  # process watches the one that makes it, so that the client has an answer even if that dies: of
  # something that a host function linked it to.

  alias Vitrine.Error

  @type result :: {:ok, binary()} | {:error, Error.t()}

  @doc """
  Runs `work` in a process of its own, and answers `from` with its result once `ended` has run. If the
  client dies, the work is given up. Gives the process that works, and the one that watches it, which
  lives until all is done.
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
    tag = Process.monitor(worker)
    gone = Process.monitor(client)
    send(worker, {:begin, tag, self()})

    receive do
      {^tag, result} ->
        ended.(result)
        GenServer.reply(from, result)

      {:DOWN, ^tag, :process, _, reason} ->
        GenServer.reply(from, {:error, died(reason)})

      {:DOWN, ^gone, :process, _, _} ->
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
