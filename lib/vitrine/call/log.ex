defmodule Vitrine.Call.Log do
  @moduledoc false
  # What plugins log and print goes to Logger, from the process that calls them. Each line says whose it is, and
  # is one: what a plugin writes is never taken for what the application does.

  require Logger

  alias Vitrine.Text.Printable

  @typedoc "The lowest level that a plugin may log at."
  @type level :: :trace | :debug | :info | :warning | :error | :off

  # As the ABI numbers them.
  @numbers %{trace: 0, debug: 1, info: 2, warning: 3, error: 4, off: 2_147_483_647}
  @off @numbers.off

  # The ABI's levels, from trace on; Logger has no trace.
  @levels {:debug, :debug, :info, :warning, :error}

  @doc "The levels there are."
  @spec levels() :: [level()]
  def levels, do: @numbers |> Enum.sort_by(&elem(&1, 1)) |> Keyword.keys()

  @doc """
  The lowest level that the plugin may log at and Logger would take from this process now, as the
  ABI numbers them.
  """
  @spec level(Vitrine.Plugin.t()) :: integer()
  def level(%{logs?: false}), do: @off

  # A trace has also what Logger does not take.
  def level(%{trace: trace} = plugin) when trace != nil,
    do: number(plugin.log_level)

  def level(plugin), do: taken(plugin)

  defp first_allowed(number) when number > 4, do: @off

  defp first_allowed(number) do
    if allowed?(elem(@levels, number)), do: number, else: first_allowed(number + 1)
  end

  for {level, number} <- @numbers do
    defp number(unquote(level)), do: unquote(number)
  end

  defp allowed?(level), do: :logger.allow(level, __MODULE__) and process_allows?(level)

  # Asked for every call: the plugin's own level first, then one after the other.
  if function_exported?(Logger, :get_process_level, 1) do
    defp taken(plugin), do: first_allowed(number(plugin.log_level))

    defp process_allows?(level) do
      case Logger.get_process_level(self()) do
        nil -> true
        least -> Logger.compare_levels(level, least) != :lt
      end
    end
  else
    # Elixir before 1.15.
    defp taken(plugin) do
      if Logger.enabled?(self()), do: first_allowed(number(plugin.log_level)), else: @off
    end

    defp process_allows?(_level), do: true
  end

  @doc "The level of the ABI's number."
  @spec name(0..4) :: level()
  def name(number), do: elem({:trace, :debug, :info, :warning, :error}, number)

  @doc "Logs a line of a plugin, which is in this function of its own, or is being initialised."
  @spec write(Vitrine.Plugin.t(), String.t() | nil, 0..4, binary()) :: :ok
  def write(plugin, function, level, message) do
    if plugin.trace == nil or level >= taken(plugin) do
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
  @spec print(Vitrine.Plugin.t(), String.t() | nil, :stdout | :stderr, binary()) :: :ok
  def print(plugin, function, stream, text) do
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

  # Not `function`, which Logger takes for one of Elixir.
  defp metadata(plugin, nil), do: [plugin: plugin.name]
  defp metadata(plugin, function), do: [plugin: plugin.name, plugin_function: function]

  defp line(plugin, function, text),
    do: Printable.origin(plugin.name, function) <> Printable.text(text)
end
