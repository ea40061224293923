defmodule Vitrine.HTTP.Hosts do
  @moduledoc false
  # The hosts that a plugin may reach: names, or patterns with `*` (anything), `?` (any one
  # character) and `[a-z]` or `[!a-z]` (one of these, none of these). Plugins choose the text that
  # is matched, so that takes time in proportion to its length whatever the pattern.

  @type t :: :all | [{literal :: String.t(), pattern :: [token()] | nil}]
  @typep token :: :any | :one | {:set, boolean(), [{byte(), byte()}]} | byte()

  # How many of them a refusal names.
  @most_named 5

  @doc "Patterns, ready to be matched."
  @spec compile([String.t()]) :: t()
  def compile(patterns) do
    for pattern <- patterns do
      pattern = String.downcase(pattern)
      # Matched as it stands, too: that is how the address [::1] is meant.
      {pattern, tokens(pattern, [])}
    end
  end

  @doc "Why a pattern can never be that of a host, or `nil`."
  @spec fault(String.t()) :: String.t() | nil
  def fault(pattern) do
    cond do
      pattern == "" -> "is empty"
      pattern =~ "://" -> "has a scheme"
      pattern =~ "/" -> "has a path"
      # In brackets there are addresses of IPv6, and sets of characters.
      String.replace(pattern, ~r/\[[^\]]*\]/, "") =~ ":" -> "has a port"
      true -> nil
    end
  end

  @doc "Whether a host, in lower case, is one of these."
  @spec allowed?(t(), String.t()) :: boolean()
  def allowed?(:all, _host), do: true

  def allowed?(hosts, host) do
    Enum.any?(hosts, fn {literal, tokens} -> literal == host or match(tokens, host) == :yes end)
  end

  @doc "What the refusal of another host says of these."
  @spec told(t()) :: String.t()
  def told([]), do: ""

  def told(hosts) do
    {named, more} = Enum.split(hosts, @most_named)
    more = if more == [], do: "", else: " and #{length(more)} more"
    ", allowed are: #{Enum.map_join(named, ", ", fn {literal, _} -> literal end)}#{more}"
  end

  defp tokens("", tokens), do: Enum.reverse(tokens)
  defp tokens("*" <> rest, [:any | _] = tokens), do: tokens(rest, tokens)
  defp tokens("*" <> rest, tokens), do: tokens(rest, [:any | tokens])
  defp tokens("?" <> rest, tokens), do: tokens(rest, [:one | tokens])
  defp tokens("[!" <> rest, tokens), do: set(rest, true, [], tokens)
  defp tokens("[" <> rest, tokens), do: set(rest, false, [], tokens)
  defp tokens(<<byte, rest::binary>>, tokens), do: tokens(rest, [byte | tokens])

  # A bracket that is never closed makes no pattern.
  defp set("", _negated, _ranges, _tokens), do: nil

  defp set("]" <> rest, negated, [_ | _] = ranges, tokens),
    do: tokens(rest, [{:set, negated, ranges} | tokens])

  defp set(<<low, ?-, high, rest::binary>>, negated, ranges, tokens) when high != ?],
    do: set(rest, negated, [{low, high} | ranges], tokens)

  defp set(<<byte, rest::binary>>, negated, ranges, tokens),
    do: set(rest, negated, [{byte, byte} | ranges], tokens)

  # Where a `*` has tried everything up to the end, no earlier one can do better: `:never`.
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
