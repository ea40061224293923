defmodule Vitrine.HTTP.Headers do
  @moduledoc false
  # The headers of requests that guests make. A value that would write more than one header is refused. Headers that
  # belong to the client are dropped.

  alias Vitrine.Text.Printable

  # These headers say how the message is framed, what happens to the connection, and which server is meant.
  @clients ~w(
    connection content-length expect host http2-settings keep-alive proxy-authorization
    proxy-connection te trailer transfer-encoding upgrade
  )

  # A server that gets these headers can act in the name of their sender.
  @secrets ~w(authorization cookie)

  # The bytes of all names and values. Servers accept no more than a quarter of it.
  @max_bytes 65_536

  @type t :: [{String.t(), binary()}]

  @doc "Returns the headers that may be sent. The error says which header may not be sent."
  @spec check(Enumerable.t()) :: {:ok, t()} | {:error, String.t()}
  def check(headers) do
    with :ok <- size(headers) do
      headers =
        Enum.map(headers, fn {name, value} -> {String.downcase(name, :ascii), trim(value)} end)

      case Enum.find_value(headers, &fault/1) do
        # Of names that differ only in case, the last one counts.
        nil -> {:ok, headers |> Map.new() |> Map.drop(@clients) |> Enum.to_list()}
        fault -> {:error, fault}
      end
    end
  end

  @doc "Tells whether headers are few enough to be checked one by one."
  @spec size(Enumerable.t()) :: :ok | {:error, String.t()}
  def size(headers) do
    case Enum.reduce(headers, 0, fn {name, value}, sum ->
           # The size on the wire, with a colon, a space and the end of a line.
           sum + byte_size(name) + byte_size(value) + 4
         end) do
      bytes when bytes <= @max_bytes -> :ok
      bytes -> {:error, "the headers have #{bytes} bytes; the limit is #{@max_bytes} bytes"}
    end
  end

  defp fault({name, value}) do
    cond do
      not name?(name) ->
        "the header #{Printable.quoted(name, 100)} has a name that cannot be sent; " <>
          "names have letters and digits of ASCII and !#$%&'*+.^_`|~-"

      not value?(value) ->
        "the header #{Printable.quoted(name, 100)} has a value that cannot be sent; " <>
          "values have no control characters"

      true ->
        nil
    end
  end

  @doc "Returns the headers that may be sent to another server."
  @spec without_secrets(t()) :: t()
  def without_secrets(headers), do: Enum.reject(headers, fn {name, _} -> name in @secrets end)

  @doc "Returns the headers for a request without the body."
  @spec without_content(t()) :: t()
  def without_content(headers),
    do: Enum.reject(headers, fn {name, _} -> String.starts_with?(name, "content-") end)

  @doc "Returns the first value of a header, by its name in lower case."
  @spec get(t(), String.t()) :: binary() | nil
  def get(headers, name), do: with({_, value} <- List.keyfind(headers, name, 0), do: value)

  @doc "Tells whether this is a header's name, in lower case."
  @spec name?(String.t()) :: boolean()
  def name?(name), do: name =~ ~r/\A[!#$%&'*+.^_`|~0-9a-z-]+\z/

  @doc "Tells whether a header can have this value. Tabs and bytes beyond ASCII are allowed."
  @spec value?(binary()) :: boolean()
  def value?(value), do: not (value =~ ~r/[\x00-\x08\x0a-\x1f\x7f]/)

  @doc "Returns a value without spaces and tabs around it. A line break at the end is not removed."
  @spec trim(binary()) :: binary()
  def trim(<<blank, rest::binary>>) when blank in ~c" \t", do: trim(rest)
  def trim(value), do: binary_part(value, 0, trimmed(value, byte_size(value)))

  defp trimmed(_value, 0), do: 0

  defp trimmed(value, size) do
    if :binary.at(value, size - 1) in ~c" \t", do: trimmed(value, size - 1), else: size
  end
end
