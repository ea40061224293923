defmodule Vitrine.Call.Deadline do
  @moduledoc false
  # What an error says of a call that ran out of time: in what the time went, how much there was, and whose word that
  # was. All of it is made when there is such an error, and not before.

  alias Vitrine.Error
  alias Vitrine.HTTP.URL
  alias Vitrine.Text.Printable

  # What is told of in what the time went: the longest parts of a millisecond or more.
  @most 5
  @millisecond 1_000_000

  @typedoc """
  Whose word a timeout is: the call's option, the plugin's, the manifest's, the manifest's with a ceiling, or nobody's. Of
  waiting for a pool it may be the pool's.
  """
  @type whose :: :call | :option | :manifest | :ceiling | :default | :queue

  @typedoc "In what time went, in nanoseconds."
  @type spent :: [{what :: term(), nanoseconds :: non_neg_integer()}]

  @doc "The source of a plugin's timeout, from its options and its manifest."
  @spec whose(keyword(), Vitrine.Manifest.t()) :: whose()
  def whose(options, manifest) do
    cond do
      Keyword.has_key?(options, :timeout) -> :option
      manifest.timeout_ms == nil -> :default
      options[:ceiling] != nil -> :ceiling
      true -> :manifest
    end
  end

  @doc "The timeout of a call that asked for this one or `nil`, of a plugin or one's settings, and whose that is."
  @spec of(timeout() | nil, map()) :: {timeout(), whose()}
  def of(nil, %{timeout: timeout, timeout_from: whose}), do: {timeout, whose}
  def of(timeout, _plugin), do: {timeout, :call}

  @doc "Adds how much time was allowed to the error of a call that ran out of it; `queue` is where some had passed before."
  @spec told(result, timeout(), whose(), {String.t(), milliseconds :: integer()} | nil) :: result
        when result: {:ok, term()} | {:error, Error.t()}
  def told(result, timeout, whose, queue \\ nil)

  def told({:ok, _} = ok, _timeout, _whose, _queue), do: ok

  def told({:error, %Error{reason: :timeout} = error}, timeout, whose, queue),
    do:
      {:error, %{error | message: "#{error.message}; #{allowed(timeout, whose)}#{passed(queue)}"}}

  def told(error, _timeout, _whose, _queue), do: error

  @doc "How much time was allowed, and by whom."
  @spec allowed(timeout(), whose()) :: String.t()
  def allowed(timeout, whose), do: "#{timeout} ms were allowed (#{word(whose, timeout)})"

  defp word(:call, timeout), do: "timeout: #{timeout} of the call"
  defp word(:option, timeout), do: "timeout: #{timeout} of the plugin"
  defp word(:manifest, timeout), do: "timeout_ms: #{timeout} of the manifest"
  defp word(:queue, timeout), do: "queue_timeout: #{timeout} of the pool"

  defp word(:ceiling, _timeout),
    do: "timeout_ms of the manifest, or what the option ceiling: leaves of it"

  defp word(:default, _timeout),
    do: "the default; the call and the plugin have an option timeout: for another"

  # What is not more than what times are rounded by is nothing.
  defp passed({place, milliseconds}) when milliseconds > 1,
    do: ", of which #{milliseconds} ms passed in the queue of the #{place}"

  defp passed(_none), do: ""

  @doc "The message of a call that ran out of time, with what the time went in."
  @spec message(String.t(), spent(), tuple()) :: String.t()
  def message(message, spent, host_functions) do
    parts =
      spent
      |> Enum.group_by(fn {what, _} -> label(what, host_functions) end, &elem(&1, 1))
      |> Enum.map(fn {label, times} -> {round(Enum.sum(times) / @millisecond), label} end)
      |> Enum.filter(fn {milliseconds, _} -> milliseconds > 0 end)
      |> Enum.sort(:desc)

    told = for {milliseconds, label} <- Enum.take(parts, @most), do: "#{milliseconds} ms #{label}"

    case {told, length(parts) - length(told)} do
      {[], 0} -> message
      {_, 0} -> "#{message}: #{Enum.join(told, ", ")}"
      {_, more} -> "#{message}: #{Enum.join(told, ", ")}, and #{more} more"
    end
  end

  defp label(:initialise, _functions), do: "initialising the plugin"
  defp label(:guest, _functions), do: "in the guest"
  defp label(:scheduler, _functions), do: "waiting for a scheduler"
  defp label(:wait, _functions), do: "waiting in WASI"
  defp label(:log, _functions), do: "in Logger"
  defp label(:others, _functions), do: "in short calls of the host"
  defp label({:http, url}, _functions), do: "in requests to #{host(url)}"

  defp label({:host_function, index}, functions),
    do: "in the host function #{Printable.quoted(elem(functions, index).name)}"

  defp host(url) do
    case URL.parse(url) do
      {:ok, %{host: host}} when is_binary(host) -> Printable.quoted(host)
      _other -> Printable.quoted(url)
    end
  end
end
