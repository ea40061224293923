defmodule Vitrine.ErrorTable.Arguments do
  @moduledoc "Arguments that are wrong: they raise `ArgumentError`."

  import ExUnit.Callbacks
  import Vitrine.ErrorTable.Making, only: [file: 2]

  alias Vitrine.{Codec, HostFunction, HTML, Manifest, Pool, Server}

  @module ~S|(module (func (export "run")))|

  def rows,
    do:
      names() ++
        values() ++ granted() ++ callables() ++ functions() ++ codecs() ++ processes() ++ pages()

  defp new(options), do: Vitrine.new(@module, options)

  defp names do
    [
      {"an option that is unknown",
       "unknown option: :allowed_host (did you mean :allowed_hosts?). The options are :allowed_hosts, :allowed_paths, :cache, :ceiling, :config, :context, :coredump, :debug_info, :fuel, :fuse, :host_functions, :http, :http_response_headers, :init_fuel, :limits, :log_level, :memory, :memory_layout, :name, :on_trap, :profiler, :requires, :scheduler, :snapshot, :timeout, :wasi",
       fn -> new(allowed_host: []) end},
      {"an option of the memory that is unknown",
       "unknown option of :memory: :max_page (did you mean :max_pages?). The options are :max_http_response_bytes, :max_pages, :max_var_bytes",
       fn -> new(memory: [max_page: 1]) end},
      {"an option of the limits that is unknown",
       "unknown option of :limits: :output (did you mean :output_bytes?). The options are :output_bytes, :table_elements",
       fn -> new(limits: [output: 1]) end},
      {"a limit that stands elsewhere",
       "unknown option: :max_pages (it belongs in memory: [max_pages: …]). The options are :allowed_hosts, :allowed_paths, :cache, :ceiling, :config, :context, :coredump, :debug_info, :fuel, :fuse, :host_functions, :http, :http_response_headers, :init_fuel, :limits, :log_level, :memory, :memory_layout, :name, :on_trap, :profiler, :requires, :scheduler, :snapshot, :timeout, :wasi",
       fn -> new(max_pages: 1) end},
      {"a call's option that is the plugin's",
       "unknown option: :memory (it is an option of Vitrine.new/2). The options are :as, :context, :stdin, :timeout, :trace",
       fn -> Vitrine.call(Vitrine.new!(@module), "run", "", memory: []) end},
      {"an option given twice", "the option :wasi is given twice",
       fn -> new(wasi: true, wasi: false) end},
      {"options that are a map",
       "expected the options to be a keyword list, got: a map with the keys [:wasi]",
       fn -> new(%{wasi: true}) end},
      {"options that are a list of other things",
       "expected the options to be a keyword list, got: a list with the key \"wasi\" in it",
       fn -> new([{"wasi", true}]) end}
    ]
  end

  defp values do
    [
      {"a scheduler that is unknown",
       "expected :scheduler to be :auto or :dirty, got: :drity; did you mean :dirty?",
       fn -> new(scheduler: :drity) end},
      {"a timeout that is a text",
       "expected :timeout to be milliseconds, from 0 to 4294967295, or :infinity, got: \"5s\"",
       fn -> new(timeout: "5s") end},
      {"a timeout below zero",
       "expected :timeout to be milliseconds, from 0 to 4294967295, or :infinity, got: -1",
       fn -> Vitrine.call(Vitrine.new!(@module), "run", "", timeout: -1) end},
      {"a limit below zero",
       "expected :output_bytes of :limits to be bytes, from 0 to 18446744073709551615, got: -1",
       fn -> new(limits: [output_bytes: -1]) end},
      {"pages that are too many",
       "the option memory.max_pages must be pages of 64 KiB, from 1 to 65536, got: 70000",
       fn -> new(memory: [max_pages: 70_000]) end},
      {"a memory that is a number",
       "expected :memory to be a map or a keyword list of limits, got: 512",
       fn -> new(memory: 512) end},
      {"fuel that is a text",
       "expected :fuel to be units of fuel, from 0 to 18446744073709551615, got: \"much\"",
       fn -> new(fuel: "much") end},
      {"fuel of the initialisation alone",
       "expected :init_fuel together with :fuel, the limit of each call",
       fn -> new(init_fuel: 5) end},
      {"a coredump without a path",
       "expected :coredump to be the path of a file, without a NUL byte, got: true",
       fn -> new(coredump: true) end},
      {"a name that is a number", "expected :name to be a string or an atom, got: 7",
       fn -> new(name: 7) end},
      {"a configuration with a number", "the option config.retries must be a string, got: 3",
       fn -> new(config: %{"retries" => 3}) end},
      {"a configuration that is a list",
       "expected :config to be a map of strings, got: a keyword list with the keys [:retries]",
       fn -> new(config: [retries: "3"]) end},
      {"changes of the configuration with a number",
       "expected the configuration to map strings to strings or nil, got: {\"retries\", 3}",
       fn -> Vitrine.put_config(Vitrine.new!(@module), %{"retries" => 3}) end},
      {"variables with an atom",
       "expected variables to map strings to binaries, got: {:a, \"b\"}",
       fn -> Vitrine.put_vars(Vitrine.new!(@module), %{a: "b"}) end},
      {"variables that are a list",
       "expected variables to be a map of strings to binaries, got: a keyword list with the keys [:a]",
       fn -> Vitrine.put_vars(Vitrine.new!(@module), a: "b") end},
      {"a contract that is a text",
       "expected :exports of :requires to be a list of the names of plugin functions, got: \"run\"",
       fn -> new(requires: [exports: "run"]) end},
      {"a contract of another ABI",
       "expected :abi of :requires to be 1, or 0 for the one before version 1.0, got: 2",
       fn -> new(requires: [abi: 2]) end},
      {"a snapshot that is an atom",
       "expected :snapshot to be true, false or the name of a function of the plugin, got: :run",
       fn -> new(snapshot: :run) end},
      {"a ceiling of unknown sources",
       "expected :sources of :ceiling to be a list of :data, :path, :url and {:url, hosts}, got: [:file]",
       fn -> new(ceiling: [sources: [:file]]) end},
      {"a ceiling with a limit that is unknown",
       "in :ceiling: memory has the unknown key \"max_page\", allowed are: max_pages, max_http_response_bytes, max_var_bytes; did you mean \"max_pages\"?",
       fn -> new(ceiling: [memory: [max_page: 1]]) end},
      {"a trace that is not a function",
       "expected :trace to be a function of one argument, got: :yes",
       fn -> Vitrine.call(Vitrine.new!(@module), "run", "", trace: :yes) end},
      {"a trace within a trace",
       "the option :trace is for Vitrine.call/4: Vitrine.trace/4 gives the events itself",
       fn -> Vitrine.trace(Vitrine.new!(@module), "run", "", trace: & &1) end},
      {"a telemetry handler that is not one",
       "expected a telemetry handler to be a function of three arguments or {module, function}, got: :me",
       fn -> Vitrine.Telemetry.attach(:me) end},
      {"a compiled plugin with options that change its code",
       "expected the option :fuel to be left out, as when #Vitrine.Compiled<…> was compiled: it changes the code that is generated. Give it to Vitrine.compile/2",
       fn -> @module |> Vitrine.compile!() |> Vitrine.new(fuel: 5) end},
      {"a module to inspect that is nil", "expected the bytes of a module or its text, got: nil",
       fn -> Vitrine.inspect_plugin(nil) end}
    ]
  end

  defp granted do
    pem = fn option, text ->
      new(http: {Vitrine.HTTP.Client, ssl: [{option, file(text, "a.pem")}]})
    end

    [
      {"hosts that are a text",
       "expected :allowed_hosts to be a list of names or patterns such as \"*.example.com\" or {:private, \"db.internal\"}, got: \"example.com\"",
       fn -> new(allowed_hosts: "example.com") end},
      {"a host with a scheme",
       "expected :allowed_hosts to be names or patterns such as \"*.example.com\" or \"[::1]\", without scheme, port and path, but \"https://example.com\" has a scheme",
       fn -> new(allowed_hosts: ["https://example.com"]) end},
      {"a host with a port",
       "expected :allowed_hosts to be names or patterns such as \"*.example.com\" or \"[::1]\", without scheme, port and path, but \"example.com:8080\" has a port",
       fn -> new(allowed_hosts: ["example.com:8080"]) end},
      {"a host with a path",
       "expected :allowed_hosts to be names or patterns such as \"*.example.com\" or \"[::1]\", without scheme, port and path, but \"example.com/api\" has a path",
       fn -> new(allowed_hosts: ["example.com/api"]) end},
      {"a client that is not a module",
       "expected :http to be a module with the behaviour Vitrine.HTTP, such a module with its options, or false, got: \"client\"",
       fn -> new(http: "client") end},
      {"a client without the behaviour",
       "expected :http to be a module with the behaviour Vitrine.HTTP, such a module with its options, or false, got: {Enum, []}",
       fn -> new(http: Enum) end},
      {"a client's file of certificates that is missing",
       "the file \"/nowhere/ca.pem\" cannot be read: no such file or directory (ssl: [cacertfile: \"/nowhere/ca.pem\"])",
       fn -> new(http: {Vitrine.HTTP.Client, ssl: [cacertfile: "/nowhere/ca.pem"]}) end},
      {"a client's file without a certificate",
       "the file \"…/a.pem\" has no CERTIFICATE in PEM in it (ssl: [cacertfile: \"…/a.pem\"])",
       fn -> pem.(:cacertfile, "text") end},
      {"a client's option that is unknown",
       "unknown option: :ssll (did you mean :ssl?). The options are :connect_timeout, :max_header_bytes, :ssl",
       fn -> new(http: {Vitrine.HTTP.Client, ssll: []}) end},
      {"a client's time that is not one",
       "expected :connect_timeout to be milliseconds, from 1 to 4294967295, or :infinity, got: 0",
       fn -> new(http: {Vitrine.HTTP.Client, connect_timeout: 0}) end},
      {"paths that are a list", "the option allowed_paths must be a map, got: [\"/tmp\"]",
       fn -> new(wasi: true, allowed_paths: ["/tmp"]) end},
      {"paths without WASI",
       "the option :allowed_paths has no effect without WASI, by which plugins see directories; give wasi: true with it",
       fn -> new(allowed_paths: %{"/tmp" => "/tmp"}) end},
      {"two paths of one name",
       "the option allowed_paths must give each directory a path of its own in the guest, got \"/a\" for both \"/tmp\" and \"/var\"",
       fn -> new(wasi: true, allowed_paths: %{"/tmp" => "/a", "/var" => "/a"}) end},
      {"a path with a NUL",
       "the option allowed_paths[\"/tmp\"] must be a path without a NUL byte, got: \"/a\\0\"",
       fn -> new(wasi: true, allowed_paths: %{"/tmp" => "/a\0"}) end},
      {"WASI that is a text", "expected :wasi to be true, false or a keyword list, got: \"yes\"",
       fn -> new(wasi: "yes") end},
      {"an environment with a number",
       "expected :env of :wasi to map strings to strings, got: {\"A\", 1}",
       fn -> new(wasi: [env: %{"A" => 1}]) end},
      {"an environment with a name without one",
       "expected the names in :env of :wasi not to be empty, got: \"\"",
       fn -> new(wasi: [env: %{"" => "a"}]) end},
      {"arguments of a program that are a text",
       "expected :args of :wasi to be a list of strings, got: \"-v\"",
       fn -> new(wasi: [args: "-v"]) end},
      {"a standard output that is unknown",
       "expected :stdout of :wasi to be :log, {:log, level} with a level of [:debug, :info, :warning, :error], :capture or :drop, got: :info; a level is written {:log, :info}",
       fn -> new(wasi: [stdout: :info]) end},
      {"a standard input that is a number", "expected :stdin of :wasi to be a binary, got: 7",
       fn -> new(wasi: [stdin: 7]) end}
    ]
  end

  defp callables do
    plugin = fn -> Vitrine.new!(@module) end

    [
      {"a plugin that was not matched on",
       "expected a plugin, a server or a pool, got: {:ok, #Vitrine.Plugin<…>}: match on {:ok, plugin} first",
       fn -> Vitrine.call(Vitrine.new(@module), "run") end},
      {"a compiled plugin that is called",
       "expected a plugin, a server or a pool, got: #Vitrine.Compiled<…>: use Vitrine.run/4, or make a plugin of it by Vitrine.new/2",
       fn -> Vitrine.call(Vitrine.compile!(@module), "run") end},
      {"a source that is called",
       "expected a plugin, a server or a pool, got: \"plugin.wasm\": Vitrine.new/2 makes a plugin of a source",
       fn -> Vitrine.call("plugin.wasm", "run") end},
      {"an upload that is called",
       "expected a plugin, a server or a pool, got: {:module, 5 bytes}: Vitrine.Pool and Vitrine.Server take it as their :source, and Vitrine.compile/2 too",
       fn -> Vitrine.call({:module, "bytes"}, "run") end},
      {"nil that is called", "expected a plugin, a server or a pool, got: nil",
       fn -> Vitrine.call(nil, "run") end},
      {"a plugin that is run",
       "expected a compiled plugin, got: #Vitrine.Plugin<…>: use Vitrine.call/4",
       fn -> Vitrine.run(plugin.(), "run") end},
      {"a source that is run",
       "expected a compiled plugin, got: \"plugin.wasm\": Vitrine.compile/2 makes one of a source",
       fn -> Vitrine.run("plugin.wasm", "run") end},
      {"a function's name that is an atom",
       "expected the name of a function of the plugin, a string, got: :run",
       fn -> Vitrine.call(plugin.(), :run) end},
      {"an input that is a map",
       "expected the input to be a binary or iodata, got: %{a: 1}; other terms need a codec, such as as: :json",
       fn -> Vitrine.call(plugin.(), "run", %{a: 1}) end},
      {"an input that is the options",
       "expected the input to be a binary or iodata, got: [timeout: 5]: options come after the input, as in call(plugin, \"run\", \"\", timeout: 100)",
       fn -> Vitrine.call(plugin.(), "run", timeout: 5) end}
    ]
  end

  defp functions do
    [
      {"host functions that are a number",
       "expected :host_functions to be a map of functions or a list of Vitrine.HostFunction structs, got: 7",
       fn -> new(host_functions: 7) end},
      {"a host function that is not a function",
       "expected :host_functions to map strings to functions, got: {\"f\", 7}",
       fn -> new(host_functions: %{"f" => 7}) end},
      {"a host function by the name of an atom",
       "expected :host_functions to map strings to functions, got: {:f, #Function<…>}",
       fn -> new(host_functions: %{f: & &1}) end},
      {"a host function's name that is an atom",
       "expected the name of a host function to be a string, got: :f",
       fn -> HostFunction.new(:f, [], nil, fn -> nil end) end},
      {"a host function of another arity",
       "host function \"f\" has 1 parameter: expected a function of as many arguments, or one more for the context, got: #Function<…>",
       fn -> HostFunction.new("f", [:i32], nil, fn -> nil end) end},
      {"a host function of an unknown type",
       "host function \"f\": expected one of [:i32, :i64, :f32, :f64, :binary], or a codec: one of :raw, :string, :base64, :empty, :json, :msgpack, :bool, :i32, :u32, :i64, :u64, :f32, :f64, a module with the behaviour Vitrine.Codec, or one of these with its options, got: :i3; did you mean :i32?",
       fn -> HostFunction.new("f", [:i3], nil, fn _ -> nil end) end},
      {"a host function of a type that cannot be declared",
       "host function \"f\": :externref cannot be declared: numbers and bytes can be passed to the host, references and vectors cannot; expected one of [:i32, :i64, :f32, :f64, :binary], or a codec",
       fn -> HostFunction.new("f", [:externref], nil, fn _ -> nil end) end},
      {"a host function whose parameters are not a list",
       "host function \"f\": expected its parameters to be a list of types, got: :i32",
       fn -> HostFunction.new("f", :i32, nil, fn _ -> nil end) end},
      {"a host function that is tested with other arguments",
       "expected arguments of the types [:i32] for the host function \"f\", got: [\"a\"]",
       fn ->
         functions = [HostFunction.new("f", [:i32], nil, fn _ -> nil end)]
         Vitrine.Test.call_host_function(functions, "f", ["a"])
       end}
    ]
  end

  defp codecs do
    [
      {"a codec that is unknown",
       "expected a codec: one of :raw, :string, :base64, :empty, :json, :msgpack, :bool, :i32, :u32, :i64, :u64, :f32, :f64, a module with the behaviour Vitrine.Codec, or one of these with its options, got: :jsn; did you mean :json?",
       fn -> Codec.encode(:jsn, 1) end},
      {"a codec's option that is unknown", "unknown option: :max. The options are :max_bytes",
       fn -> Codec.decode({:json, max: 1}, "1") end},
      {"a codec's limit that is a text",
       "expected :max_bytes to be a number of bytes or :infinity, got: \"1\"",
       fn -> Codec.decode({:json, max_bytes: "1"}, "1") end},
      {"a manifest's path that is a number",
       "the manifest's wasm[0].path must be the path of a file, without a NUL byte, got: 7",
       fn -> Manifest.from_path(7) end}
    ]
  end

  defp processes do
    [
      {"a process that is not a plugin",
       "expected a plugin, a server or a pool, got: #PID<…>, which is a process that runs anonymous fn/0 in …",
       fn -> Vitrine.call(start_supervised!({Agent, fn -> nil end}), "run") end},
      {"a pool that is asked for variables",
       "expected a plugin or a server for :vars, got: the pool #PID<…>, whose instances each have a state of their own",
       fn -> Vitrine.vars(start_supervised!({Pool, source: @module, size: 1})) end},
      {"a pool that is upgraded as a server",
       "expected a server for :upgrade, got: the pool #PID<…>; use Vitrine.Pool.upgrade/3",
       fn -> Server.upgrade(start_supervised!({Pool, source: @module, size: 1}), @module) end},
      {"a server that is upgraded as a pool",
       "expected a pool for :upgrade, got: the server #PID<…> of plugin \"p\"; use Vitrine.Server.upgrade/3",
       fn ->
         Pool.upgrade(start_supervised!({Server, source: @module, plugin_name: "p"}), @module)
       end},
      {"a store that is missing",
       "expected :restore_vars to be {module, argument} with a Vitrine.Server.Store, got: {Missing, 1}: Missing is not available",
       fn -> Server.start_link(source: @module, restore_vars: {Missing, 1}) end},
      {"a module that is not a store",
       "expected :restore_vars to be {module, argument} with a Vitrine.Server.Store, got: {String, 1}: String lacks load/1",
       fn -> Server.start_link(source: @module, restore_vars: {String, 1}) end},
      {"a server that is asked as a pool", "expected a pool, got: #PID<…>, which is a server",
       fn -> Pool.info(start_supervised!({Server, source: @module})) end},
      {"a pool that is asked as a server", "expected a server, got: #PID<…>, which is a pool",
       fn -> Server.info(start_supervised!({Pool, source: @module, size: 1})) end},
      {"another process that is asked as a pool",
       "expected a pool, got: #PID<…>, which is a process that runs anonymous fn/0 in …",
       fn -> Pool.info(start_supervised!({Agent, fn -> nil end})) end},
      {"a server without a source", "the option :source is missing",
       fn -> Server.start_link([]) end},
      {"a server that is to do what it cannot on a trap",
       "expected :on_trap to be :reset, :keep or :stop, got: :restart",
       fn -> Server.start_link(source: @module, on_trap: :restart) end},
      {"a server that is to find variables without a name",
       "restore_vars: true finds the variables again by the server's :name, which is missing",
       fn -> Server.start_link(source: @module, restore_vars: true) end},
      {"a server that is to watch what is not a file",
       "expected :watch together with a source that is a file or made of files",
       fn -> Server.start_link(source: @module, watch: true) end},
      {"a server's queue below zero",
       "expected :max_queue to be an integer from 0 on or :infinity, got: -1",
       fn -> Server.start_link(source: @module, max_queue: -1) end},
      {"a pool without a source", "the option :source is missing", fn -> Pool.start_link([]) end},
      {"a pool without instances", "expected :size to be an integer from 1 to 1000000, got: 0",
       fn -> Pool.start_link(source: @module, size: 0) end},
      {"a pool with more idle ones than instances",
       "expected :min_idle to be at most :size, which is 2, got: 3",
       fn -> Pool.start_link(source: @module, size: 2, min_idle: 3) end}
    ]
  end

  defp pages do
    [
      {"HTML without a namespace",
       "the option :namespace is missing: give letters and digits with single hyphens or underscores between them, at most 64",
       fn -> HTML.sanitize("x", []) end},
      {"HTML with a namespace that is not one",
       "expected :namespace to be letters and digits with single hyphens or underscores between them, at most 64, got: \"A b\"",
       fn -> HTML.sanitize("x", namespace: "A b") end},
      {"HTML with an attribute that runs", "the attribute \"onclick\" cannot be allowed",
       fn -> HTML.sanitize("x", namespace: "a", attributes: [{"b", "onclick"}]) end},
      {"HTML with a scheme that runs", "the scheme \"javascript\" cannot be allowed",
       fn -> HTML.sanitize("x", namespace: "a", schemes: ["javascript"]) end},
      {"HTML that is nil", "expected the HTML to be a binary or iodata, got: nil",
       fn -> HTML.sanitize(nil, namespace: "a") end},
      {"a filter without a plugin",
       "the option :plugin is missing: give a pool or a server, a plugin, a compiled one, or a function of a conn",
       fn -> Vitrine.Plug.init([]) end},
      {"a filter that may change what is unknown",
       "unknown option of :change: :pth (did you mean :path?). The options are :assigns, :path, :query, :request_headers, :respond, :response_headers",
       fn -> Vitrine.Plug.init(plugin: :p, change: [:pth]) end},
      {"a filter that is to do what it cannot on an error",
       "expected :on_error to be :open, :closed, {status, body} with a status from 400 to 599, or a function of a conn and an error, got: :ignore",
       fn -> Vitrine.Plug.init(plugin: :p, on_error: :ignore) end}
    ]
  end
end
