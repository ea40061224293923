defmodule Vitrine.Docs.GuidesTest do
  # Servers have names, and the telemetry handler is one for all.
  use ExUnit.Case, async: false

  @moduletag :capture_log

  setup do
    on_exit(&Vitrine.Telemetry.detach/0)
  end

  doctest Vitrine.GuideExamples.FirstPlugin
  doctest Vitrine.GuideExamples.SecurityModel
  doctest Vitrine.GuideExamples.Supervision
  doctest Vitrine.GuideExamples.Observability
  doctest Vitrine.GuideExamples.MultiTenant
  doctest Vitrine.GuideExamples.Pools
  doctest Vitrine.GuideExamples.Upgrades
  doctest Vitrine.GuideExamples.Plug
  doctest Vitrine.GuideExamples.Testing

  test "the guides still contain the examples that are run" do
    guides = [
      {"learn/first-plugin", 5},
      {"production/security-model", 1},
      {"production/supervision", 3},
      {"production/observability", 4},
      {"production/multi-tenant", 5},
      {"production/pools", 1},
      {"production/upgrades", 5},
      {"integrations/plug", 2},
      {"learn/testing", 5}
    ]

    for {guide, least} <- guides do
      text = File.read!(Path.expand("../../guides/#{guide}.md", __DIR__))
      assert length(String.split(text, "\niex> ")) > least, "#{guide} has lost examples"
    end
  end
end
