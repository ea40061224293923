defmodule Vitrine.Server.Client do
  @moduledoc false
  # What runs in the processes that use a server.

  alias Vitrine.{Error, Options, Telemetry, Trace}
  alias Vitrine.Server.Lease

  @doc "`Vitrine.call/4` for a server."
  @spec call(GenServer.server(), String.t(), binary(), keyword()) ::
          {:ok, binary()} | {:error, Error.t()}
  def call(server, function, input, options) do
    options = Keyword.validate!(options, [:context, :timeout, :trace])
    timeout = Options.call_timeout!(options)
    trace = Trace.begin!(options[:trace])
    request = {:call, function, input, timeout, options[:context], trace}
    Trace.call(trace, function, input, fn -> observed(server, request) end)
  end

  defp observed(server, {:call, function, _, _, _, _} = request) do
    case Telemetry.handler() do
      false ->
        request(server, request)

      handler ->
        metadata = %{plugin: nil, function: function, server: server}
        Telemetry.call(handler, metadata, fn -> request(server, request) end)
    end
  end

  # The server keeps the deadline: it answers when that has passed, too.
  defp request(server, request) do
    case ask(server, request) do
      {:lease, tag, frame, work, saves?} ->
        Lease.work(server, tag, frame, work, saves?)

      {:error, %{reason: :closed, function: nil} = error} ->
        {:error, %{error | function: elem(request, 1)}}

      result ->
        result
    end
  end

  @doc "A question to a server. One that is not running is closed."
  @spec ask(GenServer.server(), term()) :: term()
  def ask(server, question) do
    case GenServer.call(server, question, :infinity) do
      # A pool, of which this cannot be asked.
      {:argument_error, message} -> raise ArgumentError, message
      answer -> answer
    end
  catch
    :exit, reason -> {:error, closed(server, reason)}
  end

  defp closed(server, {reason, {GenServer, :call, _}}), do: closed(server, reason)

  defp closed(server, reason) do
    message = "#{inspect(server)} is not running: #{Exception.format_exit(reason)}"
    %Error{reason: :closed, message: message}
  end
end
