defmodule Vitrine.Call.Timeout do
  @moduledoc false
  # How much time a call has, who decided that, and what an error says of it. The text is only made when a call has run
  # out of time.

  alias Vitrine.Error

  @typedoc """
  The origin of a timeout: the call's option, the plugin's option, the manifest, the manifest within a ceiling, or
  the default. The time to wait for a pool may also come from the pool.
  """
  @type whose :: :call | :option | :manifest | :ceiling | :default | :queue

  @doc "Returns the origin of a plugin's timeout, by its options and its manifest."
  @spec whose(keyword(), Vitrine.Manifest.t()) :: whose()
  def whose(options, manifest) do
    cond do
      Keyword.has_key?(options, :timeout) -> :option
      manifest.timeout_ms == nil -> :default
      options[:ceiling] != nil -> :ceiling
      true -> :manifest
    end
  end

  @doc """
  Returns the timeout of a call that asked for this one, or for none, and where it comes from. Takes a plugin or its
  settings.
  """
  @spec of(timeout() | nil, map()) :: {timeout(), whose()}
  def of(nil, %{timeout: timeout, timeout_from: whose}), do: {timeout, whose}
  def of(timeout, _plugin), do: {timeout, :call}

  @doc """
  Adds to the error of a call that ran out of time how much time it had. `queue` says where some of that passed before
  the call began.
  """
  @spec explain(result, timeout(), whose(), {String.t(), milliseconds :: integer()} | nil) ::
          result
        when result: {:ok, term()} | {:error, Error.t()}
  def explain(result, timeout, whose, queue \\ nil)

  def explain({:ok, _} = ok, _timeout, _whose, _queue), do: ok

  def explain({:error, %Error{reason: :timeout} = error}, timeout, whose, queue) do
    message = "#{error.message}; #{allowed(timeout, whose)}#{passed(queue)}"
    {:error, %{error | message: message}}
  end

  def explain(error, _timeout, _whose, _queue), do: error

  @doc "Returns how much time was allowed, and who allowed it."
  @spec allowed(timeout(), whose()) :: String.t()
  def allowed(timeout, whose), do: "#{timeout} ms were allowed (#{source(whose, timeout)})"

  defp source(:call, timeout), do: "timeout: #{timeout} of the call"
  defp source(:option, timeout), do: "timeout: #{timeout} of the plugin"
  defp source(:manifest, timeout), do: "timeout_ms: #{timeout} of the manifest"
  defp source(:queue, timeout), do: "queue_timeout: #{timeout} of the pool"

  defp source(:ceiling, _timeout),
    do: "timeout_ms of the manifest, or what the option ceiling: leaves of it"

  defp source(:default, _timeout),
    do: "the default; the call and the plugin have an option timeout: for another"

  # One millisecond may come from rounding.
  defp passed({place, milliseconds}) when milliseconds > 1,
    do: ", of which #{milliseconds} ms passed in the queue of the #{place}"

  defp passed(_none), do: ""
end
