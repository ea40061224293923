defmodule Vitrine do
  @readme Path.expand("../README.md", __DIR__)
  @external_resource @readme

  # The moduledoc is the text between the marks of the README. A tree without that file, or with another one, compiles
  # as well.
  @moduledoc (with {:ok, text} <- File.read(@readme),
                   [_, documentation, _] <- String.split(text, "<!-- MDOC -->") do
                documentation
              else
                _ -> "Runs untrusted WebAssembly plugins inside the BEAM."
              end)

  alias Vitrine.{Codec, Compiled, Error, Inspection, Plugin, Pool, Server, Trace}
  alias Vitrine.Call.{Frame, Loop, Options, Timeout}
  alias Vitrine.Loader.{Instance, Pipeline, Source}
  alias Vitrine.Options.{Argument, Docs, Tables}
  alias Vitrine.Process.{Callable, Client, Directory, Listing, Request}

  @typedoc """
  The source of a plugin: a module's bytes or text, a path, a manifest (see `Vitrine.Manifest`), or the result of
  `compile/2`. Pass a source from a stranger as `{:module, bytes}`. This form accepts a module, in binary or text, and
  nothing else.
  """
  @type source :: Source.t() | Compiled.t()

  @typedoc "A plugin, a `Vitrine.Server`, or a `Vitrine.Pool`."
  @type callable :: Plugin.t() | GenServer.server()

  @doc """
  Loads a plugin: compiles its module, links it and runs its initialisers.

  `source` is one of these:

    * the bytes of a module, or its WebAssembly text
    * a manifest: a map, JSON or TOML text, or a `Vitrine.Manifest` struct
    * the path of a file with any of these
    * `{:module, bytes}`, which must be a module
    * a `Vitrine.Compiled`. The options given here are merged over its own

  A module that is in use somewhere is not compiled again. Neither is a module whose native code is on disk.

  > #### Uploads {: .warning}
  >
  > Bytes, texts and paths are distinguished by how they begin. A manifest reads files, and asks for directories and
  > hosts. Pass a source that you did not write as `{:module, bytes}`: a module, in binary or text. Anything else is
  > then an error, and nothing of it is read, downloaded or shown. For a manifest that somebody else wrote, use the
  > option `:ceiling`.

      iex> upload = ~S|{"wasm": [{"path": "/etc/passwd"}]}|
      iex> {:error, error} = Vitrine.new({:module, upload})
      iex> {error.reason, error.message}
      {:compile, "the source is not a WebAssembly module: it is JSON"}

  ## Options

  #{Docs.markdown(Tables.Plugin.schema())}
  ## Errors

  The reasons are `:file`, `:manifest`, `:compile`, `:contract`, `:link` and `:snapshot`. A start function or an
  initialiser can end with `:trap`, `:timeout`, `:exit`, `:out_of_memory`, `:fuel`, `:host_function`, `:codec` or
  `:http`. The function of a `:snapshot` can also be missing (`:function_not_found`), or end with `:guest_error`. Wrong
  options raise `ArgumentError`.

      iex> {:error, error} = Vitrine.new("(module (import \\"app\\" \\"missing\\" (func)))")
      iex> error.reason
      :link
  """
  @spec new(source(), keyword()) :: {:ok, Plugin.t()} | {:error, Error.t()}
  def new(source, options \\ []), do: Pipeline.load(source, Argument.keyword!(options))

  @doc """
  Like `new/2`, but returns the plugin itself, and raises a `Vitrine.Error` on failure.

      iex> plugin = Vitrine.new!(~S|(module (func (export "run")))|)
      iex> Vitrine.call(plugin, "run")
      {:ok, ""}
  """
  @spec new!(source(), keyword()) :: Plugin.t()
  def new!(source, options \\ []), do: source |> new(options) |> value!()

  @doc """
  Compiles and links a plugin, so that `new/2` and `run/4` can make any number of instances of it, in any process.
  Nothing of the plugin runs, except for a snapshot.

  It takes the sources and options of `new/2`. If `source` is a compiled plugin, the options are merged over its own.

  Options that are later given to `new/2` are merged over those given here. An option that changes the code or the
  imports must then stay the same; otherwise `ArgumentError` is raised. These are whether `:fuel` and `:coredump` are
  given, `:debug_info`, `:profiler`, `:memory_layout`, `:fuse`, whether there is `:wasi`, the names and types of
  `:host_functions`, and `:snapshot`. The functions themselves may differ.

  ## Snapshots

  With the option `:snapshot` the plugin is initialised here, once. This is a call in this process, within `:timeout`
  and with all that the options grant. Instances then begin with the memory, globals and variables after that call, in
  a fraction of a millisecond. No initialiser runs in them.

  `snapshot: true` runs the plugin's own initialisers. With the name of a plugin function, that function is called
  after them, without an input, and its output is dropped. [Snapshots](snapshots.md) describes what is kept, and the
  consequences for random numbers and secrets.

      iex> {:ok, compiled} = Vitrine.compile(~S|
      ...>   (module
      ...>     (global $answer (mut i32) (i32.const 0))
      ...>     (func (export "think") (global.set $answer (i32.const 42)))
      ...>     (func (export "answer") (result i32) (global.get $answer)))
      ...> |, snapshot: "think")
      iex> {:error, error} = Vitrine.run(compiled, "answer")
      iex> error.code
      42

  ## Errors

  The reasons are `:file`, `:manifest`, `:compile`, `:contract` and `:link`. A snapshot can also fail with
  `:snapshot`, if the plugin has state that it would lose, and with the reasons of a call.

      iex> {:ok, compiled} = Vitrine.compile(~S|(module (func (export "run")))|, name: "empty")
      iex> compiled.name
      "empty"
      iex> {:ok, one} = Vitrine.new(compiled)
      iex> {:ok, other} = Vitrine.new(compiled, name: "other", timeout: 100)
      iex> {Vitrine.call(one, "run"), Vitrine.call(other, "run")}
      {{:ok, ""}, {:ok, ""}}

      iex> {:error, error} =
      ...>   Vitrine.compile("(module)", name: "p", requires: [exports: ["run", "stop"]])
      iex> Exception.message(error)
      ~S|plugin "p": the plugin does not keep its contract: it lacks the plugin functions "run", "stop"|
  """
  @spec compile(source(), keyword()) :: {:ok, Compiled.t()} | {:error, Error.t()}
  def compile(source, options \\ []) do
    with {:ok, compiled} <- Pipeline.compile(source, Argument.keyword!(options)),
         do: {:ok, Pipeline.keep(compiled)}
  end

  @doc """
  Like `compile/2`, but returns the compiled plugin itself, and raises a `Vitrine.Error` on failure.

      iex> Vitrine.compile!(~S|(module (func (export "run")))|, name: "empty").name
      "empty"
  """
  @spec compile!(source(), keyword()) :: Compiled.t()
  def compile!(source, options \\ []), do: source |> compile(options) |> value!()

  @doc """
  Calls a function of a compiled plugin in a fresh instance. It makes the instance, initialises it, calls the function
  and drops the instance, all within one timeout.

  Memory, globals and variables are those of a new plugin, so no call leaves anything to another.

  An upload can be run as it is, as `{:module, bytes}`. It is compiled first, unless it is in use somewhere or on
  disk. The options of `compile/2` are then given together with those of the call. For more than a few calls, compile
  it once.

  Options and errors are those of `call/4`, except for the errors `:busy` and `:closed`. Prints that are captured with
  `stdout: :capture` cannot be taken later. They are events `:captured` for the option `:trace`, and in the result of
  `trace/4`.

      iex> {:ok, compiled} = Vitrine.compile(~S|
      ...>   (module
      ...>     (global $calls (mut i32) (i32.const 0))
      ...>     (func (export "count") (result i32)
      ...>       (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      ...>       (global.get $calls)))
      ...> |)
      iex> for _ <- 1..2, {:error, error} = Vitrine.run(compiled, "count"), do: error.code
      [1, 1]
  """
  @spec run(Compiled.t() | {:module, binary()}, String.t(), input :: term(), keyword()) ::
          {:ok, output :: term()} | {:error, Error.t()}
  def run(compiled, function, input \\ "", options \\ [])

  def run({:module, bytes} = source, function, input, options) when is_binary(bytes) do
    {plugin, options} = options |> Argument.keyword!() |> Options.split()
    with {:ok, compiled} <- compile(source, plugin), do: run(compiled, function, input, options)
  end

  def run(compiled, function, input, options) do
    encoded(Callable.compiled!(compiled), function, input, options, &run_raw/4)
  end

  @doc """
  Like `run/4`, but returns the output itself, and raises a `Vitrine.Error` on failure.

      iex> compiled = Vitrine.compile!(~S|(module (func (export "run")))|)
      iex> Vitrine.run!(compiled, "run")
      ""
  """
  @spec run!(Compiled.t() | {:module, binary()}, String.t(), input :: term(), keyword()) ::
          output :: term()
  def run!(compiled, function, input \\ "", options \\ []),
    do: compiled |> run(function, input, options) |> value!()

  defp run_raw(compiled, function, input, options) do
    request = Request.new!(function, input, options)
    {timeout, whose} = Timeout.of(request.timeout, compiled.settings)

    Trace.call(request.trace, function, input, fn ->
      Loop.observed(compiled.name, function, fn ->
        result =
          with {:ok, plugin} <- Instance.bind(compiled) do
            frame = request |> Request.frame(plugin) |> Frame.check!()
            Trace.captured(frame, fn -> Loop.run_fresh(frame, input, timeout) end)
          end

        Timeout.explain(result, timeout, whose)
      end)
    end)
  end

  @doc """
  Inspects a module without compiling it or running any of it. Use it for uploads.

  `bytes` is a module in binary or text, or `{:module, bytes}`. The module is validated. If the bytes are something
  else, the error is `:compile`, in words for the person who uploaded them.

  `options` are those of `new/2`. The field `refused` says why the plugin would be refused with them. See
  `Vitrine.Inspection` for the other fields.

      iex> {:ok, found} = Vitrine.inspect_plugin(~S|
      ...>   (module
      ...>     (import "extism:host/user" "greet" (func (param i64) (result i64)))
      ...>     (memory 17)
      ...>     (func (export "run")))
      ...> |, memory: [max_pages: 16])
      iex> {found.functions, found.host_functions}
      {["run"], [{"extism:host/user", "greet"}]}
      iex> found.refused
      [~S|the import "extism:host/user"."greet" is unknown; is a host function missing from host_functions?|,
       "its memories begin with 17 pages of 64 KiB; the limit is 16 (memory: %{max_pages: 16})"]
  """
  @spec inspect_plugin(binary() | {:module, binary()}, keyword()) ::
          {:ok, Inspection.t()} | {:error, Error.t()}
  def inspect_plugin(bytes, options \\ []),
    do: Vitrine.Loader.Inspection.inspect_plugin(bytes, Argument.keyword!(options))

  @doc """
  Calls a function of a plugin with an input, and returns its output.

  The plugin runs in the calling process, and so do its host functions. `input` is a binary or iodata, and the output
  is a binary. With a codec, the option `:as`, they are terms that the codec can encode.

  ## Options

  #{Docs.markdown(Tables.Call.schema())}
  ## Errors

    * Errors of the plugin: `:guest_error`, `:trap`, `:exit`, `:timeout`, `:cancelled`, `:out_of_memory`, `:fuel`,
      `:output_too_large` and `:function_not_found`
    * Errors of what the plugin asked of the host: `:host_function`, `:codec` and `:http`
    * Errors of the server, the pool or the plugin that was called: `:busy`, `:pool_full`, `:queue_full` and
      `:closed`. If an instance is made first, as in a pool, also those of `new/2`

  See `t:Vitrine.Error.reason/0`.

      iex> {:ok, plugin} = Vitrine.new(~S|(module (func (export "run") unreachable))|, name: "p")
      iex> {:error, error} = Vitrine.call(plugin, "run")
      iex> {error.reason, error.trap, error.function}
      {:trap, "wasm `unreachable` instruction executed", "run"}
      iex> {:error, error} = Vitrine.call(plugin, "walk")
      iex> error.reason
      :function_not_found
  """
  @spec call(callable(), String.t(), input :: term(), keyword()) ::
          {:ok, output :: term()} | {:error, Error.t()}
  def call(callable, function, input \\ "", options \\ [])

  def call(%Plugin{} = plugin, function, input, []) when is_binary(function) do
    plugin
    |> Frame.new(function)
    |> Loop.run(Options.input!(input), plugin.timeout, plugin.timeout_from)
  end

  def call(%Plugin{} = plugin, function, input, timeout: timeout) when is_binary(function) do
    plugin
    |> Frame.new(function)
    |> Loop.run(Options.input!(input), Options.timeout!(timeout), :call)
  end

  def call(process, function, input, []) when is_pid(process) and is_binary(function),
    do: call_raw(process, function, Options.input!(input), [])

  def call(callable, function, input, options),
    do: encoded(Callable.callable!(callable), function, input, options, &call_raw/4)

  defp call_raw(%Plugin{} = plugin, function, input, options) do
    request = Request.new!(function, input, options)
    {timeout, whose} = Timeout.of(request.timeout, plugin)
    frame = request |> Request.frame(plugin) |> Frame.check!()
    Trace.call(request.trace, function, input, fn -> Loop.run(frame, input, timeout, whose) end)
  end

  defp call_raw(server, function, input, options) do
    found = Directory.find!(server)
    request = Request.new!(function, input, options)

    case found do
      %Pool.Slots{} = slots -> Pool.call(server, slots, request)
      {:unknown, pool} -> Pool.introduce_and_call(server, pool, request)
      entry -> Server.Client.call(server, entry, request)
    end
  end

  # Encodes and decodes in the calling process, even if a server runs the call.
  defp encoded(callable, function, input, options, call) do
    Argument.function!(function)

    case options |> Argument.keyword!() |> Keyword.pop(:as) do
      {nil, options} ->
        call.(callable, function, Options.input!(input), options)

      {as, options} ->
        {encoder, decoder} = Codec.pair!(as)

        result =
          with {:ok, input} <- Codec.write(encoder, input, "the input"),
               {:ok, output} <- call.(callable, function, input, options),
               do: Codec.read(decoder, output, "the output")

        with {:error, %{reason: :codec, function: nil} = error} <- result do
          {:error, %{error | plugin: name(callable), function: function}}
        end
    end
  end

  defp name(%{name: name}), do: name
  defp name(_server), do: nil

  @doc """
  Like `call/4`, but returns the output itself, and raises a `Vitrine.Error` on failure.

  If a host function raised, the stack trace begins with the lines of that function, followed by those of the caller.

      iex> {:ok, plugin} = Vitrine.new(~S|(module (func (export "run")))|)
      iex> Vitrine.call!(plugin, "run")
      ""
  """
  @spec call!(callable(), String.t(), input :: term(), keyword()) :: output :: term()
  def call!(callable, function, input \\ "", options \\ []),
    do: callable |> call(function, input, options) |> value!()

  defp value!({:ok, value}), do: value
  defp value!({:error, error}), do: Error.raise!(error)

  @doc """
  Like `call/4`, but also returns the events of the call: the host functions that the plugin called, with arguments,
  results and times, and what it logged and printed, whatever Logger's level is. See `Vitrine.Trace` for the events.
  For a compiled plugin it is like `run/4`.

  Options are those of `call/4`, and `:max_events`, the number of events that are kept, 1000 by default. If there were
  more, the last event says how many. To get events while the call runs, pass a function as the option `:trace` of
  `call/4`.

      iex> {:ok, plugin} = Vitrine.new(~S|
      ...>   (module
      ...>     (import "extism:host/env" "input_offset" (func $input (result i64)))
      ...>     (import "extism:host/user" "greet" (func $greet (param i64) (result i64)))
      ...>     (func (export "hello") (drop (call $greet (call $input)))))
      ...> |, host_functions: %{"greet" => &("hello " <> &1)})
      iex> {{:ok, ""}, [greet, call]} = Vitrine.trace(plugin, "hello", "Joe")
      iex> {greet.kind, greet.name, greet.args, greet.reply}
      {:host_function, "greet", ["Joe"], {:ok, ["hello Joe"]}}
      iex> {call.kind, greet.at + greet.us <= call.us}
      {:call, true}
  """
  @spec trace(callable() | Compiled.t(), String.t(), input :: term(), keyword()) ::
          {{:ok, output :: term()} | {:error, Error.t()}, [Trace.event()]}
  def trace(callable, function, input \\ "", options \\ []) do
    {max, options} = options |> Argument.keyword!() |> Keyword.pop(:max_events)

    if Keyword.has_key?(options, :trace) do
      raise ArgumentError,
            "the option :trace is for Vitrine.call/4: Vitrine.trace/4 gives the events itself"
    end

    runs? = is_struct(callable, Compiled) or match?({:module, _}, callable)
    call = if runs?, do: &run/4, else: &call/4
    Trace.collect(max, &call.(callable, function, input, [trace: &1] ++ options))
  end

  @typedoc """
  The counters of a plugin since it was loaded, see `stats/1`. Times are in microseconds.

    * `calls` - how many calls were requested, including calls that were refused
    * `errors` - how many of them failed, by the core's reason. A failure of a host function is `:host_function`
      there, even if the caller gets `:codec` or `:http`
    * `abandoned` - how many calls ended with the process that made them
    * `instances` - how many instances were made: the first, and one after each trap
    * `slices` - how often guest code was run
    * `guest_us` - how long guest code ran. The clock ticks each half millisecond, so a short call counts as nothing
      or as one tick, and the sum of many calls is right on average
    * `host_calls`, `host_us` - how many host functions were called, and how long the plugin waited for them, for HTTP
      and for Logger
    * `fuel` - units of fuel, with the option `:fuel`
    * `memory_bytes`, `peak_memory_bytes` - the linear memory of the instance, including the kernel's, and the most
      that it had. The memory of a replaced instance counts until it is freed
    * `vars_bytes` - the size of the variables, as it counts against their limit
  """
  @type stats :: %{
          calls: non_neg_integer(),
          errors: %{optional(Error.reason()) => pos_integer()},
          abandoned: non_neg_integer(),
          instances: non_neg_integer(),
          slices: non_neg_integer(),
          guest_us: non_neg_integer(),
          host_calls: non_neg_integer(),
          host_us: non_neg_integer(),
          fuel: non_neg_integer(),
          memory_bytes: non_neg_integer(),
          peak_memory_bytes: non_neg_integer(),
          vars_bytes: non_neg_integer()
        }

  @doc """
  Returns the counters of a plugin, see `t:stats/0`. This is cheap, and always possible, even while a call runs. For a
  server they are those of the present version.

  For a pool they are the sums over all instances that it has and had, of all versions. Only `peak_memory_bytes` is
  that of the largest instance. Calls are those that got an instance. The counters of a call whose process was killed
  are added a moment later.

      iex> {:ok, plugin} = Vitrine.new(~S|(module (memory 1) (func (export "run")))|)
      iex> Vitrine.call(plugin, "run")
      iex> Vitrine.call(plugin, "walk")
      iex> stats = Vitrine.stats(plugin)
      iex> {stats.calls, stats.errors, stats.instances}
      {2, %{function_not_found: 1}, 1}
  """
  @spec stats(callable()) :: stats() | {:error, Error.t()}
  def stats(%Plugin{} = plugin), do: Plugin.stats(plugin)
  def stats(server), do: ask(server, :stats)

  @typedoc """
  An entry of `list/0`.

    * `kind` - `:plugin`, `:server`, `:pool` or `:compiled`
    * `name` - the plugin's name in errors and log lines
    * `hash` - the sha256 of its main module, in lower-case hexadecimal digits
    * `process` - the process of a server or a pool, otherwise `nil`
    * `label` - the name that a server or a pool was started with, otherwise `nil`. It is a text, like `pool` in
      events
    * `owner` - the process that has it, alive or not: the process that made or compiled the plugin, or the server or
      pool that the plugin is an instance of. For a server or a pool it is the process that started it, or `nil`
    * `since` - when it was made, in UTC
    * `state` - `:busy` while a call runs, otherwise `:idle`
    * `instances` - how many plugins the entry stands for: 1 for a plugin, the instances of a server or a pool, and
      for a compiled plugin those of its module
    * `calls` - how many calls were requested since then; for a pool, how many have ended
    * `memory_bytes` - the linear memory of its instances now, as in `t:stats/0`
    * `fuel` - the units of fuel that its calls have used, 0 without the option `:fuel`
  """
  @type listed :: %{
          kind: :plugin | :server | :pool | :compiled,
          name: String.t(),
          hash: String.t(),
          process: pid() | nil,
          label: String.t() | nil,
          owner: pid() | nil,
          since: DateTime.t(),
          state: :idle | :busy,
          instances: non_neg_integer(),
          calls: non_neg_integer(),
          memory_bytes: non_neg_integer(),
          fuel: non_neg_integer()
        }

  @doc """
  Lists the plugins that are not closed, the servers, the pools and the compiled plugins of this node, in no particular
  order. An entry that is no longer referenced is listed until the process that held it collects its garbage.

  The plugins of servers and pools are also listed, with the server or pool as `owner`. To add up all memory, count
  the entries of the kind `:plugin`. Calls, memory and fuel of a server or a pool include all plugins that it has and
  had. Those of a compiled plugin include the plugins that exist now.

  No plugin and no process is asked, so this function can be called at any time. 50 000 plugins take some tenths of a
  second, in the calling process.

      iex> {:ok, plugin} = Vitrine.new(~S|(module (memory 1) (func (export "run")))|, name: "listed")
      iex> Vitrine.call(plugin, "run")
      iex> [found] = for %{name: "listed"} = found <- Vitrine.list(), do: found
      iex> {found.kind, found.state, found.calls, found.owner == self()}
      {:plugin, :idle, 1, true}
      iex> found.memory_bytes >= 65_536
      true
      iex> Vitrine.close(plugin)
      iex> Enum.filter(Vitrine.list(), &(&1.name == "listed"))
      []
  """
  @spec list() :: [listed()]
  def list, do: Listing.all(&Pool.Slots.past/1)

  @doc """
  Tells whether the plugin has a function of this name: an export without parameters, and with no result or one `i32`.

      iex> {:ok, plugin} = Vitrine.new(~S|(module (func (export "run")))|)
      iex> {Vitrine.function_exists?(plugin, "run"), Vitrine.function_exists?(plugin, "walk")}
      {true, false}
  """
  @spec function_exists?(callable() | Compiled.t(), String.t()) :: boolean()
  def function_exists?(%Compiled{interface: interface}, name),
    do: Argument.function!(name) in interface.functions

  def function_exists?(%Plugin{} = plugin, name),
    do: Plugin.function_exists?(plugin, Argument.function!(name))

  def function_exists?(server, name),
    do: ask(server, {:function_exists?, Argument.function!(name)}) == true

  @doc """
  Returns the names of the functions that `call/4` can call, in alphabetical order. For a server or a pool they are
  those of the present version. If it is not running, the error is `:closed`.

      iex> {:ok, plugin} =
      ...>   Vitrine.new(~S|
      ...>     (module
      ...>       (memory (export "memory") 1)
      ...>       (func (export "walk"))
      ...>       (func (export "run"))
      ...>       (func (export "add") (param i32)))
      ...>   |)
      iex> Vitrine.functions(plugin)
      {:ok, ["run", "walk"]}
  """
  @spec functions(callable() | Compiled.t()) :: {:ok, [String.t()]} | {:error, Error.t()}
  def functions(%Compiled{interface: interface}), do: {:ok, interface.functions}
  def functions(%Plugin{} = plugin), do: Plugin.functions(plugin)
  def functions(server), do: ask(server, :functions)

  @doc """
  Stops the plugin's running call, whose caller gets `:cancelled`. Without a running call, nothing happens.

  A call that is in a host function ends when the host function returns. A call that waits for an HTTP response of
  Vitrine's own client ends at once.

      iex> {:ok, plugin} = Vitrine.new(~S|(module (func (export "spin") (loop (br 0))))|)
      iex> call = Task.async(fn -> Vitrine.call(plugin, "spin", "", timeout: :infinity) end)
      iex> Process.sleep(50)
      iex> Vitrine.cancel(plugin)
      :ok
      iex> {:error, error} = Task.await(call)
      iex> error.reason
      :cancelled
  """
  @spec cancel(callable()) :: :ok
  def cancel(%Plugin{} = plugin), do: Plugin.cancel(plugin)

  def cancel(server) do
    _ = ask(server, :cancel)
    :ok
  end

  @doc """
  Drops the plugin's instance. The next call begins with a fresh one, whose memory and globals have their initial
  values. Variables are kept.

  The error is `:busy` while a call runs, and `:closed` after `close/1`.

      iex> {:ok, plugin} = Vitrine.new(~S|(module (func (export "run")))|)
      iex> Vitrine.reset(plugin)
      :ok
  """
  @spec reset(callable()) :: :ok | {:error, Error.t()}
  def reset(%Plugin{} = plugin), do: Plugin.reset(plugin)
  def reset(server), do: ask(server, :reset)

  @doc """
  Returns the plugin's variables, which it sets by `var_set`, as a map from strings to binaries.

  Together with `put_vars/2`, this saves and restores a plugin's state. Variables outlive the instance, but not the
  plugin.

      iex> {:ok, plugin} = Vitrine.new(~S|(module (func (export "run")))|)
      iex> Vitrine.put_vars(plugin, %{"count" => <<1, 0, 0, 0>>})
      :ok
      iex> Vitrine.vars(plugin)
      %{"count" => <<1, 0, 0, 0>>}
  """
  @spec vars(callable()) :: %{optional(String.t()) => binary()} | {:error, Error.t()}
  def vars(%Plugin{} = plugin), do: Plugin.vars(plugin)
  def vars(server), do: ask(server, :vars)

  @doc """
  Replaces all variables of the plugin.

  If they are larger than the manifest's `memory.max_var_bytes`, the error is `:vars`, and nothing is changed. After
  `close/1` the error is `:closed`. A call in progress sees the new variables.
  """
  @spec put_vars(callable(), %{optional(String.t()) => binary()}) :: :ok | {:error, Error.t()}
  def put_vars(%Plugin{} = plugin, vars),
    do: Plugin.put_vars(plugin, Argument.vars!(vars))

  def put_vars(server, vars),
    do: ask(server, {:put_vars, Map.new(Argument.vars!(vars))})

  @doc """
  Changes the plugin's configuration. Merges a map of strings into it, in which `nil` deletes a key. The plugin gets
  the new values from its next `config_get` on. After `close/1` the error is `:closed`.

      iex> {:ok, plugin} = Vitrine.new(~S|(module (func (export "run")))|, config: %{"a" => "1"})
      iex> Vitrine.put_config(plugin, %{"a" => nil, "b" => "2"})
      :ok
  """
  @spec put_config(callable(), %{optional(String.t()) => String.t() | nil}) ::
          :ok | {:error, Error.t()}
  def put_config(%Plugin{} = plugin, changes),
    do: Plugin.put_config(plugin, Argument.config_changes!(changes))

  def put_config(server, changes),
    do: ask(server, {:put_config, Map.new(Argument.config_changes!(changes))})

  @doc """
  Returns what the plugin printed since the last call of this function, if the option `:wasi` has `:capture`. It has
  at most 1 MiB of each stream; later prints are lost. See `Vitrine.Wasi` for an example.

  For a call of a pool or of `run/4`, whose instance is not available afterwards, use `trace/4`.
  """
  @spec take_printed(callable()) :: %{stdout: binary(), stderr: binary()} | {:error, Error.t()}
  def take_printed(%Plugin{} = plugin), do: Plugin.take_printed(plugin)
  def take_printed(server), do: ask(server, :take_printed)

  @doc """
  Returns the fuel that the plugin's last call used, or its initialisation if it was not called yet. Without the option
  `:fuel` it is 0. For a call that was stopped within an instruction, or from outside, it is an upper bound, which is at
  most 100 000 units too high.

      iex> {:ok, plugin} = Vitrine.new(~S|(module (func (export "run")))|, fuel: 1000)
      iex> Vitrine.call(plugin, "run")
      {:ok, ""}
      iex> Vitrine.fuel_used(plugin) in 1..10
      true
  """
  @spec fuel_used(callable()) :: non_neg_integer() | {:error, Error.t()}
  def fuel_used(%Plugin{} = plugin), do: Plugin.fuel_used(plugin)
  def fuel_used(server), do: ask(server, :fuel_used)

  @doc """
  Closes a plugin: stops its running call and frees its memory. Later calls get `:closed`. Its variables and statistics
  remain available.

  A server is stopped in the same way. A pool is stopped as by `Vitrine.Pool.stop/1`: its running calls may go on for
  the time of the option `:shutdown`, and this function waits for them.

      iex> {:ok, plugin} = Vitrine.new(~S|(module (func (export "run")))|)
      iex> Vitrine.close(plugin)
      :ok
      iex> {:error, error} = Vitrine.call(plugin, "run")
      iex> error.reason
      :closed
  """
  @spec close(callable()) :: :ok
  def close(%Plugin{} = plugin), do: Plugin.close(plugin)
  def close(server), do: server |> Callable.callable!() |> Client.stop()

  defp ask(server, question), do: server |> Callable.callable!() |> Client.ask(question)
end
