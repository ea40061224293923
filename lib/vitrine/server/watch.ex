defmodule Vitrine.Server.Watch do
  @moduledoc false
  # A process that looks at the files of a server's plugin and upgrades the server when they change.

  require Logger

  alias Vitrine.Loader.Source
  alias Vitrine.Server
  alias Vitrine.Text.Printable

  @typedoc "What is seen of files: another one when they change."
  @type stamps :: list()

  @doc """
  Watches for the calling server, every `interval` milliseconds, as long as that lives. `loaded` are
  the stamps of what the server has loaded.
  """
  @spec start_link(Vitrine.source(), pos_integer(), String.t(), stamps()) :: pid()
  def start_link(source, interval, plugin, loaded) do
    server = self()

    spawn_link(fn ->
      Process.monitor(server)
      watch({server, source, interval, plugin}, loaded)
    end)
  end

  defp watch({_, source, interval, _} = what, loaded) do
    pause(interval)
    stamps = stamps(source)
    if stamps == loaded, do: watch(what, loaded), else: settled(what, stamps)
  end

  # A file that is being written is still changing.
  defp settled({_, source, interval, _} = what, stamps) do
    pause(interval)

    case stamps(source) do
      ^stamps ->
        reload(what)
        watch(what, stamps)

      changing ->
        settled(what, changing)
    end
  end

  defp reload({server, source, _interval, plugin}) do
    case Server.upgrade(server, source) do
      :ok ->
        Logger.info(
          "plugin #{Printable.quoted(plugin)} was reloaded, because its files have changed"
        )

      {:error, error} ->
        Logger.error(
          "plugin #{Printable.quoted(plugin)} has changed and could not be reloaded, " <>
            "the version before goes on: #{Exception.message(error)}"
        )
    end
  end

  defp pause(interval) do
    receive do
      # The link alone says nothing of a server that ends normally.
      {:DOWN, _monitor, :process, _server, _reason} -> exit(:normal)
    after
      interval -> :ok
    end
  end

  @doc "The files of a source as they are now. One that is missing has a stamp, too."
  @spec stamps(Vitrine.source()) :: stamps()
  def stamps(source) do
    for file <- Source.files(source) do
      with {:ok, stat} <- File.stat(file, time: :posix),
           do: {file, stat.mtime, stat.size, stat.inode}
    end
  end
end
