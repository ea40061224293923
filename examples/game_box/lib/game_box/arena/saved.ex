defmodule GameBox.Arena.Saved do
  @moduledoc false
  # Arenas as they were last, one file each, so that a node that is stopped and started again goes on
  # where it was: browsers reconnect by themselves. Only this application writes there.

  alias GameBox.Arena.Room
  alias GameBox.Limits

  @doc "Keeps a room and the variables of its game. All or nothing, whenever the machine stops."
  @spec save(Room.t(), map()) :: :ok
  def save(%Room{} = room, vars) do
    File.mkdir_p!(directory())
    temporary = "#{path(room.code)}.#{System.unique_integer([:positive])}"
    File.write!(temporary, :erlang.term_to_binary({room, vars}))
    File.rename!(temporary, path(room.code))
  end

  @doc "The room of this code and the variables of its game, if they were saved not long ago."
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
    # A file that another version of this application has left.
    ArgumentError -> :error
  end

  @doc "Forgets it."
  @spec delete(String.t()) :: :ok
  def delete(code) do
    _ = File.rm(path(code))
    :ok
  end

  defp directory, do: Path.join(Application.fetch_env!(:game_box, :data_dir), "arenas")
  defp path(code), do: Path.join(directory(), code)
end
