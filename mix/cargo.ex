defmodule Vitrine.Build.Cargo do
  @moduledoc """
  Runs cargo, and says what to do when that does not work.

  Always the release profile, in dev and test too: plugins are compiled by code of this library,
  and Cranelift without optimisation is slower by orders of magnitude. And one profile means that
  the dependencies are compiled once.
  """

  @crate "vitrine_nif"

  # How much of cargo's output goes into the diagnostic.
  @tail 30

  @c_toolchain """
  Rust links with the C toolchain, which is missing here. Install it:
  Debian and Ubuntu: apt-get install gcc libc6-dev; Alpine: apk add build-base;
  Fedora: dnf install gcc; macOS: xcode-select --install.
  """

  @doc "Builds the library of the working directory, Vitrine's root, and gives its path."
  @spec build() :: {:ok, Path.t()} | {:error, summary :: String.t(), output :: String.t()}
  def build do
    with {:ok, cargo} <- find(),
         :ok <- check_rust(cargo),
         do: run(cargo)
  end

  defp find do
    found = System.find_executable("cargo") || in_cargo_home()
    if found, do: {:ok, found}, else: {:error, "cargo was not found.\n\n" <> advice(), ""}
  end

  # rustup puts cargo there. A PATH that lacks it is common, in editors above all.
  defp in_cargo_home do
    home = System.get_env("CARGO_HOME") || Path.join(System.user_home() || "/", ".cargo")
    path = Path.join([home, "bin", "cargo"])
    if File.regular?(path), do: path
  end

  defp advice do
    """
    Vitrine's native library is compiled with Rust. Either install Rust, with
    https://rustup.rs or a package of your system (cargo and rustc, #{required()} or newer), or set
    VITRINE_NIF_PATH to the absolute path of a libvitrine_nif.so that was built elsewhere.
    """
  end

  defp check_rust(cargo) do
    rustc = rustc(cargo)
    {output, status} = System.cmd(rustc, ["--version"], options(cargo))

    with 0 <- status,
         {:ok, version} <- version(output),
         true <- Version.compare(version, version!(required())) != :lt do
      :ok
    else
      false -> {:error, "#{String.trim(output)} is too old.\n\n" <> advice(), ""}
      _ -> {:error, "#{rustc} --version does not work.\n\n" <> advice(), output}
    end
  rescue
    error in ErlangError ->
      {:error, "rustc was not found (#{inspect(error.original)}).\n\n" <> advice(), ""}
  end

  defp rustc(cargo) do
    beside = Path.join(Path.dirname(cargo), "rustc")
    System.get_env("RUSTC") || if(File.regular?(beside), do: beside, else: "rustc")
  end

  defp required do
    [_, version] = Regex.run(~r/^rust-version = "(.+)"/m, File.read!("Cargo.toml"))
    version
  end

  defp version(text) do
    case Regex.run(~r/(\d+)\.(\d+)/, text) do
      [_, major, minor] -> Version.parse("#{major}.#{minor}.0")
      nil -> :error
    end
  end

  defp version!(text) do
    {:ok, version} = version(text)
    version
  end

  defp run(cargo) do
    forget()

    # The messages for machines name the library: configuration of cargo's own, as `[build] target`,
    # decides about its directory.
    arguments =
      ~w(build --release --locked -p #{@crate} --message-format json-render-diagnostics) ++
        ["--target-dir", target_dir()]

    case cargo |> open(arguments) |> stream(%{lines: [], library: nil}) do
      {0, %{library: nil}} -> {:error, "cargo ended without an error, and built no library.", ""}
      {0, %{library: path}} -> {:ok, path}
      {status, %{lines: lines}} -> failure(status, Enum.reverse(lines))
    end
  end

  # Cargo gives the cdylibs of all versions and checkouts of Vitrine that share a target directory
  # the same name, and takes the last one built for that of whoever asks. We get here only when
  # there is something to build, so linking once more costs nothing.
  defp forget do
    directory = target_dir()

    triples =
      case File.ls(directory) do
        {:ok, names} -> names
        {:error, _none} -> []
      end

    for place <- ["." | triples], extension <- ~w(so dylib) do
      File.rm(Path.join([directory, place, "release", "deps", "lib#{@crate}.#{extension}"]))
    end
  end

  defp target_dir do
    case System.get_env("CARGO_TARGET_DIR") do
      unset when unset in [nil, ""] -> Path.expand("target")
      directory -> Path.expand(directory)
    end
  end

  # Cargo in a process group of its own (each program of a port has one) that ends when standard input
  # does: the VM that is stopped closes it, and the compilers would go on for minutes.
  @guard """
  exec 3<&0
  "$0" "$@" </dev/null 3<&- &
  cargo=$!
  (while read -r _ <&3; do :; done; trap '' TERM; kill -s TERM -- -$$; sleep 1; kill -s KILL -- -$$) >/dev/null 2>&1 &
  watch=$!
  wait $cargo
  status=$?
  kill $watch 2>/dev/null
  exit $status
  """

  # The output of cargo appears as it is printed: the first build takes minutes, and silence looks like
  # a hang.
  defp open(cargo, arguments) do
    options = options(cargo)
    environment = for {name, value} <- options[:env], do: {to_charlist(name), to_charlist(value)}

    Port.open(
      {:spawn_executable, System.find_executable("sh")},
      [:binary, :exit_status, :stderr_to_stdout] ++
        [args: ["-c", @guard, cargo | arguments], env: environment, line: 1_048_576]
    )
  end

  defp stream(port, seen) do
    receive do
      {^port, {:data, {_, "{\"reason\":" <> _ = message}}} ->
        stream(port, %{seen | library: library(message) || seen.library})

      {^port, {:data, {_, line}}} ->
        line = printable(line)
        Mix.shell().info(line)
        stream(port, %{seen | lines: Enum.take([line | seen.lines], @tail)})

      {^port, {:exit_status, status}} ->
        {status, seen}
    end
  end

  # The path in a message about an artefact, if it is that of the library.
  defp library(message) do
    with true <- message =~ ~s("reason":"compiler-artifact"),
         [_, path] <- Regex.run(~r/"((?:[^"\\]|\\.)*#{@crate}\.(?:so|dylib))"/, message) do
      path |> String.replace("\\\"", "\"") |> String.replace("\\\\", "\\")
    else
      _other -> nil
    end
  end

  defp printable(line) do
    if String.valid?(line), do: line, else: :unicode.characters_to_binary(line, :latin1)
  end

  # A cargo that was not found on the PATH needs its rustc there.
  defp options(cargo) do
    path = Path.dirname(cargo) <> ":" <> System.get_env("PATH", "")
    color = if IO.ANSI.enabled?(), do: "always", else: "auto"
    [stderr_to_stdout: true, env: [{"PATH", path}, {"CARGO_TERM_COLOR", color}]]
  end

  defp failure(status, lines) do
    output = lines |> Enum.join("\n") |> String.replace(~r/\e\[[0-9;]*m/, "")
    hints = for {pattern, hint} <- hints(), output =~ pattern, do: "\n" <> hint

    {:error,
     "cargo could not compile Vitrine's native library (exit status #{status}).\n" <>
       Enum.join(hints), output}
  end

  # Not an attribute: Elixir before 1.18.4 cannot keep patterns there on OTP 28.
  defp hints do
    [
      {~r/linker `.*` not found|cannot find (crt1|Scrt1|crti)\.o|cannot find -lc\b/,
       @c_toolchain},
      {~r/No space left on device|os error 28\b|Bus error|SIGBUS/,
       "The disk is full: the build needs about 2 GB in the target directory. " <>
         "CARGO_TARGET_DIR puts that elsewhere.\n"},
      {~r/signal: 9, SIGKILL/,
       "The system killed the Rust compiler, probably for lack of memory. " <>
         "CARGO_BUILD_JOBS=1 makes it need less.\n"},
      {~r/failed to (download|fetch|get)|Could not resolve host|spurious network error/,
       "Cargo downloads Vitrine's Rust dependencies from crates.io; that did not work.\n"},
      {~r/cannot produce cdylib/,
       "Rust links statically for musl; RUSTFLAGS=\"-C target-feature=-crt-static\" changes that.\n"}
    ]
  end
end
