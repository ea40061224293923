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
        README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE guides
      )
    ]
  end

  defp docs do
    [
      main: "readme",
      source_ref: "v#{@version}",
      extras:
        ~w(README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md) ++
          Enum.flat_map(guides(), &elem(&1, 1)),
      groups_for_extras: guides()
    ]
  end

  # In the order in which they are read.
  defp guides do
    for {group, names} <- [
          Learn: ~w(first-plugin writing-plugins host-functions codecs testing),
          Production: ~w(
            security-model pools supervision upgrades multi-tenant checking-plugins observability
            compiling fresh-instances snapshots many-instances native-code-cache building
          ),
          Integrations: ~w(phoenix html plug http background-jobs writing-a-game),
          Reference: ~w(errors-and-limits extism-compatibility),
          Internals: ~w(how-a-call-runs fusing benchmarks)
        ] do
      folder = group |> Atom.to_string() |> String.downcase()
      {group, Enum.map(names, &"guides/#{folder}/#{&1}.md")}
    end
  end
end
