defmodule GameBox.Round.Ticker do
  @moduledoc """
  Calls a game's `tick` at intervals, and tells viewers when the game has changed.

  It makes one call at a time, so a slow game gets fewer calls.
  """

  use Task, restart: :permanent

  # The pause after a failure, so that a broken game costs little.
  @pause_ms 1_000

  def start_link(options), do: Task.start_link(__MODULE__, :run, [Map.new(options)])

  @doc false
  def run(%{plugin: plugin, topic: topic, interval: interval} = options) do
    began = System.monotonic_time(:millisecond)

    pause =
      case Vitrine.call(plugin, "tick", "", timeout: 10 * interval) do
        {:ok, answer} ->
          version = version(answer)
          Vitrine.LiveView.changed(plugin, version: version, pubsub: GameBox.PubSub, topic: topic)
          max(interval - (System.monotonic_time(:millisecond) - began), 1)

        {:error, _error} ->
          @pause_ms
      end

    Process.sleep(pause)
    run(options)
  end

  # An answer that is not an object has no version. Views are then always rendered again.
  defp version(answer) do
    case Vitrine.Codec.decode({:json, max_bytes: 65_536}, answer) do
      {:ok, %{"version" => version}} -> version
      _ -> nil
    end
  end
end
