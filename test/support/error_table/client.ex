defmodule Vitrine.ErrorTable.Client do
  @moduledoc "A client of HTTP that answers what it is told, and asks nobody."

  @behaviour Vitrine.HTTP

  alias Vitrine.HTTP.Response

  @impl true
  def request(_request, options), do: options |> Keyword.fetch!(:answer) |> answer(options)

  defp answer({status, headers, body}, _options),
    do: {:ok, %Response{status: status, headers: headers, body: body}}

  # As long as the client may take.
  defp answer(:late, options) do
    Process.sleep(options[:timeout])
    {:error, :timeout}
  end

  defp answer(function, _options) when is_function(function, 0), do: function.()
  defp answer({:answer, anything}, _options), do: anything
  defp answer(reason, _options), do: {:error, reason}
end
