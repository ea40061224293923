defmodule Vitrine.Manifest.Text do
  @moduledoc false
  # Finds out whether a text, or a file's bytes, is a module, or a manifest as JSON or TOML.

  alias Vitrine.Codec.JSON
  alias Vitrine.Manifest.Content
  alias Vitrine.Native

  @blanks ~c" \t\n\v\f\r"
  @keys "wasm|config|memory|allowed_hosts|allowed_paths|timeout_ms"

  @doc """
  Returns the kind of bytes, by their beginning. A brace begins JSON. A text in which some line is like one of
  TOML is taken for TOML.
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

  # A list is not a manifest, but it is JSON, unless it looks like the header of a table of TOML.
  defp json?(<<blank, rest::binary>>) when blank in @blanks, do: json?(rest)
  defp json?("{" <> _), do: true
  defp json?("[[" <> rest), do: not closed?(rest, false)
  defp json?("[" <> rest), do: not closed?(rest, false)
  defp json?(_bytes), do: false

  # Whether a bracket that is not empty closes in its line.
  defp closed?("]" <> _, inside?), do: inside?
  defp closed?(<<char, rest::binary>>, _) when char not in ~c"[],\n", do: closed?(rest, true)
  defp closed?(_rest, _inside?), do: false

  # It goes by bytes, because a regular expression starts anew in each line, and would hold its scheduler for all of
  # them.
  defp toml?(bytes), do: line?(bytes) and String.valid?(bytes)

  # The states: at the beginning of a line, and behind its first character.
  defp line?(<<blank, rest::binary>>) when blank in @blanks, do: line?(rest)
  defp line?("[" <> _), do: true
  defp line?("=" <> rest), do: next_line?(rest)
  defp line?(<<_, rest::binary>>), do: assignment?(rest)
  defp line?(""), do: false

  defp assignment?("=" <> _), do: true
  defp assignment?("\n" <> rest), do: line?(rest)
  defp assignment?(<<_, rest::binary>>), do: assignment?(rest)
  defp assignment?(""), do: false

  defp next_line?("\n" <> rest), do: line?(rest)
  defp next_line?(<<_, rest::binary>>), do: next_line?(rest)
  defp next_line?(""), do: false

  @doc "Tells whether a text, even of one line, is a manifest and not a file's name."
  @spec manifest?(String.t()) :: boolean()
  def manifest?(text), do: text =~ ~r/\A\s*([\{\[]|["']?(#{@keys})["']?\s*=)/

  @doc "Returns the name of a format for people."
  @spec name(:json | :toml) :: String.t()
  def name(format), do: format |> Atom.to_string() |> String.upcase()

  @doc "Parses a text into maps with string keys."
  @spec decode(:json | :toml, binary()) :: {:ok, term()} | {:error, String.t()}
  def decode(:json, text), do: JSON.decode(text, max_bytes: :infinity)

  def decode(:toml, text) do
    with {:ok, table} <- Native.await(&Native.decode_toml(text, &1)), do: {:ok, maps(table)}
  end

  # A table is passed as `{pairs}`, because the thread that parses it is not a scheduler and cannot make a large map.
  defp maps({pairs}), do: Map.new(pairs, fn {key, value} -> {key, maps(value)} end)
  defp maps(list) when is_list(list), do: Enum.map(list, &maps/1)
  defp maps(value), do: value
end
