# Doctests need a module: each guide whose examples are run is the documentation of one.

for {name, path} <- [
      FirstPlugin: "learn/first-plugin",
      SecurityModel: "production/security-model",
      Supervision: "production/supervision",
      Observability: "production/observability",
      MultiTenant: "production/multi-tenant",
      Pools: "production/pools",
      Upgrades: "production/upgrades",
      Plug: "integrations/plug",
      Testing: "learn/testing"
    ] do
  path = Path.expand("../../guides/#{path}.md", __DIR__)

  defmodule Module.concat(Vitrine.GuideExamples, name) do
    @external_resource path
    @moduledoc File.read!(path)
  end
end
