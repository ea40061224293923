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

  # The sources of the library. Tests and benchmarks are not part of it.
  @sources ~w(
    Cargo.{toml,lock} rust-toolchain rust-toolchain.toml priv/*.wasm
    kernel/Cargo.toml kernel/build.rs kernel/src/**/*
    native/*/Cargo.toml native/*/build.rs native/*/src/**/*
  )
  @variables ~w(CARGO_ENCODED_RUSTFLAGS RUSTC RUSTFLAGS RUSTUP_TOOLCHAIN)
  @prefixes ~w(CARGO_BUILD_ CARGO_PROFILE_ CARGO_TARGET_)
  @elsewhere ~w(CARGO_BUILD_JOBS CARGO_BUILD_TARGET_DIR CARGO_TARGET_DIR CARGO_TARGET_TMPDIR)

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

  # The origin of the library, with everything that determines its content.
  defp origin do
    case System.get_env("VITRINE_NIF_PATH") do
      unset when unset in [nil, ""] -> {:cargo, fingerprint()}
      path -> {:prebuilt, path}
    end
  end

  defp compile(origin) do
    Mix.Project.ensure_structure()

    with :ok <- builder(:Library).check_target(library()),
         {:ok, source} <- provide(origin),
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

  defp provide({:prebuilt, path}) do
    case builder(:Library).check_prebuilt(path) do
      :ok -> {:ok, path}
      {:error, text} -> {:error, "VITRINE_NIF_PATH=#{path}: #{text}"}
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

  # The times and the inode of a file say at once that it is the same. A copy has others, so then its bytes are
  # compared, and what was seen is kept for the next time.
  defp fresh?(origin) do
    with {:ok, bytes} <- File.read(manifest()),
         {^origin, kept} <- decode(bytes),
         now = Enum.zip_with(files(origin), kept, &state/2),
         true <- Enum.all?(now, &(&1 != :changed)) do
      if now != kept, do: write(origin, now)
      true
    else
      _other -> false
    end
  end

  defp remember(origin), do: write(origin, Enum.map(files(origin), &state(&1, nil)))

  # The library is one of them: what another build put in its place is not ours.
  defp files({:cargo, _fingerprint}), do: [library()]
  defp files({:prebuilt, path}), do: [library(), path]

  defp state(path, kept) do
    case {identity(path), kept} do
      {identity, {identity, _digest}} ->
        kept

      {:missing, _kept} ->
        :changed

      {identity, nil} ->
        {identity, digest(path)}

      {identity, {_other, digest}} ->
        if digest(path) == digest, do: {identity, digest}, else: :changed
    end
  end

  # No :crypto here: Mix may have pruned it from the code path.
  defp digest(path), do: path |> File.read!() |> :erlang.md5()

  defp identity(path) do
    case File.stat(path, time: :posix) do
      {:ok, %{type: :regular} = stat} -> {stat.size, stat.mtime, stat.inode}
      _ -> :missing
    end
  end

  defp write(origin, files) do
    File.mkdir_p!(Path.dirname(manifest()))
    File.write!(manifest(), :erlang.term_to_binary({origin, files}))
  end

  # One of another version is none.
  defp decode(bytes) do
    :erlang.binary_to_term(bytes, [:safe])
  rescue
    ArgumentError -> :unknown
  end

  defp fingerprint do
    sources = for path <- sources(), do: {path, File.read(path)}
    :erlang.md5(:erlang.term_to_binary({sources, variables(), configuration(), :os.type()}))
  end

  # All that changes what cargo makes, and not where or how quickly it works.
  defp variables do
    for {name, value} <- Enum.sort(System.get_env()),
        name in @variables or String.starts_with?(name, @prefixes),
        name not in @elsewhere,
        do: {name, value}
  end

  # The files that cargo reads, in this order, without their paths: a copy of the tree is the same.
  defp configuration do
    home = System.get_env("CARGO_HOME") || Path.join(System.user_home() || "/", ".cargo")
    above = File.cwd!() |> Path.split() |> Enum.scan(&Path.join(&2, &1)) |> Enum.reverse()

    for directory <- Enum.map(above, &Path.join(&1, ".cargo")) ++ [home],
        name <- ~w(config config.toml),
        {:ok, text} <- [File.read(Path.join(directory, name))],
        do: text
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
