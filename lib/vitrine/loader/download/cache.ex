defmodule Vitrine.Loader.Download.Cache do
  @moduledoc false
  # Downloads on disk. Each file is named by the sha256 of its content, and what is read is compared with its name, so
  # the directory need not be trusted. What cannot be written is not kept.

  alias Vitrine.Loader.CacheDirectory

  @doc "Returns the content with this hash, which must have no more than `max` bytes."
  @spec get(CacheDirectory.t(), String.t(), non_neg_integer()) :: {:ok, binary()} | :error
  def get(nil, _hash, _max), do: :error

  def get(directory, hash, max) do
    path = Path.join(directory, hash)

    with {:ok, %{type: :regular, size: size}} when size <= max <- File.stat(path),
         {:ok, bytes} <- File.read(path),
         ^hash <- hash(bytes) do
      {:ok, bytes}
    else
      {:error, _} ->
        :error

      _damaged ->
        _ = File.rm(path)
        :error
    end
  end

  @doc "Keeps content under its hash, if that can be done."
  @spec put(CacheDirectory.t(), String.t(), binary()) :: :ok
  def put(nil, _hash, _bytes), do: :ok

  def put(directory, hash, bytes) do
    path = Path.join(directory, hash)
    # A process that reads meanwhile, in this system or another, finds the whole file or none.
    part = "#{path}.#{System.pid()}-#{System.unique_integer([:positive])}"

    with :ok <- File.mkdir_p(directory),
         :ok <- File.write(part, bytes),
         :ok <- File.rename(part, path) do
      :ok
    else
      {:error, _} ->
        _ = File.rm(part)
        :ok
    end
  end

  @doc "Returns the sha256 of bytes, in lower-case hexadecimal digits."
  @spec hash(binary()) :: String.t()
  def hash(bytes), do: Base.encode16(:crypto.hash(:sha256, bytes), case: :lower)
end
