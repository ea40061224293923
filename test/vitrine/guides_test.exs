defmodule Vitrine.GuidesTest do
  # Servers have names, and the telemetry handler is one for all.
  use ExUnit.Case, async: false

  @moduletag :capture_log

  setup do
    on_exit(&Vitrine.Telemetry.detach/0)
  end

  doctest Vitrine.GuideExamples.Supervision
  doctest Vitrine.GuideExamples.Observability
  doctest Vitrine.GuideExamples.MultiTenant
  doctest Vitrine.GuideExamples.Pools
  doctest Vitrine.GuideExamples.Upgrades
  doctest Vitrine.GuideExamples.Plug
  doctest Vitrine.GuideExamples.Testing

  test "the examples are there" do
    guides = [
      {"supervision", 3},
      {"observability", 4},
      {"multi-tenant", 5},
      {"pools", 1},
      {"upgrades", 5},
      {"plug", 2},
      {"testing", 5}
    ]

    for {guide, least} <- guides do
      text = File.read!(Path.expand("../../guides/#{guide}.md", __DIR__))
      assert length(String.split(text, "\niex> ")) > least
    end
  end
end
