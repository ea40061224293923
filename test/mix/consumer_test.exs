defmodule Vitrine.Mix.ConsumerTest do
  # Vitrine as other projects meet it: a dependency that compiles its library, or copies it.
  use ExUnit.Case, async: true

  @moduletag :slow

  @moduletag :tmp_dir
  @moduletag timeout: :timer.minutes(30)

  @root File.cwd!()

  if File.exists?(".git") and
       match?({_, 0}, System.cmd("git", ~w(rev-parse --quiet --verify HEAD))) do
    @no_git false
  else
    @no_git "this is not a git checkout with a commit"
    IO.puts(:stderr, "Vitrine as a git dependency is not tested: #{@no_git}")
  end

  test "a path dependency is built with cargo, and works", %{tmp_dir: dir} do
    consumer = consumer(dir)
    {output, status} = mix(consumer, ~w(test), with_cargo(@root))

    assert status == 0, output
    assert output =~ "2 tests, 0 failures"
  end

  @tag skip: @no_git
  test "a git dependency is built with cargo, and works", %{tmp_dir: dir} do
    consumer = consumer(dir)
    environment = [{"VITRINE_CONSUMER_DEP", "git"} | with_cargo(repository(dir))]

    {output, status} = mix(consumer, ~w(deps.get), environment)
    assert status == 0, output
    {output, status} = mix(consumer, ~w(test), environment)

    assert status == 0, output
    assert output =~ "Compiling vitrine_nif"
    assert output =~ "2 tests, 0 failures"
  end

  describe "without cargo" do
    setup %{tmp_dir: dir} do
      {:ok, consumer: consumer(dir), environment: without_cargo(dir, package(dir))}
    end

    test "VITRINE_NIF_PATH is enough", %{consumer: consumer, environment: environment} do
      prebuilt = [{"VITRINE_NIF_PATH", library()} | environment]
      {output, status} = mix(consumer, ~w(test), prebuilt)

      assert status == 0, output
      assert output =~ "2 tests, 0 failures"

      # The library that is there is found again.
      assert {again, 0} = mix(consumer, ~w(compile), prebuilt)
      refute again =~ "Generated vitrine"
    end

    test "a copy of Vitrine without its README compiles, and still has documentation", context do
      File.rm!(Path.join(context.tmp_dir, "vitrine/README.md"))
      code = ~s|{:docs_v1, _, _, _, doc, _, _} = Code.fetch_docs(Vitrine); IO.puts(doc["en"])|
      prebuilt = [{"VITRINE_NIF_PATH", library()} | context.environment]
      {output, status} = mix(context.consumer, ["run", "-e", code], prebuilt)

      assert status == 0, output
      assert output =~ "Runs untrusted WebAssembly plugins inside the BEAM."
    end

    test "a release contains the library", %{consumer: consumer, environment: environment} do
      environment = [{"VITRINE_NIF_PATH", library()}, {"MIX_ENV", "prod"} | environment]
      {output, status} = mix(consumer, ~w(release --quiet), environment)
      assert status == 0, output

      release = Path.join(consumer, "_build/prod/rel/consumer")
      [library] = Path.wildcard("#{release}/lib/vitrine-*/priv/native/*")
      assert Path.basename(library) == "libvitrine_nif.so"
      assert %{type: :regular} = File.lstat!(library)
      assert File.read!(library) == File.read!(library())

      expression = ~s|{:ok, "hi"} = Consumer.echo("hi"); IO.puts("it works")|
      {output, status} = run("#{release}/bin/consumer", ["eval", expression], consumer, [])
      assert status == 0, output
      assert output =~ "it works"
    end

    test "a library that does not load is explained when the application starts", context do
      %{consumer: consumer, environment: environment, tmp_dir: dir} = context
      broken = Path.expand("broken.so", dir)
      # Of 32 bits, and otherwise empty.
      File.write!(broken, <<0x7F, "ELF", 1, 1, 1, 0::size(57)-unit(8), "Elixir.Vitrine.Native">>)
      prebuilt = [{"VITRINE_NIF_PATH", broken} | environment]
      {output, status} = mix(consumer, ~w(run -e :ok), prebuilt)

      assert status != 0
      assert output =~ "Vitrine's native library"
      assert output =~ "cannot be loaded on #{:erlang.system_info(:system_architecture)}"
      assert output =~ ~r/(file too short|invalid ELF|wrong ELF|not a dynamic)/i
      assert output =~ "VITRINE_NIF_PATH"
    end

    test "the error says what to do", %{consumer: consumer, environment: environment} do
      {output, status} = mix(consumer, ~w(compile), environment)

      assert status != 0
      assert output =~ "cargo was not found"
      assert output =~ "https://rustup.rs"
      assert output =~ "VITRINE_NIF_PATH"
    end

    test "a wrong VITRINE_NIF_PATH is an error", context do
      %{consumer: consumer, environment: environment} = context
      cut = Path.expand("cut.so", context.tmp_dir)
      File.write!(cut, binary_part(File.read!(library()), 0, 100_000))

      for {path, message} <- [
            {cut, "cut.so: this file is cut off"},
            {"/no/such/library.so",
             "VITRINE_NIF_PATH=/no/such/library.so: there is no such file"},
            {"library.so", "VITRINE_NIF_PATH=library.so: this is not an absolute path"},
            {@root,
             "VITRINE_NIF_PATH=#{@root}: this is a directory; give the path of the library"},
            {"#{@root}/mix.exs", "mix.exs: this file is not a shared library"},
            {System.find_executable("env"), "env: this is not Vitrine's library"}
          ] do
        {output, status} = mix(consumer, ~w(compile), [{"VITRINE_NIF_PATH", path} | environment])

        assert status != 0
        assert output =~ message
      end
    end
  end

  describe "with a Rust that does not work" do
    setup %{tmp_dir: dir} do
      {:ok, vitrine: package(dir), environment: without_cargo(dir, @root), bin: "#{dir}/bin"}
    end

    test "an old rustc is told apart", %{vitrine: vitrine, environment: environment, bin: bin} do
      script(bin, "cargo", "exit 1")
      script(bin, "rustc", "echo 'rustc 1.70.0 (90c541806 2023-05-31)'")
      {output, status} = mix(vitrine, ~w(compile), environment)

      assert status == 1
      assert output =~ "rustc 1.70.0 (90c541806 2023-05-31) is too old"
      assert output =~ ~r/1\.\d+ or newer/
    end

    test "cargo's output is shown, and what helps", %{vitrine: vitrine} = context do
      script(context.bin, "rustc", "echo 'rustc 99.0.0'")

      for {said, hint} <- [
            {"error: linker `cc` not found", "gcc libc6-dev"},
            {"error: No space left on device (os error 28)", "The disk is full"},
            {"error: failed to download `wasmtime`", "crates.io"},
            {"(signal: 9, SIGKILL: kill)", "lack of memory"},
            {"error: cannot produce cdylib for `vitrine_nif`", "crt-static"}
          ] do
        script(
          context.bin,
          "cargo",
          "echo '   Compiling vitrine_nif'; echo '#{said}' >&2; exit 101"
        )

        {output, status} = mix(vitrine, ~w(compile), context.environment)

        assert status == 1
        assert output =~ "   Compiling vitrine_nif\n" <> said
        assert output =~ "exit status 101"
        assert output =~ hint
      end
    end

    test "the compiler gives a diagnostic",
         %{vitrine: vitrine, environment: environment} = context do
      script(context.bin, "rustc", "echo 'rustc 99.0.0'")
      script(context.bin, "cargo", "echo 'error: oh no' >&2; exit 101")
      code = ~s|IO.inspect(Mix.Task.run("compile.vitrine_native"), label: "result")|
      {output, 0} = mix(vitrine, ["run", "--no-compile", "--no-start", "-e", code], environment)

      assert output =~ ~r/result: {:error,\s+\[\s+%Mix.Task.Compiler.Diagnostic{/
      assert output =~ ~s(compiler_name: "vitrine_native")
      assert output =~ "error: oh no"
    end
  end

  describe "with a cargo that takes no time" do
    setup %{tmp_dir: dir} do
      environment = without_cargo(dir, @root)
      script("#{dir}/bin", "rustc", "echo 'rustc 99.0.0'")
      {:ok, vitrine: package(dir), environment: environment, bin: "#{dir}/bin"}
    end

    test "the library that cargo names is taken, and not an older one", context do
      older = Path.join(context.vitrine, "target/release/libvitrine_nif.so")
      File.mkdir_p!(Path.dirname(older))
      File.write!(older, "an older build")
      built = Path.expand("a \"place\"/libvitrine_nif.so", context.tmp_dir)
      File.mkdir_p!(Path.dirname(built))
      File.write!(built, "what was built")
      cargo_that_builds(context.bin, built)
      {output, status} = mix(context.vitrine, ~w(compile), context.environment)

      assert status == 0, output
      assert File.read!("#{context.vitrine}/priv/native/libvitrine_nif.so") == "what was built"
      refute output =~ "reason"
    end

    test "a copy of a build is not built again", %{vitrine: vitrine, bin: bin} = context do
      cargo_that_builds(bin, library())
      {output, status} = mix(vitrine, ~w(compile), context.environment)
      assert status == 0, output

      copy = Path.expand("copy", context.tmp_dir)
      {_, 0} = System.cmd("cp", ["-r", vitrine, copy])
      # Times are those of the copy, as on another machine.
      {_, 0} = System.cmd("find", [copy, "-exec", "touch", "-d", "+1 hour", "{}", "+"])
      script(bin, "cargo", "echo 'cargo was started' >&2; exit 101")

      for _time <- 1..2 do
        {output, status} = mix(copy, ~w(compile), context.environment)
        assert status == 0, output
        refute output =~ "cargo was started"
      end

      # A library that another build put there is not taken for ours.
      File.write!("#{copy}/priv/native/libvitrine_nif.so", "another library")
      {output, status} = mix(copy, ~w(compile), context.environment)
      assert status != 0
      assert output =~ "cargo was started"
    end

    @tag skip: Vitrine.SmallDisk.fault()
    test "sources that are read-only are refused before anything is built", context do
      disk = Path.expand("disk", context.tmp_dir)
      :ok = Vitrine.SmallDisk.mount(disk, "64m")
      on_exit(fn -> Vitrine.SmallDisk.unmount(disk) end)
      {_, 0} = System.cmd("cp", ["-r", context.vitrine, disk])
      Vitrine.SmallDisk.read_only(disk)
      script(context.bin, "cargo", "echo 'cargo was started' >&2; exit 101")
      environment = context.environment ++ [{"VITRINE_CONSUMER_ROOT", "#{disk}/vitrine"}]
      {output, status} = mix(consumer(context.tmp_dir), ~w(compile), environment)

      assert status != 0
      assert output =~ "#{disk}/vitrine/priv/native"
      assert output =~ "read-only file system"
      refute output =~ "cargo was started"
    end

    for {signal, what} <- [TERM: "is stopped", KILL: "is killed"] do
      test "cargo ends when the Mix that started it #{what}", %{bin: bin} = context do
        pid_file = Path.expand("cargo.pid", context.tmp_dir)
        script(bin, "cargo", "echo $$ > '#{pid_file}'; echo building; sleep 600")
        port = start_mix(context.vitrine, ~w(compile), context.environment)
        assert_receive {^port, {:data, _building}}, 30_000
        cargo = wait_for(fn -> File.exists?(pid_file) && String.trim(File.read!(pid_file)) end)
        {:os_pid, mix} = Port.info(port, :os_pid)
        {_, 0} = System.cmd("kill", ["-#{unquote(signal)}", "#{mix}"])

        assert wait_for(fn -> not alive?(cargo) end)
      end
    end
  end

  # A cargo that reports a build, and does nothing else.
  defp cargo_that_builds(bin, library) do
    path = library |> String.replace("\"", "\\\"")

    script(bin, "cargo", """
    cat <<'END'
    {"reason":"compiler-artifact","target":{"name":"serde"},"filenames":["/libserde.rlib"],"fresh":true}
    {"reason":"compiler-artifact","target":{"name":"vitrine_nif"},"filenames":["#{path}"],"fresh":false}
    {"reason":"build-finished","success":true}
    END
    """)
  end

  defp start_mix(directory, arguments, environment) do
    environment =
      for {name, value} <- Map.merge(clean_environment(), Map.new(environment)) do
        {to_charlist(name), if(value, do: to_charlist(value), else: false)}
      end

    Port.open(
      {:spawn_executable, System.find_executable("mix")},
      [:binary, :stderr_to_stdout, args: arguments, cd: directory, env: environment]
    )
  end

  defp wait_for(check, tries \\ 300) do
    cond do
      found = check.() -> found
      tries == 0 -> flunk("nothing came of waiting for 30 seconds")
      true -> Process.sleep(100) && wait_for(check, tries - 1)
    end
  end

  # A process that ended and was not waited for is not alive.
  defp alive?(pid) do
    case File.read("/proc/#{pid}/stat") do
      {:ok, stat} -> not (stat =~ ~r/\) [ZX] /)
      {:error, _gone} -> false
    end
  end

  defp library, do: Application.app_dir(:vitrine, "priv/native/libvitrine_nif.so")

  # A copy of the project. The directory is the same in each run, so that cargo knows it again.
  defp consumer(dir) do
    target = Path.join(dir, "consumer")
    File.cp_r!(Path.join(@root, "test/fixtures/consumer"), target)
    for leftover <- ~w(_build deps mix.lock), do: File.rm_rf!(Path.join(target, leftover))
    target
  end

  # A copy of the files that a package of Vitrine would contain, and no others.
  defp package(dir) do
    target = Path.join(dir, "vitrine")

    for file <- Mix.Project.config()[:package][:files], File.exists?(file) do
      File.mkdir_p!(Path.dirname(Path.join(target, file)))
      File.cp_r!(file, Path.join(target, file))
    end

    target
  end

  # The files of HEAD, as a repository of their own: Mix cannot clone from a shallow checkout.
  defp repository(dir) do
    target = Path.expand("repository", dir)
    archive = Path.expand("head.tar", dir)
    git(@root, ~w(archive --format=tar --output) ++ [archive, "HEAD"])
    :ok = :erl_tar.extract(to_charlist(archive), cwd: to_charlist(target))

    git(target, ~w(init --quiet))
    git(target, ~w(add --all --force))
    identity = ~w(-c user.name=test -c user.email=test@localhost -c commit.gpgsign=false)
    git(target, identity ++ ~w(commit --quiet --message HEAD))
    target
  end

  defp git(directory, arguments) do
    {output, status} = System.cmd("git", arguments, cd: directory, stderr_to_stdout: true)
    assert status == 0, output
  end

  defp with_cargo(vitrine) do
    directory = System.get_env("CARGO_TARGET_DIR", Path.join(@root, "target"))
    [{"CARGO_TARGET_DIR", Path.expand(directory)}, {"VITRINE_CONSUMER_ROOT", vitrine}]
  end

  # A home and a PATH without Rust, to which a test can add programs of its own.
  defp without_cargo(dir, vitrine) do
    bin = Path.join(dir, "bin")
    home = Path.join(dir, "home")
    for directory <- [bin, home], do: File.mkdir_p!(directory)

    path =
      System.get_env("PATH")
      |> String.split(":", trim: true)
      |> Enum.with_index(&without_rust(&1, "#{dir}/bin-#{&2}"))

    [
      {"PATH", Enum.join([bin | path], ":")},
      {"HOME", home},
      {"CARGO_HOME", nil},
      {"RUSTC", nil},
      {"VITRINE_CONSUMER_ROOT", vitrine}
    ]
  end

  # The directory itself, or links to all in it but Rust's programs.
  defp without_rust(directory, links) do
    if Enum.any?(~w(cargo rustc), &File.exists?(Path.join(directory, &1))) do
      File.mkdir_p!(links)

      for name <- File.ls!(directory), name not in ~w(cargo rustc) do
        File.ln_s!(Path.join(directory, name), Path.join(links, name))
      end

      links
    else
      directory
    end
  end

  defp script(bin, name, body) do
    path = Path.join(bin, name)
    File.write!(path, "#!/bin/sh\n#{body}\n")
    File.chmod!(path, 0o755)
  end

  defp mix(directory, arguments, environment) do
    run(System.find_executable("mix"), arguments, directory, environment)
  end

  # A later pair of a name wins, so the caller's come last.
  defp run(program, arguments, directory, environment) do
    environment = Map.merge(clean_environment(), Map.new(environment))
    System.cmd(program, arguments, cd: directory, env: environment, stderr_to_stdout: true)
  end

  defp clean_environment do
    clean = for name <- ~w(MIX_BUILD_PATH MIX_TARGET VITRINE_NIF_PATH), do: {name, nil}
    Map.new([{"MIX_ENV", "test"} | clean])
  end
end
