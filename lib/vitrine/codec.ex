defmodule Vitrine.Codec do
  @moduledoc ~S"""
  Converts terms to the bytes that a plugin takes, and a plugin's bytes to terms.

  `Vitrine.call/4` takes a codec as the option `:as`. Host functions take codecs as types:

      Vitrine.call(plugin, "count_vowels", "hello", as: {:string, :json})
      #=> {:ok, %{"count" => 2, "total" => 2, "vowels" => "aeiouAEIOU"}}

  `as: codec` is for input and output, `as: {codec, codec}` for each of them separately. Without `:as`, bytes are
  passed as they are.

  | codec       | terms                                                                          | bytes |
  |-------------|--------------------------------------------------------------------------------|-------|
  | `:raw`      | binaries, and iodata to encode                                                 | the same |
  | `:string`   | texts                                                                          | UTF-8 |
  | `:json`     | see `Vitrine.Codec.JSON`                                                       | JSON |
  | `:msgpack`  | see `Vitrine.Codec.MessagePack`                                                | MessagePack |
  | `:base64`   | binaries                                                                       | base64, padded |
  | `:bool`     | `true` and `false`                                                             | one byte, 1 or 0 |
  | `:i32`, `:u32`, `:i64`, `:u64` | integers of so many bits, signed or unsigned                | 4 or 8, the lowest first |
  | `:f32`, `:f64` | numbers, `:nan`, `:infinity` and `:neg_infinity`                            | 4 or 8, the lowest first |
  | `:empty`    | `nil`                                                                          | none |

  These are the encodings of the Extism PDKs. To give a codec options, put both in a pair:
  `{:json, max_bytes: 1_000_000}`.

  ## Custom codecs

  A codec can also be a module with this behaviour, or `{module, options}`:

      defmodule MyApp.CSV do
        @behaviour Vitrine.Codec

        @impl true
        def encode(rows, _options), do: {:ok, Enum.map(rows, &[Enum.intersperse(&1, ","), "\n"])}

        @impl true
        def decode(bytes, options) do
          rows = for line <- String.split(bytes, "\n", trim: true), do: String.split(line, ",")
          columns = options[:columns]

          if columns == nil or Enum.all?(rows, &(length(&1) == columns)),
            do: {:ok, rows},
            else: {:error, "a line does not have #{columns} fields"}
        end
      end

  `decode/2` gets bytes of a plugin that may be hostile. Do not use `:erlang.binary_to_term/2` for them, not even with
  `:safe`: some kilobytes can become a term of gigabytes, or a function.

  ## Errors

  A value that cannot be encoded or decoded is an error with the reason `:codec`. An input that cannot be encoded
  never reaches the plugin.
  """

  alias Vitrine.Codec.{Base64, Empty, JSON, MessagePack, Number, Raw, Text}
  alias Vitrine.Error
  alias Vitrine.Text.Nearest

  @doc "Encodes a term. `options` are those given together with the module."
  @callback encode(term(), options :: keyword()) :: {:ok, iodata()} | {:error, reason :: term()}

  @doc "Decodes bytes. They can be anything, because a plugin may be hostile."
  @callback decode(binary(), options :: keyword()) :: {:ok, term()} | {:error, reason :: term()}

  @typedoc "A codec, or a module with this behaviour, with or without options."
  @type t :: name() | module() | {name() | module(), keyword()}

  @typedoc "A built-in codec, see the table above."
  @type name ::
          :raw
          | :string
          | :json
          | :msgpack
          | :base64
          | :bool
          | :i32
          | :u32
          | :i64
          | :u64
          | :f32
          | :f64
          | :empty

  @typedoc false
  @type resolved :: {module(), options :: term(), shown :: t()}

  @numbers [:bool, :i32, :u32, :i64, :u64, :f32, :f64]
  @names [:raw, :string, :base64, :empty, :json, :msgpack] ++ @numbers

  # The most bytes that an error keeps.
  @small 64 * 1024

  @doc """
  Encodes a term.

      iex> Vitrine.Codec.encode(:json, %{"name" => "Joe", "tags" => [1, 2.5, nil]})
      {:ok, ~s({"name":"Joe","tags":[1,2.5,null]})}
      iex> {:error, error} = Vitrine.Codec.encode(:json, %{users: [%{id: {1, 2}}]})
      iex> {error.reason, error.message}
      {:codec, "the term cannot be encoded as :json: .users[0].id is {1, 2}, which has no form in it"}

  Raises `ArgumentError` if there is no such codec, like all functions that take a codec.
  """
  @spec encode(t(), term()) :: {:ok, binary()} | {:error, Error.t()}
  def encode(codec, term), do: codec |> resolve!() |> write(term, "the term")

  @doc """
  Decodes bytes.

      iex> Vitrine.Codec.decode(:u32, <<1, 0, 0, 0>>)
      {:ok, 1}
      iex> {:error, error} = Vitrine.Codec.decode(:json, "[1, 2")
      iex> {error.message, error.raw}
      {"the bytes cannot be decoded as :json: EOF while parsing a list at line 1 column 5", "[1, 2"}
  """
  @spec decode(t(), binary()) :: {:ok, term()} | {:error, Error.t()}
  def decode(codec, bytes) when is_binary(bytes),
    do: codec |> resolve!() |> read(bytes, "the bytes")

  @doc false
  # The two codecs of the option `as`. No codec is a list, so a list beside one is its options.
  @spec pair!(t() | {t(), t()}) :: {resolved(), resolved()}
  def pair!({input, output}) when not is_list(output), do: {resolve!(input), resolve!(output)}

  def pair!(codec) do
    resolved = resolve!(codec)
    {resolved, resolved}
  end

  @doc false
  @spec resolve!(t()) :: resolved()
  def resolve!({codec, options} = shown) when is_list(options),
    do: resolve!(codec, options, shown)

  def resolve!(codec), do: resolve!(codec, [], codec)

  defp resolve!(name, [], _) when name in @numbers, do: {Number, [type: name], name}

  defp resolve!(:raw, [], _), do: {Raw, [], :raw}
  defp resolve!(:string, [], _), do: {Text, [], :string}
  defp resolve!(:base64, [], _), do: {Base64, [], :base64}
  defp resolve!(:empty, [], _), do: {Empty, [], :empty}
  defp resolve!(:json, options, _), do: {JSON, JSON.options!(options), :json}
  defp resolve!(:msgpack, options, _), do: {MessagePack, MessagePack.options!(options), :msgpack}

  defp resolve!(module, options, shown) when is_atom(module) do
    if Code.ensure_loaded?(module) and function_exported?(module, :encode, 2) and
         function_exported?(module, :decode, 2) do
      {module, options, shown}
    else
      invalid(shown)
    end
  end

  defp resolve!(_codec, _options, shown), do: invalid(shown)

  defp invalid(shown) do
    raise ArgumentError,
          "expected a codec: one of #{Enum.map_join(@names, ", ", &inspect/1)}, a module with the behaviour Vitrine.Codec, or one " <>
            "of these with its options, got: #{inspect(shown)}#{Nearest.advice(name(shown), @names)}"
  end

  # Names that are often used for a codec of another name.
  defp name({codec, options}) when is_list(options), do: name(codec)
  defp name(text) when text in [:text, :utf8, "string"], do: :string
  defp name(bytes) when bytes in [:binary, :bytes, :bin], do: :raw
  defp name(float) when float in [:float, :double], do: :f64
  defp name(integer) when integer in [:integer, :int], do: :i64
  defp name(other), do: other

  @doc false
  # `what` names the term in the error.
  @spec write(resolved(), term(), String.t()) :: {:ok, binary()} | {:error, Error.t()}
  def write({module, options, shown}, term, what) do
    case module.encode(term, options) do
      {:ok, bytes} when is_binary(bytes) ->
        {:ok, bytes}

      {:ok, iodata} ->
        {:ok, iodata!(module, iodata)}

      {:error, reason} ->
        error("#{what} cannot be encoded as #{inspect(shown)}: #{text(reason)}")

      other ->
        broken!("#{inspect(module)}.encode/2", "{:ok, iodata}", other)
    end
  end

  defp iodata!(module, iodata) do
    IO.iodata_to_binary(iodata)
  rescue
    ArgumentError -> broken!("#{inspect(module)}.encode/2", "{:ok, iodata}", {:ok, iodata})
  end

  defp broken!(callback, expected, got) do
    raise ArgumentError,
          "expected #{callback} to return #{expected} or {:error, reason}, got: " <>
            inspect(got, limit: 5, printable_limit: 80)
  end

  @doc false
  @spec read(resolved(), binary(), String.t()) :: {:ok, term()} | {:error, Error.t()}
  def read({module, options, shown}, bytes, what) do
    case module.decode(bytes, options) do
      {:ok, _term} = ok ->
        ok

      {:error, reason} ->
        raw = if byte_size(bytes) <= @small, do: bytes
        error("#{what} cannot be decoded as #{inspect(shown)}: #{text(reason)}", raw)

      other ->
        broken!("#{inspect(module)}.decode/2", "{:ok, term}", other)
    end
  end

  defp error(message, raw \\ nil),
    do: {:error, %Error{reason: :codec, message: message, raw: raw}}

  defp text(reason) when is_binary(reason), do: reason
  defp text(reason) when is_exception(reason), do: Exception.message(reason)
  defp text(reason), do: inspect(reason)
end
