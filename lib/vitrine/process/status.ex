defmodule Vitrine.Process.Status do
  @moduledoc false
  # What logs and `:sys.get_status/1` show of servers and pools: no inputs, and of their state what
  # its `Inspect` shows. Options hold configuration, which may be secret.

  @doc "The status as `c::gen_server.format_status/1` is to give it."
  @spec redact(map()) :: map()
  def redact(status) do
    status
    |> change(:message, &message/1)
    |> change(:log, fn _events -> [] end)
    |> change(:state, &shown/1)
  end

  defp change(status, key, how) do
    case status do
      %{^key => value} -> %{status | key => how.(value)}
      _without -> status
    end
  end

  defp message({:call, id, function, input, timeout, _context, _own}),
    do: {:call, id, function, size(input), timeout}

  defp message({:put_vars, _vars}), do: :put_vars
  defp message({:put_config, _changes}), do: :put_config
  defp message({:upgrade, _source, _options}), do: :upgrade
  defp message({:upgrade, _version, _options, _vars}), do: :upgrade
  defp message(other), do: other

  defp size(input), do: "#{byte_size(input)} bytes"

  # The report is made of terms, which a formatter may show in a way of its own.
  defp shown(state), do: inspect(state)
end
