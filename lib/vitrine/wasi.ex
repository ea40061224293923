defmodule Vitrine.Wasi do
  @moduledoc """
  What a plugin is granted by WASI preview 1, the option `:wasi` of `Vitrine.new/2`.

  `true` grants clocks, random numbers and nothing else: no arguments, no environment, an empty
  standard input, no files, no network. What the plugin prints is logged. A keyword list grants
  more:

    * `:args` - a list of strings, by convention the program's name first. Empty by default
    * `:env` - a map of strings, the environment variables. Empty by default
    * `:stdin` - a binary to be read from the standard input, by each instance anew
    * `:stdout`, `:stderr` - where what is printed goes: `:log` to Logger line by line, at the
      level `:info` for the standard output and `:warning` for the standard error, or
      `{:log, level}`; `:capture` keeps it, up to 1 MiB each, until `Vitrine.take_printed/1`, or
      with `Vitrine.run/4` and pools for the call's trace, see `Vitrine.Trace`; `:drop` nowhere.
      `:log` by default

  Directories are granted by the manifest's `allowed_paths`.

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

  Sleeping and waiting for files hold no thread: the plugin is parked, and can be timed out and
  killed. An exit code other than 0 is an error with the reason `:exit`.
  """

  @typedoc "Where what is printed goes."
  @type output :: :log | {:log, Logger.level()} | :capture | :drop

  @type option ::
          {:args, [String.t()]}
          | {:env, %{optional(String.t()) => String.t()}}
          | {:stdin, binary()}
          | {:stdout, output()}
          | {:stderr, output()}

  alias Vitrine.{Argument, Keys, Nearest}

  @default_levels %{stdout: :info, stderr: :warning}
  @levels [:debug, :info, :warning, :error]

  @doc false
  # The option as the NIF takes it, with the levels that lines are logged at.
  def options!(false, _paths), do: {nil, @default_levels}
  def options!(true, paths), do: options!([], paths)

  def options!(options, paths) when is_list(options) do
    options =
      Keys.validate!(
        options,
        [args: [], env: %{}, stdin: "", stdout: :log, stderr: :log],
        :wasi
      )

    {stdout, stdout_level} = output!(:stdout, options[:stdout])
    {stderr, stderr_level} = output!(:stderr, options[:stderr])

    native = %{
      args: args!(options[:args]),
      env: env!(options[:env]),
      stdin: stdin!(options[:stdin]),
      stdout: stdout,
      stderr: stderr,
      directories: paths |> Enum.map(&directory/1) |> Enum.sort_by(&guest_path/1)
    }

    {native, %{stdout: stdout_level, stderr: stderr_level}}
  end

  def options!(other, _paths) do
    raise ArgumentError,
          "expected :wasi to be true, false or a keyword list, got: #{inspect(other)}"
  end

  @doc false
  # Where plugins find their directories, in the order of the descriptors that they have there: by
  # these names, so that it is the same whatever the host's are.
  def guest_paths(native), do: Enum.map(native.directories, &guest_path/1)

  defp guest_path({_host, guest, _read_only}), do: guest

  defp directory({"ro:" <> host, guest}), do: {Path.expand(host), guest, true}
  defp directory({host, guest}), do: {Path.expand(host), guest, false}

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
    unless Argument.list_of?(args, &string?/1) do
      raise ArgumentError,
            "expected :args of :wasi to be a list of strings, got: #{inspect(args)}"
    end

    args
  end

  defp env!(env) when is_map(env) and not is_struct(env), do: env |> Map.to_list() |> env!()

  defp env!(env) do
    unless Argument.proper_list?(env), do: wrong_env!(env)
    for pair <- env, not variable?(pair), do: wrong_env!(pair)
    env
  end

  defp variable?({name, value}), do: string?(name) and string?(value)
  defp variable?(_other), do: false

  defp wrong_env!(got) do
    raise ArgumentError, "expected :env of :wasi to map strings to strings, got: #{inspect(got)}"
  end

  # Programs get them as C strings.
  defp string?(value),
    do: is_binary(value) and String.valid?(value) and not String.contains?(value, <<0>>)

  defp stdin!(stdin) when is_binary(stdin), do: stdin

  defp stdin!(other) do
    raise ArgumentError, "expected :stdin of :wasi to be a binary, got: #{inspect(other)}"
  end
end
