defmodule Vitrine.Call.TimeSpent do
  @moduledoc false
  # Says what the time of a call that ran out of it went into.

  alias Vitrine.HTTP.URL
  alias Vitrine.Text.Printable

  # The most parts that a message lists. Parts of less than a millisecond are left out.
  @most 5
  @millisecond 1_000_000

  @typedoc "The parts of the time, in nanoseconds."
  @type t :: [{what :: term(), nanoseconds :: non_neg_integer()}]

  @doc "Returns the message with the parts that took longest. `host_functions` are the plugin's."
  @spec message(String.t(), t(), tuple()) :: String.t()
  def message(message, spent, host_functions) do
    parts =
      spent
      |> Enum.group_by(fn {what, _} -> label(what, host_functions) end, &elem(&1, 1))
      |> Enum.map(fn {label, times} -> {round(Enum.sum(times) / @millisecond), label} end)
      |> Enum.filter(fn {milliseconds, _} -> milliseconds > 0 end)
      |> Enum.sort(:desc)

    listed =
      for {milliseconds, label} <- Enum.take(parts, @most), do: "#{milliseconds} ms #{label}"

    case {listed, length(parts) - length(listed)} do
      {[], 0} -> message
      {_, 0} -> "#{message}: #{Enum.join(listed, ", ")}"
      {_, more} -> "#{message}: #{Enum.join(listed, ", ")}, and #{more} more"
    end
  end

  defp label(:initialise, _functions), do: "initialising the plugin"
  defp label(:guest, _functions), do: "in the guest"
  defp label(:scheduler, _functions), do: "waiting for a scheduler"
  defp label(:wait, _functions), do: "waiting in WASI"
  defp label(:admission, _functions), do: "waiting until other instances are dropped"
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
