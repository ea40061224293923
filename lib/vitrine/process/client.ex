defmodule Vitrine.Process.Client do
  @moduledoc false
  # Questions to servers and pools, in the process that asks.

  alias Vitrine.Error
  alias Vitrine.Options.Type
  alias Vitrine.Process.Directory
  alias Vitrine.Time.Deadline

  # How much later than a call's deadline a process may answer, in milliseconds. It keeps the deadline itself, unless
  # something else keeps it from running.
  @grace 100

  @doc """
  Asks a server or a pool, and waits at most this time for the answer. The answer of a process that is not running is
  `:closed`. Raises `ArgumentError` if the process is something else than was expected.
  """
  @spec ask(GenServer.server(), term(), timeout(), String.t()) :: term()
  def ask(server, question, timeout \\ :infinity, expected \\ "a plugin, a server or a pool") do
    Directory.find!(server, expected)
    with :late <- exchange(server, question, timeout), do: {:error, late(server, timeout)}
  end

  @doc "Asks without a look at the directory. `:late` if no answer came in time."
  @spec exchange(GenServer.server(), term(), timeout()) :: term()
  def exchange(server, question, timeout) do
    case GenServer.call(server, question, timeout) do
      # The process cannot do what was asked: a server was asked for something of pools, for example.
      {:argument_error, message} -> raise ArgumentError, message
      answer -> answer
    end
  catch
    :exit, {:timeout, {GenServer, :call, _}} -> :late
    :exit, reason -> {:error, closed(server, reason)}
  end

  @doc "Returns how long to wait for the answer to a call. Only the process knows its plugin's own timeout."
  @spec answer_timeout(timeout() | nil) :: timeout()
  def answer_timeout(timeout) when timeout in [nil, :infinity], do: :infinity
  def answer_timeout(timeout), do: min(timeout + @grace, Type.max_timeout())

  @doc "Asks a pool to put itself into the directory, which it does when it has started. Gives the time that is left."
  @spec introduce(pid(), timeout() | nil) :: {:ok, timeout() | nil} | {:error, Error.t()}
  def introduce(pool, timeout) do
    deadline = if is_integer(timeout), do: Deadline.at(timeout)

    case exchange(pool, :introduce, answer_timeout(timeout)) do
      true -> {:ok, if(deadline, do: Deadline.left(deadline), else: timeout)}
      false -> Directory.not_started!()
      :late -> {:error, late(pool, timeout)}
      error -> error
    end
  end

  @doc "Stops a server or a pool, if it is running."
  @spec stop(GenServer.server(), String.t()) :: :ok
  def stop(server, expected \\ "a plugin, a server or a pool") do
    Directory.find!(server, expected)
    GenServer.stop(server)
  catch
    # There is no such process, or it was killed meanwhile.
    :exit, _reason -> :ok
  end

  @doc "Returns a process's answer to a question that is not for it. The process that asked raises it."
  @spec misdirected(term(), expected :: String.t(), found :: String.t()) ::
          {:argument_error, String.t()}
  def misdirected(question, expected, found) do
    question = if is_tuple(question) and question != {}, do: elem(question, 0), else: question
    # An upgrade of a pool begins with this question.
    question = if question == :configuration, do: :upgrade, else: question
    {:argument_error, "expected #{expected} for #{inspect(question)}, got: #{found}"}
  end

  @doc "Returns the error of a process that did not answer in time."
  @spec late(GenServer.server(), timeout() | nil) :: Error.t()
  def late(server, timeout) do
    message = "the server or pool #{inspect(server)} did not answer within #{timeout} ms"
    %Error{reason: :timeout, message: message}
  end

  defp closed(server, {reason, {GenServer, :call, _}}), do: closed(server, reason)

  # The stack trace is left out: it shows the state of a process, which may hold secrets, and the log already has it.
  defp closed(server, {reason, [{_, _, _, _} | _] = stacktrace}) do
    crash = Exception.format_banner(:error, reason, stacktrace)
    message = "the server or pool #{inspect(server)} ended before it answered: #{crash}"
    %Error{reason: :closed, message: message}
  end

  defp closed(server, reason) do
    message = "the server or pool #{inspect(server)} is not running: #{why(reason)}"
    %Error{reason: :closed, message: message}
  end

  defp why(:noproc), do: "there is no such process"
  defp why(reason), do: Exception.format_exit(reason)
end
