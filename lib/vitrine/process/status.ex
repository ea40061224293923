defmodule Vitrine.Process.Status do
  @moduledoc false
  # The view of servers and pools that logs and `:sys.get_status/1` show. Inputs are left out, and the
  # state is shown by its `Inspect`, because options hold configuration, which may be secret.

  alias Vitrine.Process.Request

  @doc "Returns the status as `c::gen_server.format_status/1` is to return it."
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

  defp message(%Request{function: function, input: input, timeout: timeout}),
    do: {:call, function, "#{byte_size(input)} bytes", timeout}

  defp message({:put_vars, _vars}), do: :put_vars
  defp message({:put_config, _changes}), do: :put_config
  defp message({:upgrade, _source, _options}), do: :upgrade
  defp message({:upgrade, _version, _options, _vars}), do: :upgrade
  defp message(other), do: other

  # A text, because a formatter may show terms in its own way.
  defp shown(state), do: inspect(state)
end
