defmodule Vitrine.Wasi do
  alias Vitrine.Options.{Argument, Docs, Names, Schema, Type, Validation}
  alias Vitrine.Options.Tables.Inside
  alias Vitrine.Text.Printable

  @moduledoc """
  The grants to a plugin through WASI preview 1, the option `:wasi` of `Vitrine.new/2`.

  `wasi: true` grants clocks and random numbers only: no arguments, no environment, an empty standard input, no files
  and no network. What the plugin prints is logged. A keyword list grants more:

  #{Docs.markdown(Inside.wasi())}
      iex> {:ok, plugin} =
      ...>   Vitrine.new(
      ...>     ~S|
      ...>       (module
      ...>         (import "wasi_snapshot_preview1" "fd_write"
      ...>           (func $write (param i32 i32 i32 i32) (result i32)))
      ...>         (memory (export "memory") 1)
      ...>         (data (i32.const 0) "\\08\\00\\00\\00\\06\\00\\00\\00hello\\n")
      ...>         (func (export "run")
      ...>           (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))))
      ...>     |,
      ...>     wasi: [stdout: :capture]
      ...>   )
      iex> Vitrine.call(plugin, "run")
      {:ok, ""}
      iex> Vitrine.take_printed(plugin)
      %{stdout: "hello\\n", stderr: ""}

  A plugin that sleeps or waits for files occupies no thread of the BEAM. It is parked, and can be timed out and
  killed. An exit code other than 0 is an error with the reason `:exit`.

  ## Standard input of a call

  The option `:stdin` above belongs to an instance: the first call that reads it gets it. For a program that reads its
  standard input in each call, `Vitrine.call/4` and `Vitrine.run/4` have an option of the same name, and so have calls
  of servers and pools:

      iex> {:ok, plugin} =
      ...>   Vitrine.new(
      ...>     ~S|
      ...>       (module
      ...>         (import "wasi_snapshot_preview1" "fd_read"
      ...>           (func $read (param i32 i32 i32 i32) (result i32)))
      ...>         (import "wasi_snapshot_preview1" "fd_write"
      ...>           (func $write (param i32 i32 i32 i32) (result i32)))
      ...>         (memory (export "memory") 1)
      ...>         (data (i32.const 0) "\\10\\00\\00\\00\\ff\\00\\00\\00")
      ...>         (func (export "print_input")
      ...>           (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
      ...>           (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
      ...>     |,
      ...>     wasi: [stdout: :capture]
      ...>   )
      iex> Vitrine.call(plugin, "print_input", "", stdin: "a key was pressed")
      {:ok, ""}
      iex> Vitrine.take_printed(plugin).stdout
      "a key was pressed"

  The function finds these bytes and then the end of its input. It does not find the instance's own input, which a
  later call without the option finds unchanged. Bytes that the call does not read are dropped when it ends. If an
  instance is made for the call, it is initialised before that, with its own input.

  A plugin's libc may read ahead, or remember that an input has ended. C's `stdin`, for example, needs
  `clearerr(stdin)` before it reads again.

  For a plugin without WASI the option raises `ArgumentError`.

  ## Directories

  Directories are granted by the option `:allowed_paths` of `Vitrine.new/2`, or by the manifest's `allowed_paths`.

  A guest can open files and directories in them, up to 64 at once. It cannot open a FIFO, a device or a socket,
  because these might never answer. The guest gets the error `ENXIO` (60 of WASI) for them, but can look at them,
  rename them and delete them.

  ### File systems that do not answer

  Each file system has its own threads, 64 at most, which do the work on its files. If a file system does not answer,
  for example because its server is gone, only its users are held up.

  A call that waits for such a file system ends at its timeout, and its thread stays until there is an answer. After
  four such calls, the plugin's next call waits for an answer before its instance is made, and takes no further
  thread.

  ### Limits of directories

  With `:directory_limits` a plugin can add only a limited amount to a directory and everything below it:

  #{Docs.markdown(Inside.directory_limit())}
  An operation that would exceed a limit is not done, and is the error `EDQUOT` (19 of WASI) to the guest.

  The count covers what this plugin has done since it was made, in all its instances. The directory itself is not
  examined. Some consequences:

    * Existing files count nothing, and deleting them gives no more than the limit
    * If one instance deletes a file while another instance has it open, its bytes are given back at once. Concurrent
      instances may therefore have more for as long as they keep the file open
    * If a call ends before the result of a write is known, the write counts whole
    * Other plugins with the same directory have their own counts, and so has each instance of a `Vitrine.Pool`
    * Between two directories of which one has limits, files cannot be moved or linked (`EXDEV`, on which programs
      copy)
    * The bytes do not include names, inodes and the blocks of directories, so set both limits
  """

  @typedoc "The destination of prints."
  @type output :: :log | {:log, Logger.level()} | :capture | :drop

  @type option ::
          {:args, [String.t()]}
          | {:env, %{optional(String.t()) => String.t()}}
          | {:stdin, binary()}
          | {:stdout, output()}
          | {:stderr, output()}
          | {:directory_limits, %{optional(guest_path :: String.t()) => [directory_limit()]}}

  @typedoc "How much a plugin may add to a directory."
  @type directory_limit ::
          {:max_bytes, non_neg_integer() | nil} | {:max_files, non_neg_integer() | nil}

  alias Vitrine.Error
  alias Vitrine.Text.{Nearest, Printable}

  @default_levels %{stdout: :info, stderr: :warning}

  # Programs get arguments and variables as C strings.
  @nul "which ends a string for programs"

  @levels [:debug, :info, :warning, :error]

  @doc false
  # The option in the form for the NIF, and the levels at which lines are logged.
  def options!(false, _paths), do: {nil, @default_levels}
  def options!(true, paths), do: options!([], paths)

  def options!(options, paths) when is_list(options) do
    options = Validation.validate!(options, Inside.wasi(), of: :wasi)
    {stdout, stdout_level} = output!(:stdout, options.stdout)
    {stderr, stderr_level} = output!(:stderr, options.stderr)

    native = %{
      args: args!(options.args),
      env: env!(options.env),
      stdin: options.stdin,
      stdout: stdout,
      stderr: stderr,
      directories: directories!(paths, options.directory_limits)
    }

    {native, %{stdout: stdout_level, stderr: stderr_level}}
  end

  def options!(other, _paths) do
    # The environment of a program may have secrets.
    Argument.wrong!(":wasi to be true, false or a keyword list", Argument.shape(other))
  end

  @doc false
  # Directories for a plugin without WASI are a mistake: in the option, which raises, or in the manifest.
  @spec check(map(), keyword()) :: :ok | {:error, Error.t()}
  def check(%{wasi: nil, allowed_paths: paths} = settings, options) when paths != %{} do
    if Enum.any?(options[:allowed_paths] || %{}, fn {_host, guest} -> guest != nil end) do
      raise ArgumentError,
            "the option :allowed_paths has no effect without WASI, by which plugins see directories; " <>
              "give wasi: true with it"
    end

    host = paths |> Map.keys() |> Enum.min()

    message =
      "the manifest's allowed_paths has no effect: it grants #{show(host)}, but the plugin has no WASI, " <>
        "by which plugins see directories; give wasi: true, or allowed_paths: %{}"

    {:error, %Error{reason: :manifest, message: message, plugin: settings.name}}
  end

  def check(_settings, _options), do: :ok

  @doc false
  # The paths at which plugins find their directories, in the order of their descriptors. The order depends only on
  # these paths, so it is the same for any directories of the host.
  def guest_paths(native), do: Enum.map(native.directories, &guest_path/1)

  defp guest_path({_host, guest, _read_only, _limits}), do: guest

  defp directories!(paths, limits) do
    limits =
      for {guest, limits} <- Argument.pairs!(limits, ":directory_limits of :wasi to be a map"),
          into: %{} do
        {known!(guest, paths), limits!(guest, limits)}
      end

    paths
    |> Enum.map(fn {host, guest} -> directory(host, guest, Map.get(limits, guest, {nil, nil})) end)
    |> Enum.sort_by(&guest_path/1)
  end

  defp known!(guest, paths) do
    names = Map.values(paths)

    unless guest in names do
      names = names |> Enum.sort() |> Enum.map_join(", ", &show/1)

      there =
        if names == "", do: "none is granted by allowed_paths", else: "those granted are #{names}"

      raise ArgumentError,
            "expected :directory_limits of :wasi to have the guest's paths of directories as keys, got: " <>
              "#{Printable.term(guest)}; #{there}"
    end

    guest
  end

  defp limits!(guest, limits) do
    limits = if is_map(limits) and not is_struct(limits), do: Map.to_list(limits), else: limits
    schema = Inside.directory_limit()
    limits = Names.validate!(limits, Schema.names(schema), :directory_limits)

    for {name, limit} <- limits,
        limit != nil,
        %{type: type} = Schema.fetch!(schema, name),
        not Type.valid?(type, limit) do
      raise ArgumentError,
            "expected #{inspect(name)} of #{show(guest)} in :directory_limits to be " <>
              "#{Type.expected(type)}, got: #{Printable.term(limit)}"
    end

    {limits[:max_bytes], limits[:max_files]}
  end

  defp directory("ro:" <> host, guest, limits), do: {Path.expand(host), guest, true, limits}
  defp directory(host, guest, limits), do: {Path.expand(host), guest, false, limits}

  defp output!(stream, :log), do: {:tell, @default_levels[stream]}
  defp output!(_stream, {:log, level}) when level in @levels, do: {:tell, level}
  defp output!(stream, :capture), do: {:capture, @default_levels[stream]}
  defp output!(stream, :drop), do: {:drop, @default_levels[stream]}

  defp output!(stream, other) do
    raise ArgumentError,
          "expected #{inspect(stream)} of :wasi to be :log, {:log, level} with a level of " <>
            "#{inspect(@levels)}, :capture or :drop, got: #{inspect(other)}#{meant(other)}"
  end

  defp meant(level) when level in @levels, do: "; a level is written {:log, #{inspect(level)}}"
  defp meant({:log, level}), do: Nearest.advice(level, @levels)
  defp meant(other), do: Nearest.advice(other, [:log, :capture, :drop])

  defp args!(args) do
    unless Argument.list_of?(args, &Argument.text?/1) do
      raise ArgumentError,
            "expected :args of :wasi to be a list of strings, got: #{inspect(args)}"
    end

    for arg <- args, String.contains?(arg, <<0>>) do
      raise ArgumentError,
            "expected :args of :wasi to have no NUL byte, #{@nul}, got: #{show(arg)}"
    end

    args
  end

  defp env!(env) when is_map(env) and not is_struct(env), do: env |> Map.to_list() |> env!()

  defp env!(env) do
    unless Argument.proper_list?(env), do: wrong_env!(env)
    for pair <- env, do: variable!(pair)

    case names(env) -- Enum.uniq(names(env)) do
      [] ->
        env

      [name | _] ->
        raise ArgumentError, "expected each name once in :env of :wasi, got #{show(name)} twice"
    end
  end

  defp names(env), do: Enum.map(env, &elem(&1, 0))

  defp variable!({name, value} = pair) do
    unless Argument.text?(name) and Argument.text?(value), do: wrong_env!(pair)

    # A program gets `name=value`, and the value may be a secret.
    cond do
      name == "" ->
        raise ArgumentError, "expected the names in :env of :wasi not to be empty, got: \"\""

      String.contains?(name, "=") ->
        raise ArgumentError,
              "expected the names in :env of :wasi to have no \"=\", which ends a name for programs, " <>
                "got: #{show(name)}"

      String.contains?(name, <<0>>) ->
        raise ArgumentError,
              "expected the names in :env of :wasi to have no NUL byte, #{@nul}, got: #{show(name)}"

      String.contains?(value, <<0>>) ->
        raise ArgumentError,
              "expected the values in :env of :wasi to have no NUL byte, #{@nul}: that of " <>
                "#{show(name)} has one"

      true ->
        :ok
    end
  end

  defp variable!(other), do: wrong_env!(other)

  defp show(text), do: Printable.term(text)

  defp wrong_env!(got) do
    raise ArgumentError, "expected :env of :wasi to map strings to strings, got: #{inspect(got)}"
  end
end
