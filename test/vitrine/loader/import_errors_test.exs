defmodule Vitrine.Loader.ImportErrorsTest do
  # Tests the errors for imports that toolchains leave to a host of their own, and for names that are nearly right.
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  alias Vitrine.HostFunction

  @unknown [
    {"AssemblyScript's abort", ~S|"env" "abort" (func (param i32 i32 i32 i32))|,
     "asc --use abort="},
    {"AssemblyScript's seed", ~S|"env" "seed" (func (result f64))|, "asc --use seed="},
    {"AssemblyScript's trace", ~S|"env" "trace" (func (param i32 i32 f64 f64 f64 f64 f64))|,
     "asc --use trace="},
    {"wasm-bindgen's", ~S|"wbg" "__wbg_log_1" (func (param i32 i32))|, "not wasm-pack"},
    {"wasm-bindgen's placeholder",
     ~S|"__wbindgen_placeholder__" "__wbindgen_throw" (func (param i32 i32))|,
     "it is wasm-bindgen's"},
    {"wasm-bindgen's for bundlers", ~S|"./app_bg.js" "__wbindgen_throw" (func (param i32 i32))|,
     "it is wasm-bindgen's"},
    {"Go's for JavaScript", ~S|"gojs" "runtime.wasmExit" (func (param i32))|, "GOOS=wasip1"},
    {"older Go's for JavaScript", ~S|"go" "runtime.wasmExit" (func (param i32))|, "GOOS=wasip1"},
    {"Emscripten's heap", ~S|"env" "emscripten_resize_heap" (func (param i32) (result i32))|,
     "-sSTANDALONE_WASM"},
    {"Emscripten's system calls",
     ~S|"env" "__syscall_openat" (func (param i32 i32 i32 i32) (result i32))|,
     "-sSTANDALONE_WASM"},
    {"Emscripten's abort", ~S|"env" "abort" (func)|, "-sSTANDALONE_WASM"},
    {"Emscripten's, made small", ~S|"a" "b" (func (param i32))|, "-sSTANDALONE_WASM"},
    {"Emscripten's growth", ~S|"env" "emscripten_notify_memory_growth" (func (param i32))|,
     "-sALLOW_MEMORY_GROWTH"},
    {"Emscripten's exceptions", ~S|"env" "invoke_vi" (func (param i32 i32))|,
     "-fwasm-exceptions -sWASM_LEGACY_EXCEPTIONS=0"},
    {"Javy's", ~S|"javy_quickjs_provider_v3" "eval_bytecode" (func (param i32 i32))|,
     "without -C dynamic"},
    {"old WASI", ~S|"wasi_unstable" "fd_write" (func (param i32 i32 i32 i32) (result i32))|,
     "WASI from before preview 1"},
    {"WASI preview 2", ~S|"wasi:cli/environment@0.2.0" "get-environment" (func (param i32))|,
     "build for wasm32-wasip1"},
    {"WASI's threads", ~S|"wasi" "thread-spawn" (func (param i32) (result i32))|,
     "without -pthread"},
    {"another symbol", ~S|"env" "frobnicate" (func)|, "a symbol that the linker did not find"},
    {"a memory", ~S|"env" "memory" (memory 1)|, "without --import-memory"},
    {"a table", ~S|"env" "__indirect_function_table" (table 1 funcref)|,
     "without --import-table"},
    {"a dynamic library's global", ~S|"env" "__memory_base" (global i32)|, "link statically"},
    {"a dynamic library's table of symbols", ~S|"GOT.mem" "errno" (global (mut i32))|,
     "link statically"},
    {"a tag", ~S|"env" "__cpp_exception" (tag (param i32))|, "the tag of its own"},
    {"the ABI's function in another namespace", ~S|"env" "input_length" (func (result i64))|,
     ~S|the ABI's function of this name is of the namespace "extism:host/env"|},
    {"a function that the ABI nearly has",
     ~S|"extism:host/env" "inputlength" (func (result i64))|, ~S|did you mean "input_length"?|},
    {"WASI where it is not granted",
     ~S|"wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32))|, "give wasi: true"}
  ]

  describe "an import that is unknown is explained:" do
    for {what, import, advice} <- @unknown do
      test what do
        text = "(module (import #{unquote(import)}))"
        error = error!(Vitrine.new(text))
        assert error.reason == :link
        [_, namespace, name] = Regex.run(~r/"(.*?)" "(.*?)"/, unquote(import))
        assert error.message =~ ~s("#{namespace}"."#{name}")
        assert error.message =~ unquote(advice)
        assert [refused] = elem(Vitrine.inspect_plugin(text), 1).refused
        assert refused == error.message
      end
    end
  end

  test "the error does not ask for WASI where it is granted" do
    for name <- ["fd_clse", "sock_open", "nothing_like_it"] do
      text =
        ~s|(module (import "wasi_snapshot_preview1" "#{name}" (func (param i32) (result i32))))|

      message = error!(Vitrine.new(text, wasi: true)).message
      assert message =~ "WASI preview 1 has no such function"
      refute message =~ "wasi: true"
    end

    of_other_type = ~S|(module (import "wasi_snapshot_preview1" "fd_close" (func (param i64))))|

    assert error!(Vitrine.new(of_other_type, wasi: true)).message ==
             ~S|the import "wasi_snapshot_preview1"."fd_close" is declared as (i64) -> (), and WASI's function is | <>
               "(i32) -> (i32)"
  end

  test "the error does not advise to grant WASI for a function that WASI does not have" do
    text =
      ~S|(module (import "wasi_snapshot_preview1" "fd_clse" (func (param i32) (result i32))))|

    message = error!(Vitrine.new(text)).message
    assert message =~ ~S|WASI preview 1 has no such function; did you mean "fd_close"?|
    refute message =~ "wasi: true"
  end

  describe "a host function that is nearly the import's:" do
    defp message(import, functions) do
      text = ~s|(module (import #{import} (func (param i64) (result i64))))|
      error!(Vitrine.new(text, host_functions: functions)).message
    end

    test "of another name" do
      functions = %{"greet_user" => & &1, "charge" => & &1}
      import = ~S|"extism:host/user" "greetUser"|
      assert message(import, functions) =~ ~S|is unknown; did you mean "greet_user"?|
    end

    test "in another namespace" do
      assert message(~S|"env" "greet"|, %{"greet" => & &1}) ==
               ~S|the import "env"."greet" is unknown; a host function of this name is given in the namespace | <>
                 ~S|"extism:host/user": give it with namespace: "env"|

      function = HostFunction.new("greet", [:binary], :binary, & &1, namespace: "env")

      assert message(~S|"extism:host/user" "greet"|, [function]) =~
               ~S|with namespace: "extism:host/user"|
    end
  end

  test "names are shown in one line, and cut" do
    text = ~s|(module (import "a\\0ab" "#{String.duplicate("x", 5_000)}" (func)))|
    message = error!(Vitrine.new(text)).message
    assert message =~ ~S("a\nb"."xxx)
    assert byte_size(message) < 1_000
    refute message =~ "\n"
  end

  test "a module of the plugin that does not export what is imported says so" do
    main = ~S|(module (import "lib" "greet" (func)))|
    lib = ~S|(module (func (export "greets")))|
    manifest = %{wasm: [%{name: "lib", data: lib}, %{name: "main", data: main}]}

    assert error!(Vitrine.new(manifest)).message ==
             ~S|the import "lib"."greet" is unknown; the module "lib" does not export it; did you mean "greets"?|
  end
end
