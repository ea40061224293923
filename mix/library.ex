defmodule Vitrine.Build.Library do
  @moduledoc """
  Puts the native library where it belongs.

  A running VM may have the library of the last build mapped, and a second Mix may look at it
  right now. So it is never written in place: the new one is written beside it and renamed.
  """

  @doc "Puts a copy of `source` at `target`, unless an equal one is there."
  @spec install(Path.t(), Path.t()) :: :ok | {:error, String.t()}
  def install(source, target) do
    if same?(source, target), do: :ok, else: replace(source, target)
  end

  defp same?(source, target) do
    with {:ok, %{size: size}} <- File.stat(source),
         {:ok, %{size: ^size, type: :regular}} <- File.lstat(target),
         {:ok, bytes} <- File.read(source) do
      File.read(target) == {:ok, bytes}
    else
      _ -> false
    end
  end

  defp replace(source, target) do
    temporary = "#{target}.#{System.pid()}"

    with :ok <- File.mkdir_p(Path.dirname(target)),
         :ok <- File.cp(source, temporary),
         :ok <- File.rename(temporary, target) do
      :ok
    else
      {:error, reason} ->
        File.rm(temporary)
        {:error, "Could not copy #{source} to #{target}: #{:file.format_error(reason)}"}
    end
  end
end
