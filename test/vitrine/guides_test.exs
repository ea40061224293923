defmodule Vitrine.GuidesTest do
  # Servers have names, and the telemetry handler is one for all.
  use ExUnit.Case, async: false

  @moduletag :capture_log

  setup do
    on_exit(&Vitrine.Telemetry.detach/0)
  end

  doctest Vitrine.GuideExamples.Supervision
  doctest Vitrine.GuideExamples.Observability
  doctest Vitrine.GuideExamples.Plug

  test "the examples are there" do
    for {guide, least} <- [supervision: 4, observability: 3, plug: 2] do
      text = File.read!(Path.expand("../../guides/#{guide}.md", __DIR__))
      assert length(String.split(text, "\niex> ")) > least
    end
  end
end
