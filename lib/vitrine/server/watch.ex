defmodule Vitrine.Server.Watch do
  @moduledoc false
  # A process that looks at the files of a server's plugin and upgrades the server when they change.

  require Logger

  alias Vitrine.Error
  alias Vitrine.Loader.Source
  alias Vitrine.Text.Printable

  @typedoc "The state of files. Stamps that differ mean that the files have changed."
  @type stamps :: list()

  @typedoc "The watched source, the interval in milliseconds, the plugin's name in logs, and how to upgrade the server."
  @type watched :: %{
          source: Source.t(),
          interval: pos_integer(),
          plugin: String.t(),
          upgrade: (Source.t() -> :ok | {:error, Error.t()})
        }

  @doc "Watches for the calling server, as long as that lives. `loaded` are the stamps of what the server has loaded."
  @spec start_link(watched(), stamps()) :: pid()
  def start_link(watched, loaded) do
    server = self()

    spawn_link(fn ->
      Process.monitor(server)
      watch(watched, loaded)
    end)
  end

  defp watch(watched, loaded) do
    pause(watched.interval)
    stamps = stamps(watched.source)
    if stamps == loaded, do: watch(watched, loaded), else: settle(watched, stamps)
  end

  # Waits until the files stay as they are: a file that is being written still changes.
  defp settle(watched, stamps) do
    pause(watched.interval)

    case stamps(watched.source) do
      ^stamps ->
        reload(watched)
        watch(watched, stamps)

      changing ->
        settle(watched, changing)
    end
  end

  defp reload(%{source: source, plugin: plugin, upgrade: upgrade}) do
    case upgrade.(source) do
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
      # A link does not end this process when the server ends normally.
      {:DOWN, _monitor, :process, _server, _reason} -> exit(:normal)
    after
      interval -> :ok
    end
  end

  @doc "Returns the stamps of a source's files as they are now. A file that is missing has one, too."
  @spec stamps(Source.t()) :: stamps()
  def stamps(source) do
    for file <- Source.files(source) do
      with {:ok, stat} <- File.stat(file, time: :posix),
           do: {file, stat.mtime, stat.size, stat.inode}
    end
  end
end
