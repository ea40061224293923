defmodule Vitrine.Server.Client do
  @moduledoc false
  # A call of a server, in the process that makes it.

  alias Vitrine.{Error, Telemetry, Trace}
  alias Vitrine.Call.{Frame, Timeout}
  alias Vitrine.Process.{Client, Directory, Request}
  alias Vitrine.Server.Lease

  @doc "Does `Vitrine.call/4` for a server. `entry` is what the directory has of it, or `nil`."
  @spec call(GenServer.server(), Directory.server() | nil, Request.t()) ::
          {:ok, binary()} | {:error, Error.t()}
  def call(server, entry, %Request{function: function} = request) do
    request = %{request | id: make_ref()}

    Trace.call(request.trace, function, request.input, fn ->
      observed(server, entry, request)
    end)
  end

  defp observed(server, entry, request) do
    case Telemetry.handler() do
      false ->
        request(server, request)

      handler ->
        # A server on another node, or one that is still starting, has no entry.
        plugin = if entry, do: entry.plugin, else: Directory.label(server)
        metadata = Telemetry.called(plugin, request.function, server)
        Telemetry.call(handler, metadata, fn -> request(server, request) end)
    end
  end

  defp request(server, %Request{id: id, function: function, timeout: timeout} = request) do
    case Client.exchange(server, request, Client.answer_timeout(timeout)) do
      {:lease, tag, frame, work, saves?} ->
        began = System.monotonic_time(:millisecond)
        server |> Lease.work(tag, frame, work, saves?) |> explain(timeout, frame, began)

      :late ->
        # The server may still serve it, or be handing it over at this moment.
        GenServer.cast(server, {:abandon, id})
        error = Client.late(server, timeout)
        message = "#{error.message} (timeout: #{timeout} of the call)"
        {:error, %{error | message: message, function: function}}

      {:error, %{reason: :closed, function: nil} = error} ->
        {:error, %{error | function: function}}

      result ->
        result
    end
  end

  # Until the lease began, the call was in the server's queue.
  defp explain({:error, %{reason: :timeout}} = result, timeout, %Frame{plugin: plugin}, began) do
    {allowed, whose} = Timeout.of(timeout, plugin)
    waited = allowed - (System.monotonic_time(:millisecond) - began)
    Timeout.explain(result, allowed, whose, {"server", waited})
  end

  defp explain(result, _timeout, _frame, _began), do: result
end
