defmodule Vitrine.Docs.ReadmeTest do
  use ExUnit.Case, async: true

  @readme File.read!(Path.expand("../../README.md", __DIR__))

  test "the first program of the README runs and gives the results that it shows" do
    [_, program] = Regex.run(~r/```elixir\n(.*?)```/s, @readme)

    {results, _bindings} =
      program
      |> String.split("\n\n")
      |> Enum.flat_map_reduce([], fn step, bindings ->
        [code | shown] = step |> String.trim() |> String.split("\n#=> ")
        {result, bindings} = Code.eval_string(code, bindings)
        {Enum.map(shown, &{result, &1}), bindings}
      end)

    assert length(results) == 3

    for {result, shown} <- results do
      pattern = String.replace(shown, ~r/#PID<[\d.]+>/, inspect(self()))
      {matches?, _} = Code.eval_string("match?(#{pattern}, result)", result: result)
      assert matches?, "the README shows #{shown}, and the result is #{inspect(result)}"
    end
  end

  test "the documentation of Vitrine is what stands between the marks of the README" do
    [_, marked, _] = String.split(@readme, "<!-- MDOC -->")
    {:docs_v1, _, _, _, %{"en" => documentation}, _, _} = Code.fetch_docs(Vitrine)
    assert documentation == marked
  end
end
