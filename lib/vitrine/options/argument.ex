defmodule Vitrine.Options.Argument do
  @moduledoc false
  # Checks of arguments where callers give them. A wrong one raises `ArgumentError`, which says what was expected.

  alias Vitrine.Text.Printable

  @doc """
  A keyword list. Of another term the message shows the keys at most, because options may have secrets.
  """
  @spec keyword!(term(), String.t()) :: keyword()
  def keyword!(options, what \\ "the options") do
    if Keyword.keyword?(options),
      do: options,
      else: wrong!("#{what} to be a keyword list", shape(options))
  end

  @doc "A map that is not a struct, as pairs."
  @spec pairs!(term(), String.t()) :: [{term(), term()}]
  def pairs!(map, what) do
    if is_map(map) and not is_struct(map),
      do: Map.to_list(map),
      else: wrong!(what, shape(map))
  end

  @doc "Bytes, of a binary or iodata."
  @spec bytes!(term(), String.t()) :: binary()
  def bytes!(bytes, _what) when is_binary(bytes), do: bytes

  def bytes!(list, what) when is_list(list) do
    IO.iodata_to_binary(list)
  rescue
    ArgumentError -> not_bytes!(list, what)
  end

  def bytes!(other, what), do: not_bytes!(other, what)

  @spec not_bytes!(term(), String.t()) :: no_return()
  defp not_bytes!(other, what) do
    advice = if match?({:ok, _}, other), do: ": match on {:ok, bytes} first", else: ""
    wrong!("#{what} to be a binary or iodata", Printable.term(other) <> advice)
  end

  @doc "Variables, as pairs."
  @spec vars!(term()) :: [{String.t(), binary()}]
  def vars!(vars) do
    for {key, value} <- pairs!(vars, "variables to be a map of strings to binaries") do
      unless text?(key) and is_binary(value) do
        raise ArgumentError,
              "expected variables to map strings to binaries, got: #{inspect({key, value})}"
      end

      {key, value}
    end
  end

  @doc "Changes of the configuration, as pairs."
  @spec config_changes!(term()) :: [{String.t(), String.t() | nil}]
  def config_changes!(changes) do
    what = "the configuration to be a map of strings to strings or nil"

    for {key, value} <- pairs!(changes, what) do
      unless text?(key) and (value == nil or text?(value)) do
        raise ArgumentError,
              "expected the configuration to map strings to strings or nil, got: " <>
                inspect({key, value})
      end

      {key, value}
    end
  end

  @doc "The name of a function of a plugin."
  @spec function!(term()) :: String.t()
  def function!(name) when is_binary(name), do: name

  def function!(other),
    do: wrong!("the name of a function of the plugin, a string", Printable.term(other))

  @doc "Whether a term is a list that ends with the empty list."
  @spec proper_list?(term()) :: boolean()
  def proper_list?(term), do: is_list(term) and not List.improper?(term)

  @doc "Whether a term is a proper list whose elements all pass a check."
  @spec list_of?(term(), (term() -> boolean())) :: boolean()
  def list_of?(term, check), do: proper_list?(term) and Enum.all?(term, check)

  @doc "Whether a term is a text in UTF-8."
  @spec text?(term()) :: boolean()
  def text?(term), do: is_binary(term) and String.valid?(term)

  @doc "Raises that something else was expected."
  @spec wrong!(String.t(), String.t()) :: no_return()
  def wrong!(expected, got), do: raise(ArgumentError, "expected #{expected}, got: #{got}")

  @doc "Describes a term that is not what was expected. Of a map or a list only the keys are shown."
  @spec shape(term()) :: String.t()
  def shape(%module{}), do: "a struct, %#{inspect(module)}{}"
  def shape(map) when is_map(map), do: "a map with the keys #{Printable.term(Map.keys(map))}"
  def shape([]), do: "an empty list"

  def shape(list) when is_list(list) do
    cond do
      List.improper?(list) ->
        "an improper list"

      Keyword.keyword?(list) ->
        "a keyword list with the keys #{Printable.term(Keyword.keys(list))}"

      true ->
        "a list with #{list |> Enum.find(&(not option?(&1))) |> entry()} in it"
    end
  end

  def shape(other), do: Printable.term(other)

  defp option?({key, _value}), do: is_atom(key)
  defp option?(_other), do: false

  defp entry({key, _value}), do: "the key #{Printable.term(key)}"
  defp entry(other), do: Printable.term(other)
end
