defmodule Mix.Tasks.Compile.VitrineNative do
  @shortdoc "Compiles Vitrine's native library"

  @moduledoc """
  Compiles the native library with cargo and puts it into `priv/native` of the build.

  It is a compiler of our own so that Vitrine needs no other package, and so that it works the
  same when Vitrine is a dependency. While nothing changed it does not start cargo: that would
  cost half a second in every `mix` command, and much more when another cargo holds the lock. So
  a build that is there also needs no Rust.

  ## Options

    * `--force` - asks cargo even if nothing changed

  ## Environment

    * `VITRINE_NIF_PATH` - the absolute path of a library that was built elsewhere; it is copied,
      and cargo is not used
    * `CARGO_TARGET_DIR` - where cargo works; `target` beside Vitrine's `mix.exs` by default

  Changes of these variables reach a Vitrine that is a git or Hex dependency with
  `mix deps.compile vitrine --force`.
  """

  use Mix.Task.Compiler

  alias Mix.Task.Compiler.Diagnostic

  @recursive true

  # What the library is made of. Tests and benchmarks are no part of it.
  @sources ~w(
    Cargo.{toml,lock} .cargo/config.toml rust-toolchain rust-toolchain.toml priv/*.wasm
    kernel/Cargo.toml kernel/build.rs kernel/src/**/*
    native/*/Cargo.toml native/*/build.rs native/*/src/**/*
  )
  @variables ~w(CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS RUSTC RUSTFLAGS RUSTUP_TOOLCHAIN)

  @impl true
  def run(arguments) do
    {options, _, _} = OptionParser.parse(arguments, switches: [force: :boolean])
    origin = origin()

    if not Keyword.get(options, :force, false) and fresh?(origin) do
      {:noop, []}
    else
      compile(origin)
    end
  end

  @impl true
  def manifests, do: [manifest()]

  @impl true
  def clean do
    File.rm(manifest())
    File.rm(library())
    :ok
  end

  # Where the library comes from, and what makes it what it is.
  defp origin do
    case System.get_env("VITRINE_NIF_PATH") do
      unset when unset in [nil, ""] -> {:cargo, fingerprint()}
      path -> {:prebuilt, path, identity(path)}
    end
  end

  defp compile(origin) do
    Mix.Project.ensure_structure()

    with {:ok, source} <- provide(origin),
         :ok <- builder(:Library).install(source, library()) do
      remember(origin)
      {:ok, []}
    else
      {:error, summary} -> fail(summary, "")
      {:error, summary, output} -> fail(summary, output)
    end
  end

  defp provide({:cargo, _fingerprint}) do
    unless File.exists?(library()) do
      Mix.shell().info("Compiling Vitrine's native library; the first time takes some minutes")
    end

    builder(:Cargo).build()
  end

  defp provide({:prebuilt, path, identity}) do
    cond do
      Path.type(path) != :absolute -> {:error, "VITRINE_NIF_PATH=#{path}: not an absolute path"}
      identity == :missing -> {:error, "VITRINE_NIF_PATH=#{path}: there is no such file"}
      true -> {:ok, path}
    end
  end

  # mix.exs is evaluated by every mix command, and Elixir takes a tenth of a second for that code.
  # So it is loaded when there is something to do.
  defp builder(name) do
    module = Module.concat(Vitrine.Build, name)

    unless Code.ensure_loaded?(module) do
      Code.require_file(String.downcase("#{name}.ex"), __DIR__)
    end

    module
  end

  # Erlang wants `.so` on macOS too.
  defp library, do: Path.join([Mix.Project.app_path(), "priv", "native", "libvitrine_nif.so"])

  defp manifest, do: Path.join(Mix.Project.manifest_path(), "compile.vitrine_native")

  defp fresh?(origin), do: File.read(manifest()) == {:ok, stamp(origin)}

  defp remember(origin) do
    File.mkdir_p!(Path.dirname(manifest()))
    File.write!(manifest(), stamp(origin))
  end

  # No :crypto here: Mix may have pruned it from the code path.
  # The library is in it too: what another build put in its place is not ours, and a missing one
  # never has this stamp.
  defp stamp(origin) do
    state = {origin, identity(library())}
    state |> :erlang.term_to_binary() |> :erlang.md5() |> Base.encode16(case: :lower)
  end

  # What changes about a file when somebody puts another in its place.
  defp identity(path) do
    case File.stat(path, time: :posix) do
      {:ok, %{type: :regular} = stat} -> {stat.size, stat.mtime, stat.inode}
      _ -> :missing
    end
  end

  defp fingerprint do
    sources = for path <- sources(), do: {path, File.read(path)}
    variables = for name <- @variables, do: {name, System.get_env(name)}
    :erlang.md5(:erlang.term_to_binary({sources, variables, :os.type()}))
  end

  defp sources do
    @sources
    |> Enum.flat_map(&Path.wildcard(&1, match_dot: true))
    |> Enum.reject(&File.dir?/1)
    |> Enum.sort()
  end

  defp fail(summary, output) do
    Mix.shell().error(summary)

    diagnostic = %Diagnostic{
      compiler_name: "vitrine_native",
      file: Path.expand("Cargo.toml"),
      message: String.trim(summary <> "\n" <> output),
      position: 0,
      severity: :error
    }

    {:error, [diagnostic]}
  end
end
