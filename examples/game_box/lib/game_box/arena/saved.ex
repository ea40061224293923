defmodule GameBox.Arena.Saved do
  @moduledoc false
  # The last state of each arena, in one file each. A node that is stopped and started again continues where it was,
  # because browsers reconnect by themselves. Only this application writes these files.

  alias GameBox.Arena.Room
  alias GameBox.Limits

  @doc "Saves a room and the variables of its game. If the machine stops meanwhile, all of it is saved or nothing."
  @spec save(Room.t(), map()) :: :ok
  def save(%Room{} = room, vars) do
    File.mkdir_p!(directory())
    temporary = "#{path(room.code)}.#{System.unique_integer([:positive])}"
    File.write!(temporary, :erlang.term_to_binary({room, vars}))
    File.rename!(temporary, path(room.code))
  end

  @doc "Returns the room of this code and the variables of its game, if they were saved recently."
  @spec load(String.t()) :: {:ok, Room.t(), map()} | :error
  def load(code) do
    with {:ok, %{mtime: saved}} <- File.stat(path(code), time: :posix),
         true <- (System.os_time(:second) - saved) * 1_000 < Limits.get(:saved_for_ms),
         {:ok, bytes} <- File.read(path(code)),
         {%Room{} = room, %{} = vars} <- :erlang.binary_to_term(bytes) do
      {:ok, room, vars}
    else
      _ -> :error
    end
  rescue
    # Another version of this application may have left the file.
    ArgumentError -> :error
  end

  @doc "Deletes the saved arena."
  @spec delete(String.t()) :: :ok
  def delete(code) do
    _ = File.rm(path(code))
    :ok
  end

  defp directory, do: Path.join(Application.fetch_env!(:game_box, :data_dir), "arenas")
  defp path(code), do: Path.join(directory(), code)
end
