# The guides whose examples are run, as the documentation of a module each: doctests need one.

for {name, file} <- [
      Supervision: "supervision",
      Observability: "observability",
      MultiTenant: "multi-tenant",
      Pools: "pools",
      Upgrades: "upgrades",
      Plug: "plug",
      Testing: "testing"
    ] do
  path = Path.expand("../../guides/#{file}.md", __DIR__)

  defmodule Module.concat(Vitrine.GuideExamples, name) do
    @external_resource path
    @moduledoc File.read!(path)
  end
end
