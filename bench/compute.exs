# One computation, counting the vowels of 4 KiB, where it may run: `mix run bench/compute.exs`.

Code.require_file("support.exs", __DIR__)
Code.require_file("port.exs", __DIR__)

defmodule Bench.Compute do
  @lua """
  function count_vowels(text)
    local _, count = string.gsub(text, "[aeiouAEIOU]", "")
    return count
  end
  """
  @text String.duplicate("The quick brown fox jumps over the lazy dog. ", 92)
  @count 92 * 11

  def run do
    Bench.environment()
    functions = [host_functions: %{"greet" => & &1, "tick" => & &1}]
    {:ok, c} = Vitrine.new(Bench.guest("c"), functions)
    {:ok, rust} = Vitrine.new(Bench.guest("rust"), functions)
    port = Bench.Port.open(["count_vowels"])

    cases =
      [
        {"pure Elixir", fn -> vowels(@text, 0) end},
        {"Vitrine, a plugin in C", fn -> called(c) end},
        {"Vitrine, a plugin in Rust", fn -> called(rust) end},
        {"a Port, a program in Rust",
         fn -> port |> Bench.Port.call(@text) |> String.to_integer() end}
      ] ++ lua()

    for {name, count} <- cases, count.() != @count, do: raise("#{name} counts #{count.()}")
    rows = Bench.side_by_side(cases, 3, 200)
    Bench.table("To count the vowels of #{byte_size(@text)} bytes", rows, "pure Elixir")
    Bench.record("compute", for({name, time} <- rows, do: %{name: name, ns: round(time)}))
    Bench.Plot.bars("compute", "To count the vowels of 4 KiB", {"ns, log", :log}, rows)
  end

  defp called(plugin) do
    {:ok, json} = Vitrine.call(plugin, "count_vowels", @text)
    [_, count] = Regex.run(~r/"count":\s*(\d+)/, json)
    String.to_integer(count)
  end

  defp vowels(<<c, rest::binary>>, count) when c in ~c"aeiouAEIOU", do: vowels(rest, count + 1)
  defp vowels(<<_, rest::binary>>, count), do: vowels(rest, count)
  defp vowels(<<>>, count), do: count

  # Debian's package erlang-luerl, which Vitrine does not depend on.
  defp lua do
    if Code.ensure_loaded?(:luerl) do
      {[], state} = apply(:luerl, :do, [@lua, apply(:luerl, :init, [])])

      run = fn ->
        {[count], _} = apply(:luerl, :call_function, [["count_vowels"], [@text], state])
        trunc(count)
      end

      [{"luerl, Lua in Erlang", run}]
    else
      IO.puts("luerl is not installed (Debian: erlang-luerl)")
      []
    end
  end
end

Bench.Compute.run()
