defmodule Vitrine.Loader.Download.Cache do
  @moduledoc false
  # Files on disk, each named by the sha256 of its content. What is read is compared with its name,
  # so the directory need not be trusted; what cannot be written is not kept.

  @type directory :: Path.t() | nil

  @doc "The directory to use, from the option or the application's environment; `nil` for none."
  @spec directory(Path.t() | false | nil) :: directory()
  def directory(nil), do: directory(Application.get_env(:vitrine, :cache_dir, :default))
  def directory(false), do: nil
  def directory(:default), do: default()
  def directory(path) when is_binary(path), do: Path.expand(path)

  def directory(other) do
    raise ArgumentError, "expected :cache_dir to be a path or false, got: #{inspect(other)}"
  end

  defp default do
    :filename.basedir(:user_cache, "vitrine")
  rescue
    # Of a user without a home.
    _ -> nil
  end

  @doc "The content with this hash, which must have no more than `max` bytes."
  @spec get(directory(), String.t(), non_neg_integer()) :: {:ok, binary()} | :error
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
  @spec put(directory(), String.t(), binary()) :: :ok
  def put(nil, _hash, _bytes), do: :ok

  def put(directory, hash, bytes) do
    path = Path.join(directory, hash)
    # Whoever reads meanwhile, in this system or another, finds all of it or nothing.
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

  @doc "The sha256 of bytes, in lower-case hexadecimal digits."
  @spec hash(binary()) :: String.t()
  def hash(bytes), do: Base.encode16(:crypto.hash(:sha256, bytes), case: :lower)
end
