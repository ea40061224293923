defmodule Vitrine.Manifest.Fault do
  @moduledoc false
  # Says what is wrong with a manifest: where, what is there, and what was expected. The checks that all parts of a
  # manifest have in common are here, too.

  alias Vitrine.Options.Argument
  alias Vitrine.Text.{Nearest, Printable}

  # The most bytes of a key that is shown unquoted.
  @max_step 100

  @typedoc "The keys and indices that lead to the fault, from the outermost, and what to say of it."
  @type t :: {path(), String.t()} | String.t()

  @type path :: [String.t() | non_neg_integer()]

  @doc "The fault of a value that is not allowed."
  @spec expected(path(), String.t(), term()) :: {:error, t()}
  def expected(path, expected, got),
    do: {:error, {path, "must be #{expected}, got: #{Printable.term(got)}"}}

  @doc "The fault as a sentence."
  @spec message(t()) :: String.t()
  def message(text) when is_binary(text), do: text
  def message({[], text}), do: "the manifest #{text}"
  def message({path, text}), do: "the manifest's #{path(path)} #{text}"

  @doc "A path as people write it, such as `wasm[1].headers`."
  @spec path(path()) :: String.t()
  def path([first | rest]), do: Enum.join([first | Enum.map(rest, &step/1)])

  defp step(index) when is_integer(index), do: "[#{index}]"

  defp step(key) do
    if byte_size(key) <= @max_step and key =~ ~r/\A\w+\z/,
      do: ".#{key}",
      else: "[#{Printable.term(key)}]"
  end

  @doc "A map with string keys, all of them allowed, made from one with strings or atoms as keys."
  @spec keys(term(), [String.t()], path()) :: {:ok, map()} | {:error, t()}
  def keys(map, allowed, path) do
    with {:ok, map} <- string_keys(map, path) do
      case Enum.sort(Map.keys(map) -- allowed) do
        [] ->
          {:ok, map}

        [key | _] ->
          {:error,
           {path,
            "has the unknown key #{Printable.term(key)}, allowed are: #{Enum.join(allowed, ", ")}" <>
              Nearest.advice(key, allowed)}}
      end
    end
  end

  @doc "A map with string keys, made from one with strings or atoms as keys."
  @spec string_keys(term(), path()) :: {:ok, map()} | {:error, t()}
  def string_keys(map, path) when is_map(map) and not is_struct(map) do
    keyed = Map.new(map, fn {key, value} -> {string_key(key), value} end)

    if map_size(keyed) == map_size(map) do
      {:ok, keyed}
    else
      key = map |> Map.keys() |> Enum.find(&(is_atom(&1) and is_map_key(map, string_key(&1))))

      {:error,
       {path, "has the key #{Printable.term(string_key(key))} both as an atom and as a string"}}
    end
  end

  def string_keys(other, path), do: expected(path, "a map", other)

  defp string_key(key) when is_atom(key), do: Atom.to_string(key)
  defp string_key(key), do: key

  @doc "The results of a check of each element, or the first fault."
  @spec each(Enumerable.t(), (term() -> {:ok, term()} | {:error, t()})) ::
          {:ok, [term()]} | {:error, t()}
  def each(elements, check) do
    checked =
      Enum.reduce_while(elements, [], fn element, checked ->
        case check.(element) do
          {:ok, value} -> {:cont, [value | checked]}
          {:error, _} = error -> {:halt, error}
        end
      end)

    if is_list(checked), do: {:ok, Enum.reverse(checked)}, else: checked
  end

  @doc "A map of texts to texts, made from one with strings or atoms as keys."
  @spec texts(term(), path()) :: {:ok, %{String.t() => String.t()}} | {:error, t()}
  def texts(map, path) do
    with {:ok, map} <- string_keys(map, path),
         {:ok, _} <- each(map, &text_pair(&1, path)) do
      {:ok, map}
    end
  end

  defp text_pair({key, value}, path) do
    cond do
      not Argument.text?(key) ->
        {:error, {path, "must have strings as keys, got: #{Printable.term(key)}"}}

      Argument.text?(value) ->
        {:ok, value}

      is_binary(value) ->
        {:error, {path ++ [key], "must be a string, got: bytes that are not UTF-8"}}

      true ->
        expected(path ++ [key], "a string", value)
    end
  end
end
