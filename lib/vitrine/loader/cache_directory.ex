defmodule Vitrine.Loader.CacheDirectory do
  @moduledoc false
  # The directory of what is kept on disk: downloads, and native code beside them.

  @type t :: Path.t() | nil

  @doc """
  Returns the directory by the option `:cache_dir` or the application's environment, or `nil` if nothing is to be kept.
  """
  @spec find!(Path.t() | false | nil) :: t()
  def find!(nil), do: find!(Application.get_env(:vitrine, :cache_dir, :default))
  def find!(false), do: nil
  def find!(:default), do: default()
  def find!(path) when is_binary(path), do: Path.expand(path)

  def find!(other) do
    raise ArgumentError, "expected :cache_dir to be a path or false, got: #{inspect(other)}"
  end

  defp default do
    :filename.basedir(:user_cache, "vitrine")
  rescue
    # The user has no home.
    _ -> nil
  end
end
