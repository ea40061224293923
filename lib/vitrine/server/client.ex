defmodule Vitrine.Server.Client do
  @moduledoc false
  # What runs in the processes that use a server.

  alias Vitrine.{Error, Options, Telemetry, Trace}
  alias Vitrine.Call.Deadline
  alias Vitrine.Process.Directory
  alias Vitrine.Server.Lease

  # How much later than a call's deadline a server may answer, in milliseconds: it keeps the deadline
  # itself, unless something else keeps it.
  @grace 100

  @doc "`Vitrine.call/4` for a server, of which the directory has that, or nothing."
  @spec call(GenServer.server(), Directory.server() | nil, String.t(), binary(), keyword()) ::
          {:ok, binary()} | {:error, Error.t()}
  def call(server, entry, function, input, options) do
    options = Options.call!(options)
    timeout = options[:timeout]
    trace = Trace.begin!(options[:trace])
    own = own(trace, options[:stdin])
    request = {:call, make_ref(), function, input, timeout, options[:context], own}
    Trace.call(trace, function, input, fn -> observed(server, entry, request) end)
  end

  defp own(trace, nil), do: trace
  defp own(trace, stdin), do: %{trace: trace, stdin: stdin}

  @doc "The trace and the standard input of a call, of the last element of its request."
  @spec trace_and_stdin(term()) :: {Trace.t() | nil, binary() | nil}
  def trace_and_stdin(%{trace: trace, stdin: stdin}), do: {trace, stdin}
  def trace_and_stdin(trace), do: {trace, nil}

  defp observed(server, entry, {:call, _, function, _, _, _, _} = request) do
    case Telemetry.handler() do
      false ->
        request(server, request)

      handler ->
        metadata = Telemetry.called(server, entry, function)
        Telemetry.call(handler, metadata, fn -> request(server, request) end)
    end
  end

  defp request(server, {:call, id, function, _, timeout, _, _} = request) do
    case exchange(server, request, patience(timeout)) do
      {:lease, tag, frame, work, saves?} ->
        began = System.monotonic_time(:millisecond)
        server |> Lease.work(tag, frame, work, saves?) |> told(timeout, frame, began)

      :late ->
        # It may be served yet, or be handed over at this moment.
        GenServer.cast(server, {:abandon, id})
        error = late(server, timeout)
        message = "#{error.message} (timeout: #{timeout} of the call)"
        {:error, %{error | message: message, function: function}}

      {:error, %{reason: :closed, function: nil} = error} ->
        {:error, %{error | function: function}}

      result ->
        result
    end
  end

  # Before it was the server that had it.
  defp told({:error, %{reason: :timeout}} = result, timeout, {plugin, _, _}, began) do
    {allowed, whose} = Deadline.of(timeout, plugin)
    waited = allowed - (System.monotonic_time(:millisecond) - began)
    Deadline.told(result, allowed, whose, {"server", waited})
  end

  defp told(result, _timeout, _frame, _began), do: result

  # The plugin's own timeout only the server knows.
  defp patience(nil), do: :infinity
  defp patience(:infinity), do: :infinity
  defp patience(timeout), do: timeout + @grace

  @doc """
  A question to a server or a pool, for whose answer it waits so many milliseconds. One that is not
  running is closed. Raises `ArgumentError` if it is something else than was expected.
  """
  @spec ask(GenServer.server(), term(), timeout(), String.t()) :: term()
  def ask(server, question, patience, expected) do
    Directory.find!(server, expected)
    with :late <- exchange(server, question, patience), do: {:error, late(server, patience)}
  end

  @doc "Has a pool put itself into the directory, which answers when it has started; the time that is left."
  @spec introduce(pid(), timeout() | nil) :: {:ok, timeout() | nil} | {:error, Error.t()}
  def introduce(pool, timeout) do
    began = System.monotonic_time(:millisecond)

    case exchange(pool, :introduce, patience(timeout)) do
      true when is_integer(timeout) ->
        {:ok, max(timeout - (System.monotonic_time(:millisecond) - began), 0)}

      true ->
        {:ok, timeout}

      false ->
        Directory.not_started!()

      :late ->
        {:error, late(pool, timeout)}

      error ->
        error
    end
  end

  @doc "A process's answer to what it cannot be asked: whoever asked raises that."
  @spec misdirected(term(), expected :: String.t(), found :: String.t()) ::
          {:argument_error, String.t()}
  def misdirected(question, expected, found) do
    question = if is_tuple(question) and question != {}, do: elem(question, 0), else: question
    # What an upgrade of a pool asks first.
    question = if question == :configuration, do: :upgrade, else: question
    {:argument_error, "expected #{expected} for #{inspect(question)}, got: #{found}"}
  end

  defp why(:noproc), do: "there is no such process"
  defp why(reason), do: Exception.format_exit(reason)

  defp exchange(server, question, patience) do
    case GenServer.call(server, question, patience) do
      # A server was asked what is for a pool, or the other way round.
      {:argument_error, message} -> raise ArgumentError, message
      answer -> answer
    end
  catch
    :exit, {:timeout, {GenServer, :call, _}} -> :late
    :exit, reason -> {:error, closed(server, reason)}
  end

  defp late(server, patience) do
    message = "the server or pool #{inspect(server)} did not answer within #{patience} ms"
    %Error{reason: :timeout, message: message}
  end

  defp closed(server, {reason, {GenServer, :call, _}}), do: closed(server, reason)

  # Not the stacktrace: it shows the state of a process, which may hold secrets, and is in the log already.
  defp closed(server, {reason, [{_, _, _, _} | _] = stacktrace}) do
    crash = Exception.format_banner(:error, reason, stacktrace)
    message = "the server or pool #{inspect(server)} ended before it answered: #{crash}"
    %Error{reason: :closed, message: message}
  end

  defp closed(server, reason) do
    message = "the server or pool #{inspect(server)} is not running: #{why(reason)}"
    %Error{reason: :closed, message: message}
  end
end
