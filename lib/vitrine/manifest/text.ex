defmodule Vitrine.Manifest.Text do
  @moduledoc false
  # What a text, or a file's bytes, may be: a module, or a manifest as JSON or TOML.

  alias Vitrine.Codec.JSON
  alias Vitrine.Native
  alias Vitrine.Source.Content

  @keys "wasm|config|memory|allowed_hosts|allowed_paths|timeout_ms"

  @doc """
  What bytes are, by how they begin. A brace begins JSON; a text in which some line is like one of
  TOML is taken for that.
  """
  @spec kind(binary()) :: :module | :json | :toml | :unknown
  def kind(bytes) do
    cond do
      Content.module?(bytes) or Content.component?(bytes) -> :module
      json?(bytes) -> :json
      toml?(bytes) -> :toml
      true -> :unknown
    end
  end

  # No manifest is a list, but JSON it is, unless it looks like the header of one of TOML's tables.
  defp json?(bytes), do: bytes =~ ~r/\A\s*(\{|\[(?!\[?[^\[\],\n]+\]))/

  defp toml?(bytes), do: bytes =~ ~r/^[ \t]*+(\[|[^\s=][^=\n]*+=)/m and String.valid?(bytes)

  @doc "Whether a text, even of one line, is a manifest and no file's name."
  @spec manifest?(String.t()) :: boolean()
  def manifest?(text), do: text =~ ~r/\A\s*([\{\[]|["']?(#{@keys})["']?\s*=)/

  @doc "A format as people call it."
  @spec name(:json | :toml) :: String.t()
  def name(format), do: format |> Atom.to_string() |> String.upcase()

  @doc "What a text says, as maps with string keys."
  @spec decode(:json | :toml, binary()) :: {:ok, term()} | {:error, String.t()}
  def decode(:json, text), do: JSON.decode(text, max_bytes: :infinity)

  def decode(:toml, text) do
    with {:ok, table} <- Native.await(&Native.decode_toml(text, &1)), do: {:ok, maps(table)}
  end

  # A table comes as `{pairs}`: the thread that parses it is not a scheduler, and cannot make a large map.
  defp maps({pairs}), do: Map.new(pairs, fn {key, value} -> {key, maps(value)} end)
  defp maps(list) when is_list(list), do: Enum.map(list, &maps/1)
  defp maps(value), do: value
end
