defmodule Vitrine.HTTP.Headers do
  @moduledoc false
  # The headers of requests that guests make: what would let one write more than a header is
  # refused, what is the client's to say is dropped.

  # How the message is framed, what becomes of the connection, and which server is meant.
  @clients ~w(
    connection content-length expect host http2-settings keep-alive proxy-authorization
    proxy-connection te trailer transfer-encoding upgrade
  )

  # Whoever gets these can act as the one who sent them.
  @secrets ~w(authorization cookie)

  @type t :: [{String.t(), binary()}]

  @doc "Headers as they may be sent; the error says which may not."
  @spec check(Enumerable.t()) :: {:ok, t()} | {:error, String.t()}
  def check(headers) do
    headers =
      Enum.map(headers, fn {name, value} -> {String.downcase(name, :ascii), trim(value)} end)

    case Enum.find(headers, fn {name, value} -> not (name?(name) and value?(value)) end) do
      nil ->
        # Of names that differ in case alone the last one counts.
        {:ok, headers |> Map.new() |> Map.drop(@clients) |> Enum.to_list()}

      {name, _value} ->
        {:error, "the header #{inspect(name, printable_limit: 100)} is none that can be sent"}
    end
  end

  @doc "What remains of them for another server."
  @spec without_secrets(t()) :: t()
  def without_secrets(headers), do: Enum.reject(headers, fn {name, _} -> name in @secrets end)

  @doc "What remains of them for a request without the body."
  @spec without_content(t()) :: t()
  def without_content(headers),
    do: Enum.reject(headers, fn {name, _} -> String.starts_with?(name, "content-") end)

  @doc "The first value of a header, by its name in lower case."
  @spec get(t(), String.t()) :: binary() | nil
  def get(headers, name), do: with({_, value} <- List.keyfind(headers, name, 0), do: value)

  @doc "Whether this is a header's name, in lower case."
  @spec name?(String.t()) :: boolean()
  def name?(name), do: name =~ ~r/\A[!#$%&'*+.^_`|~0-9a-z-]+\z/

  @doc "Whether a header can have this value. Tabs are fine, and so are bytes beyond ASCII."
  @spec value?(binary()) :: boolean()
  def value?(value), do: not (value =~ ~r/[\x00-\x08\x0a-\x1f\x7f]/)

  # Only spaces and tabs: a line break at the end is no space.
  defp trim(value), do: Regex.replace(~r/\A[ \t]+|[ \t]+\z/, value, "")
end
