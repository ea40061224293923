defmodule Vitrine.HTTP.Hosts do
  @moduledoc false
  # The hosts that a plugin may reach: names, or patterns with `*` (any characters), `?` (one character) and `[a-z]`
  # or `[!a-z]` (one of these, none of these). Plugins choose the text that is matched, so matching takes time in
  # proportion to its length, whatever the pattern is.
  #
  # A host is allowed in one of two ways. A pattern gives `:public`: the host may be reached at an address of the public
  # internet. A host that is listed as private is `:private`: it may be reached at any address.

  alias Vitrine.HTTP.{Address, URL}

  @type t :: :all | [{literal :: String.t(), pattern :: [token()] | nil, kind()}]
  @type permission :: :private | :public | :none
  @typep token :: :any | :one | {:set, boolean(), [{byte(), byte()}]} | byte()
  @typep kind :: :private | :addresses | :public

  # How many of the allowed hosts a refusal names.
  @most_named 5

  # Bytes of a pattern: a few for each of the 255 bytes of a name.
  @max_pattern 1_024

  @doc "Returns how long a pattern may be, in bytes."
  def max_pattern, do: @max_pattern

  # The form of {:private, name} in texts. No host has a colon, so elsewhere such a text allows nothing.
  @private "private:"

  @doc "Returns a pattern as a text. `{:private, name}` is written with a prefix."
  @spec text(String.t() | {:private, String.t()}) :: String.t()
  def text({:private, pattern}), do: @private <> pattern
  def text(pattern), do: pattern

  @doc "Compiles patterns for matching."
  @spec compile([String.t()]) :: t()
  def compile(patterns), do: Enum.map(patterns, &(&1 |> String.downcase() |> entry()))

  defp entry(@private <> pattern), do: put_elem(entry(pattern), 2, :private)
  defp entry("localhost"), do: {"localhost", nil, :private}

  # A listed address is allowed as it is. So is a pattern of the addresses of one network, such as 10.* or
  # 192.168.0.[0-9].
  defp entry(pattern) do
    case URL.ipv6_host(pattern) do
      {:ok, host} ->
        {host, nil, :addresses}

      :error ->
        {pattern, tokens(pattern, []), if(network?(pattern), do: :addresses, else: :public)}
    end
  end

  defp network?(pattern), do: pattern =~ ~r/\A[0-9]{1,3}\.[0-9.*?\[\]!-]*\z/

  @doc "Tells whether a host's name or address shows that it is not of the public internet."
  @spec private_by_name?(URL.t()) :: boolean()
  def private_by_name?(%URL{host: "localhost"}), do: true

  def private_by_name?(url) do
    address = URL.address(url)
    is_tuple(address) and Address.special(address) != nil
  end

  @doc "Returns why a pattern can never match a host, or `nil`."
  @spec fault(String.t()) :: String.t() | nil
  def fault(@private <> pattern), do: fault(pattern)

  def fault(pattern) do
    cond do
      pattern == "" ->
        "is empty"

      byte_size(pattern) > @max_pattern ->
        "has #{byte_size(pattern)} bytes; the limit is #{@max_pattern} bytes"

      pattern =~ "://" ->
        "has a scheme"

      pattern =~ "/" ->
        "has a path"

      # IPv6 addresses and sets of characters stand in brackets.
      String.replace(pattern, ~r/\[[^\]]*+\]/, "") =~ ":" ->
        "has a port"

      true ->
        nil
    end
  end

  @doc "Returns how the host of a URL is allowed."
  @spec permission(t(), URL.t()) :: permission()
  def permission(:all, _url), do: :private

  def permission(hosts, %URL{host: host} = url) do
    kinds = for {literal, tokens, kind} <- hosts, fits?(literal, tokens, host), do: kind

    cond do
      kinds == [] -> :none
      :private in kinds -> :private
      # 10.* also matches 10.example.com, which may have any address.
      :addresses in kinds and is_tuple(URL.address(url)) -> :private
      true -> :public
    end
  end

  defp fits?(literal, tokens, host), do: literal == host or match(tokens, host) == :yes

  @doc "Returns the text about the allowed hosts for a refusal."
  @spec describe(t()) :: String.t()
  def describe([]), do: "no host is allowed (allowed_hosts: [])"

  def describe(hosts) do
    {named, more} = Enum.split(hosts, @most_named)
    more = if more == [], do: "", else: " and #{length(more)} more"
    "its host is not one of allowed_hosts: #{Enum.map_join(named, ", ", &shown/1)}#{more}"
  end

  defp shown({literal, _tokens, :private}) when literal != "localhost",
    do: "{:private, #{inspect(literal, printable_limit: 100)}}"

  defp shown({literal, _tokens, _kind}), do: inspect(literal, printable_limit: 100)

  defp tokens("", tokens), do: Enum.reverse(tokens)
  defp tokens("*" <> rest, [:any | _] = tokens), do: tokens(rest, tokens)
  defp tokens("*" <> rest, tokens), do: tokens(rest, [:any | tokens])
  defp tokens("?" <> rest, tokens), do: tokens(rest, [:one | tokens])
  defp tokens("[!" <> rest, tokens), do: set(rest, true, [], tokens)
  defp tokens("[" <> rest, tokens), do: set(rest, false, [], tokens)
  defp tokens(<<byte, rest::binary>>, tokens), do: tokens(rest, [byte | tokens])

  # A bracket that is never closed is not a pattern.
  defp set("", _negated, _ranges, _tokens), do: nil

  defp set("]" <> rest, negated, [_ | _] = ranges, tokens),
    do: tokens(rest, [{:set, negated, ranges} | tokens])

  defp set(<<low, ?-, high, rest::binary>>, negated, ranges, tokens) when high != ?],
    do: set(rest, negated, [{low, high} | ranges], tokens)

  defp set(<<byte, rest::binary>>, negated, ranges, tokens),
    do: set(rest, negated, [{byte, byte} | ranges], tokens)

  # If a `*` has tried everything up to the end, no earlier `*` can match: `:never`.
  defp match(nil, _host), do: :no
  defp match([], ""), do: :yes
  defp match([], _host), do: :no
  defp match([:any | rest], host), do: match_any(rest, host)
  defp match(_tokens, ""), do: :no

  defp match([token | rest], <<byte, host::binary>>) do
    if fits?(token, byte), do: match(rest, host), else: :no
  end

  defp match_any(rest, host) do
    case {match(rest, host), host} do
      {:no, ""} -> :never
      {:no, <<_, shorter::binary>>} -> match_any(rest, shorter)
      {result, _} -> result
    end
  end

  defp fits?(:one, _byte), do: true

  defp fits?({:set, negated, ranges}, byte) do
    Enum.any?(ranges, fn {low, high} -> byte in low..high//1 end) != negated
  end

  defp fits?(token, byte), do: token == byte
end
