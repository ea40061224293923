# The compiler must exist before Mix asks for it, also while Vitrine is compiled as a dependency.
# Several copies of Vitrine in one Mix session share the first one's.
unless Code.ensure_loaded?(Mix.Tasks.Compile.VitrineNative) do
  Code.require_file("mix/compile_vitrine_native.ex", __DIR__)
end

defmodule Vitrine.MixProject do
  use Mix.Project

  @version "0.1.0"

  def project do
    [
      app: :vitrine,
      version: @version,
      elixir: "~> 1.14",
      name: "Vitrine",
      description: "Untrusted WebAssembly plugins (Extism) inside the BEAM",
      compilers: [:vitrine_native] ++ Mix.compilers(),
      elixirc_paths: elixirc_paths(Mix.env()),
      start_permanent: Mix.env() == :prod,
      test_ignore_filters: [&String.starts_with?(&1, "test/fixtures/")],
      # Phoenix is met at run time, and may be among the dependencies of an application or not.
      elixirc_options: [
        no_warn_undefined: [Phoenix.Component, Phoenix.HTML, Phoenix.LiveView]
      ],
      deps: [],
      package: package(),
      docs: docs()
    ]
  end

  def application do
    [mod: {Vitrine.Application, []}, extra_applications: [:logger, :crypto, :public_key, :ssl]]
  end

  defp elixirc_paths(:test), do: ["lib", "test/support"]
  defp elixirc_paths(_env), do: ["lib"]

  defp package do
    [
      licenses: ["Apache-2.0"],
      links: %{},
      # Everything that the native library is built from is in the package.
      files: ~w(
        lib mix mix.exs .formatter.exs
        Cargo.toml Cargo.lock kernel native priv/kernel.wasm
        README.md CHANGELOG.md LICENSE guides
      )
    ]
  end

  defp docs do
    [
      main: "readme",
      source_ref: "v#{@version}",
      extras: Enum.filter(["README.md", "CHANGELOG.md"], &File.exists?/1) ++ guides(),
      groups_for_extras: [Guides: ~r"^guides/"]
    ]
  end

  defp guides, do: Enum.sort(Path.wildcard("guides/*.md"))
end
