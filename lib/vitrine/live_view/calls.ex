defmodule Vitrine.LiveView.Calls do
  @moduledoc false
  # Calls of a plugin for its viewers, in processes of their own: no socket waits for a plugin, and
  # an event that has begun ends as it does whoever leaves the page meanwhile.

  require Logger

  alias Vitrine.{Codec, Error, HTML}

  # An answer is a few values for the host, not a page.
  @max_answer_bytes 1_048_576

  @doc "Starts `work` in a process that the calling one monitors."
  @spec start((() -> term())) :: {pid(), reference()}
  def start(work) do
    callers = [self() | Process.get(:"$callers", [])]

    spawn_monitor(fn ->
      Process.put(:"$callers", callers)
      work.()
    end)
  end

  @doc "Renders for a class of viewers: calls the plugin, and makes a tree of its HTML."
  @spec render(term(), map()) :: {:ok, term()} | {:error, Error.t()}
  def render(plugin, class) do
    options = [as: {:json, :raw}] ++ timeout(class.timeout)

    with {:ok, html} <- Vitrine.call(plugin, class.function, class.input, options),
         do: HTML.parse(html, class.parse)
  end

  @doc """
  Tells the plugin of an event. The answer is a JSON object; no output at all is an empty one.
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

  @doc "The error that a process of `start/1` makes that ended before its work."
  @spec failure(term()) :: Error.t()
  def failure(reason) do
    Logger.error("a call for a view ended early: " <> Exception.format_exit(reason))
    %Error{reason: :cancelled, message: "the call ended early"}
  end
end
