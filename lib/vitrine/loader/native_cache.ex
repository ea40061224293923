defmodule Vitrine.Loader.NativeCache do
  @moduledoc false
  # The directory that native code is kept in. The core reads and writes it.

  alias Vitrine.Loader.CacheDirectory
  alias Vitrine.Native

  require Logger

  @max_bytes 512 * 1024 * 1024

  @type t :: {directory :: Path.t(), max_bytes :: non_neg_integer()} | nil

  @doc """
  Returns the cache, by the option `:cache` (`true` or `false`) and the application's environment, or `nil` if there is
  none. A directory that cannot be trusted is not used, and a warning says so once.
  """
  @spec find!(boolean()) :: t()
  def find!(wanted?) do
    max_bytes = setting!(:cache_max_bytes, @max_bytes, &(is_integer(&1) and &1 >= 0), "bytes")

    with true <- wanted? and setting!(:cache, true, &is_boolean/1, "true or false"),
         directory when directory != nil <- CacheDirectory.find!(nil) do
      # A directory of its own: that of downloads need not be trusted.
      trusted({directory |> Path.expand() |> Path.join("native"), max_bytes})
    else
      _ -> nil
    end
  end

  defp setting!(key, default, valid?, expected) do
    value = Application.get_env(:vitrine, key, default)

    unless valid?.(value) do
      raise ArgumentError,
            "expected #{inspect(key)} of :vitrine's environment to be #{expected}, got: " <>
              inspect(value)
    end

    value
  end

  defp trusted({directory, _} = cache) do
    case Native.cache_fault(cache) do
      nil ->
        cache

      fault ->
        warn(directory, fault)
        nil
    end
  end

  defp warn(directory, fault) do
    key = {__MODULE__, directory}

    unless :persistent_term.get(key, nil) == fault do
      :persistent_term.put(key, fault)
      Logger.warning("Vitrine keeps no native code in #{directory}, because #{fault}")
    end
  end
end
