defmodule Vitrine.Codec.Term do
  @moduledoc false
  # The common parts of the codecs for terms: the scheduler on which they work, how much they read, which structs they
  # write, and their error messages.

  alias Vitrine.Options.Names
  alias Vitrine.Native.Permit
  alias Vitrine.Text.Printable

  # The longest text that is read on a normal scheduler, in bytes.
  @short 4 * 1024

  # A text can become terms of tens of times its size, and the plugin's author chooses the text.
  @max_bytes 16 * 1024 * 1024

  # How many steps of the path to a fault are shown.
  @max_steps 12

  @doc "Checks the options."
  @spec options!(keyword()) :: keyword()
  def options!([]), do: []

  def options!(options) do
    options = Names.validate!(options, max_bytes: @max_bytes)

    case options[:max_bytes] do
      :infinity ->
        options

      bytes when is_integer(bytes) and bytes >= 0 ->
        options

      other ->
        raise ArgumentError,
              "expected :max_bytes to be a number of bytes or :infinity, got: #{inspect(other)}"
    end
  end

  @doc "Decodes bytes, with the NIF for normal schedulers or the one for dirty schedulers."
  def decode(bytes, options, normal, dirty) do
    max = Keyword.get(options, :max_bytes, @max_bytes)

    cond do
      byte_size(bytes) <= @short and byte_size(bytes) <= max ->
        normal.(bytes)

      byte_size(bytes) <= max ->
        Permit.run(fn -> dirty.(bytes) end)

      true ->
        {:error,
         "it has #{byte_size(bytes)} bytes; the limit is #{max} bytes (max_bytes: #{max})"}
    end
  end

  @doc """
  Encodes a term, with the NIF for normal schedulers, or with the one for dirty schedulers if the term is large.
  `hint` is added to the error for bytes that are not text.
  """
  def encode(term, normal, dirty, hint \\ "") do
    case write(term, normal, dirty) do
      {:error, {:structure, _, _}} -> term |> expand() |> write(normal, dirty) |> explain(hint)
      result -> explain(result, hint)
    end
  end

  defp write(term, normal, dirty) do
    with :large <- normal.(term), do: Permit.run(fn -> dirty.(term) end)
  end

  defp explain({:ok, _bytes} = ok, _hint), do: ok

  defp explain({:error, {problem, term, path}}, hint) do
    {:error,
     "#{place(Enum.reverse(path))} #{describe(problem, term)}#{if problem == :utf8, do: hint}"}
  end

  defp place([]), do: "it"

  defp place(path) do
    Enum.map_join(Enum.take(path, @max_steps), &step/1) <>
      if(Enum.drop(path, @max_steps) == [], do: "", else: "...")
  end

  # Dates and times are written as texts. This is done only for terms that contain a struct.
  defp expand(%module{} = time) when module in [Date, Time, NaiveDateTime, DateTime],
    do: module.to_iso8601(time)

  defp expand(%_{} = struct), do: struct
  defp expand(map) when is_map(map), do: Map.new(map, fn {key, value} -> {key, expand(value)} end)
  defp expand([head | tail]), do: [expand(head) | expand(tail)]
  defp expand(other), do: other

  defp step(index) when is_integer(index), do: "[#{index}]"

  defp step({key}) do
    plain? = (is_binary(key) or is_atom(key)) and to_string(key) =~ ~r/\A\w+\z/
    if plain?, do: ".#{key}", else: "[#{show(key)}]"
  end

  defp describe(:utf8, bytes), do: "is not UTF-8: #{show(bytes)}"
  defp describe(:integer, integer), do: "is an integer of more than 64 bits: #{show(integer)}"

  defp describe(:structure, %{__struct__: name}),
    do: "is a struct, which must be made a map first: %#{inspect(name)}{}"

  defp describe(:improper, list), do: "is an improper list: #{show(list)}"
  defp describe(:depth, _term), do: "is nested too deep"
  defp describe(:size, _term), do: "is too long"

  defp describe(:key, key),
    do: "has a key that is not a string, an atom or an integer: #{show(key)}"

  defp describe(:other, term), do: "is #{show(term)}, which has no form in it"

  defp show(term) when is_integer(term), do: Printable.term(term)

  defp show(term) do
    text = inspect(term, limit: 5, printable_limit: 80)
    if String.length(text) > 200, do: String.slice(text, 0, 200) <> "...", else: text
  end
end
