defmodule Vitrine.Log do
  @moduledoc false
  # What plugins log goes to Logger, from the process that calls them.

  require Logger

  # The ABI's number for "nothing is logged".
  @off 2_147_483_647

  # The ABI's levels, from trace on; Logger has no trace.
  @levels {:debug, :debug, :info, :warning, :error}

  @doc "The lowest level that Logger would take from this process now, as the ABI numbers them."
  @spec level(Vitrine.Plugin.t()) :: integer()
  def level(%{logs?: false}), do: @off

  def level(_plugin) do
    if Logger.enabled?(self()) do
      Enum.find(0..4, @off, &allowed?(elem(@levels, &1)))
    else
      @off
    end
  end

  defp allowed?(level), do: :logger.allow(level, __MODULE__) and process_allows?(level)

  if function_exported?(Logger, :get_process_level, 1) do
    defp process_allows?(level) do
      case Logger.get_process_level(self()) do
        nil -> true
        least -> Logger.compare_levels(level, least) != :lt
      end
    end
  else
    defp process_allows?(_level), do: true
  end

  @doc "Logs a line of a plugin."
  @spec write(Vitrine.Plugin.t(), 0..4, binary()) :: :ok
  def write(plugin, level, message) do
    Logger.bare_log(elem(@levels, level), text(message), plugin: plugin.name)
  end

  defp text(message) do
    if String.valid?(message), do: message, else: inspect(message)
  end
end
