defmodule Vitrine.SmallDisk do
  @moduledoc "A file system of a few pages, to fill up. Only root can mount one."

  @doc "Why there can be none here, or `nil`."
  def fault do
    directory = Path.join(System.tmp_dir!(), "vitrine-disk-#{System.unique_integer([:positive])}")

    case mount(directory, "64k") do
      :ok -> unmount(directory)
      {:error, fault} -> "a small file system cannot be mounted here: #{fault}"
    end
  end

  @doc "Mounts one at a directory, which is made."
  def mount(directory, size) do
    File.mkdir_p!(directory)
    arguments = ["-t", "tmpfs", "-o", "size=#{size},mode=700", "none", directory]

    case System.cmd("mount", arguments, stderr_to_stdout: true) do
      {_, 0} ->
        :ok

      {output, _} ->
        File.rmdir!(directory)
        {:error, String.trim(output)}
    end
  rescue
    # There is no such command.
    error in ErlangError -> {:error, inspect(error.original)}
  end

  @doc "Lets nobody write to it, root included."
  def read_only(directory) do
    {_, 0} = System.cmd("mount", ["-o", "remount,ro", directory])
    :ok
  end

  @doc "Takes it away, with its directory."
  def unmount(directory) do
    {_, 0} = System.cmd("umount", [directory])
    File.rmdir!(directory)
    nil
  end
end
