defmodule Vitrine.Conformance.GuideTest do
  use ExUnit.Case, async: true

  @root Path.expand("../..", __DIR__)
  @places ["test", "native/vitrine_core/tests", "native/vitrine_core/tests/calls", "."]

  test "the tests that the compatibility guide names exist" do
    guide = File.read!(Path.join(@root, "guides/reference/extism-compatibility.md"))

    rows =
      for "| " <> _ = line <- String.split(guide, "\n"),
          line =~ "_test.exs" or line =~ ".rs`",
          do: line

    assert length(rows) > 50

    for row <- rows, [file] <- Regex.scan(~r/[\w\/]+(?:_test\.exs|\.rs)(?=`)/, row) do
      assert Enum.any?(@places, &File.exists?(Path.join([@root, &1, file]))), "#{file}: #{row}"
    end
  end
end
