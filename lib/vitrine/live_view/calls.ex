defmodule Vitrine.LiveView.Calls do
  @moduledoc false
  # Calls of a plugin for its viewers, in separate processes. No socket waits for a plugin, and an event that has
  # begun ends in the same way even if its viewer leaves the page.

  require Logger

  alias Vitrine.{Codec, Error, HTML}

  # An answer consists of a few values for the host, and is not a page.
  @max_answer_bytes 1_048_576

  @doc "Starts `work` in a process that the calling process monitors."
  @spec start((() -> term())) :: {pid(), reference()}
  def start(work) do
    callers = [self() | Process.get(:"$callers", [])]

    spawn_monitor(fn ->
      Process.put(:"$callers", callers)
      work.()
    end)
  end

  @doc "Renders for a class of viewers: calls the plugin, and parses its HTML into a tree."
  @spec render(term(), map()) :: {:ok, term()} | {:error, Error.t()}
  def render(plugin, class) do
    options = [as: {:json, :raw}] ++ timeout(class.timeout)

    with {:ok, html} <- Vitrine.call(plugin, class.function, class.input, options),
         do: HTML.parse(html, class.parse)
  end

  @doc """
  Sends the plugin an event. The answer is a JSON object. No output means an empty object.
  """
  @spec event(term(), String.t(), map(), timeout() | nil) :: {:ok, map()} | {:error, Error.t()}
  def event(plugin, function, input, timeout) do
    options = [as: {:json, :raw}] ++ timeout(timeout)

    with {:ok, output} <- Vitrine.call(plugin, function, input, options),
         {:ok, answer} <- answer(output) do
      {:ok, answer}
    else
      {:error, error} -> {:error, %{error | function: error.function || function}}
    end
  end

  defp answer(""), do: {:ok, %{}}

  defp answer(output) do
    case Codec.decode({:json, max_bytes: @max_answer_bytes}, output) do
      {:ok, %{} = answer} ->
        {:ok, answer}

      {:ok, _other} ->
        {:error, %Error{reason: :codec, message: "the answer is not a JSON object"}}

      {:error, error} ->
        {:error, error}
    end
  end

  defp timeout(nil), do: []
  defp timeout(timeout), do: [timeout: timeout]

  @doc "Returns the error for a process of `start/1` that ended before its work."
  @spec failure(term()) :: Error.t()
  def failure(reason) do
    Logger.error("a call for a view ended early: " <> Exception.format_exit(reason))
    %Error{reason: :cancelled, message: "the call ended early"}
  end
end
