defmodule Vitrine.Call.Log do
  @moduledoc false
  # Gives what plugins log and print to Logger, in the process that calls them. Each entry names its plugin and is one
  # line, so that what a plugin writes is never mistaken for a log entry of the application.

  require Logger

  alias Vitrine.Call.Frame
  alias Vitrine.Text.Printable

  @typedoc "The lowest level that a plugin may log at."
  @type level :: :trace | :debug | :info | :warning | :error | :off

  # The ABI's numbers.
  @numbers %{trace: 0, debug: 1, info: 2, warning: 3, error: 4, off: 2_147_483_647}
  @off @numbers.off

  # Logger's levels for those of the ABI, from trace on: Logger has no trace.
  @levels {:debug, :debug, :info, :warning, :error}

  @doc "Returns all levels, the lowest first."
  @spec levels() :: [level()]
  def levels, do: @numbers |> Enum.sort_by(&elem(&1, 1)) |> Keyword.keys()

  @doc """
  Returns the lowest level that the plugin may log at and that Logger would accept from this process now, as the ABI's
  number.
  """
  @spec level(Frame.t()) :: integer()
  def level(%{plugin: %{logs?: false}}), do: @off
  def level(%{trace: nil, plugin: plugin}), do: accepted(plugin)
  # A trace also has what Logger does not accept.
  def level(%{plugin: plugin}), do: number(plugin.log_level)

  defp first_allowed(number) when number > 4, do: @off

  defp first_allowed(number) do
    if allowed?(elem(@levels, number)), do: number, else: first_allowed(number + 1)
  end

  for {level, number} <- @numbers do
    defp number(unquote(level)), do: unquote(number)
  end

  defp allowed?(level), do: :logger.allow(level, __MODULE__) and process_allows?(level)

  # Runs for every call. It begins with the plugin's own level, and tries the next ones in order.
  if function_exported?(Logger, :get_process_level, 1) do
    defp accepted(plugin), do: first_allowed(number(plugin.log_level))

    defp process_allows?(level) do
      case Logger.get_process_level(self()) do
        nil -> true
        least -> Logger.compare_levels(level, least) != :lt
      end
    end
  else
    # Elixir before 1.15.
    defp accepted(plugin) do
      if Logger.enabled?(self()), do: first_allowed(number(plugin.log_level)), else: @off
    end

    defp process_allows?(_level), do: true
  end

  @doc "Returns the level of the ABI's number."
  @spec name(0..4) :: level()
  def name(number), do: elem({:trace, :debug, :info, :warning, :error}, number)

  @doc "Logs a line of a plugin."
  @spec write(Frame.t(), 0..4, binary()) :: :ok
  def write(%Frame{plugin: plugin, function: function, trace: trace}, level, message) do
    if trace == nil or level >= accepted(plugin) do
      text = String.replace_suffix(message, "\n", "")

      Logger.bare_log(
        elem(@levels, level),
        line(plugin, function, text),
        metadata(plugin, function)
      )
    end

    :ok
  end

  @doc "Logs the lines that a plugin printed."
  @spec print(Frame.t(), :stdout | :stderr, binary()) :: :ok
  def print(%Frame{plugin: plugin, function: function}, stream, text) do
    level = Map.fetch!(plugin.print_levels, stream)

    if number(level) >= number(plugin.log_level) do
      for text <- text |> String.replace_suffix("\n", "") |> String.split("\n") do
        text = String.replace_suffix(text, "\r", "")
        metadata = [stream: stream] ++ metadata(plugin, function)
        Logger.bare_log(level, line(plugin, function, text), metadata)
      end
    end

    :ok
  end

  # The key is not `function`, which Logger uses for the Elixir function.
  defp metadata(plugin, nil), do: [plugin: plugin.name]
  defp metadata(plugin, function), do: [plugin: plugin.name, plugin_function: function]

  defp line(plugin, function, text),
    do: Printable.origin(plugin.name, function) <> Printable.text(text)
end
