defmodule Vitrine.ErrorTable.Modules do
  @moduledoc "Errors of a module, and of its imports and exports."

  import Vitrine.ErrorTable.Making
  import Vitrine.Guests, only: [wat: 1]

  alias Vitrine.HostFunction

  def rows, do: compiled() ++ efforts() ++ imports() ++ types() ++ contracts() ++ snapshots()

  defp compiled do
    [
      {"a module that is not valid", :compile,
       "the module cannot be compiled: type mismatch: expected i32 but nothing on stack (at offset 0x18)",
       fn -> Vitrine.new("(module (func (result i32)))") end},
      {"a text with a mistake", :compile,
       "the module cannot be compiled: unknown func: failed to find name `$gone` (line 1, column 21)",
       fn -> Vitrine.new("(module (func (call $gone)))") end},
      {"a module that ends early", :compile,
       "the module cannot be compiled: unexpected end-of-file (at offset 0xa)",
       fn -> Vitrine.new(<<0, "asm", 1, 0, 0, 0, 1, 200>>) end},
      {"a library of a plugin that is not valid", :compile,
       "the module \"lib\" cannot be compiled: type mismatch: expected i32 but nothing on stack (at offset 0x18)",
       fn ->
         Vitrine.new(%{
           wasm: [%{name: "lib", data: "(module (func (result i32)))"}, %{data: "(module)"}]
         })
       end},
      {"a module with threads", :compile,
       "the module cannot be compiled: it uses threads (shared memories and atomic instructions), which Vitrine does not support; build it without: Emscripten and wasi-sdk without -pthread; Rust for wasm32-wasip1 instead of wasm32-wasip1-threads, without -C target-feature=+atomics; wasm-ld without --shared-memory",
       fn -> Vitrine.new("(module (memory 1 1 shared))") end},
      {"a module with legacy exceptions", :compile,
       "the module cannot be compiled: it uses legacy exceptions, which Vitrine does not support; build it with those of the standard: Emscripten with -fwasm-exceptions -sWASM_LEGACY_EXCEPTIONS=0; clang with -mllvm -wasm-use-legacy-eh=false; Rust with -C llvm-args=-wasm-use-legacy-eh=false; or translate the module with wasm-opt --translate-to-exnref",
       fn -> Vitrine.new("(module (tag) (func try catch_all end))") end},
      {"a module with pages of another size", :compile,
       "the module cannot be compiled: it uses custom page sizes, which Vitrine does not support; build it with pages of 64 KiB: wasm-ld without --page-size",
       fn -> Vitrine.new("(module (memory 1 (pagesize 1)))") end},
      {"a module with wide arithmetic", :compile,
       "the module cannot be compiled: it uses wide arithmetic, which Vitrine does not support; build it without: clang without -mwide-arithmetic; Rust without -C target-feature=+wide-arithmetic",
       fn ->
         Vitrine.new("(module (func (drop (i64.mul_wide_s (i64.const 0) (i64.const 0))) drop))")
       end}
    ]
  end

  defp efforts do
    [
      {"a module with too many references", :compile,
       "the module cannot be compiled: compiling it would take too long: the module has 60000 references in initialisers; the limit is 2175 for 180030 bytes",
       fn ->
         Vitrine.new(
           "(module (table 60000 externref) (elem (i32.const 0) externref #{times("(ref.null extern) ", 60_000)}))"
         )
       end},
      {"a module with too many data segments", :compile,
       "the module cannot be compiled: compiling it would take too long: the module has 49000 data segments; the limit is 14188 for 294020 bytes",
       fn -> Vitrine.new("(module (memory 1) #{times(~S|(data (i32.const 7) "a")|, 49_000)})") end},
      {"a module with conditions within each other", :compile,
       "the module cannot be compiled: compiling it would take too long: function 0 has 10563906 results of blocks within each other; the limit is 10560064 for 160004 bytes of code",
       fn ->
         body =
           times("local.get 0 if (result i32) ", 20_000) <>
             "i32.const 1 " <> times("else i32.const 0 end ", 20_000)

         Vitrine.new("(module (func (param i32) (result i32) #{body}))")
       end},
      {"a text whose labels are far away", :compile,
       "the module cannot be compiled: reading it would take too long: the text has 4050135000 blocks around the labels that it names; the limit is 123040480 for 1440030 bytes of text",
       fn ->
         Vitrine.new(
           "(module (func block $o #{times("block ", 90_000)} #{times("br $o end ", 90_000)} end))"
         )
       end}
    ]
  end

  defp imports do
    unknown = fn import, options -> Vitrine.new("(module (import #{import}))", options) end
    user = ~S|"extism:host/user" "greetUser" (func (param i64) (result i64))|

    [
      {"an import that is unknown", :link,
       "the import \"app\".\"charge\" is unknown; is a host function missing from host_functions?",
       fn -> unknown.(~S|"app" "charge" (func)|, []) end},
      {"many imports that are unknown", :link,
       "the imports \"app\".\"f1\", \"app\".\"f2\", \"app\".\"f3\", \"app\".\"f4\", \"app\".\"f5\", \"app\".\"f6\", \"app\".\"f7\", \"app\".\"f8\", \"app\".\"f9\", \"app\".\"f10\" and 2 more are unknown; is a host function missing from host_functions?",
       fn -> Vitrine.new("(module #{for n <- 1..12, do: ~s|(import "app" "f#{n}" (func))|})") end},
      {"an import of a symbol that the linker did not find", :link,
       "the import \"env\".\"frobnicate\" is unknown; is a host function missing from host_functions? If it is not to be one, it is a symbol that the linker did not find and was told to allow (--allow-undefined)",
       fn -> unknown.(~S|"env" "frobnicate" (func)|, []) end},
      {"an import of AssemblyScript", :link,
       "the import \"env\".\"abort\" is unknown; it is AssemblyScript's: build with asc --use abort= (or with a function of the plugin's own: --use abort=assembly/index/abort)",
       fn -> unknown.(~S|"env" "abort" (func (param i32 i32 i32 i32))|, []) end},
      {"an import of wasm-bindgen", :link,
       "the import \"wbg\".\"__wbg_log_1\" is unknown; it is wasm-bindgen's, for JavaScript: build with cargo build --target wasm32-wasip1 or wasm32-unknown-unknown (not wasm-pack), without the features of dependencies that use JavaScript (getrandom's js and wasm_js, chrono's wasmbind, uuid's js)",
       fn -> unknown.(~S|"wbg" "__wbg_log_1" (func (param i32 i32))|, []) end},
      {"an import of Go for JavaScript", :link,
       "the import \"gojs\".\"runtime.wasmExit\" is unknown; it is Go's, for JavaScript: build with GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared, or tinygo build -target wasip1 -buildmode=c-shared",
       fn -> unknown.(~S|"gojs" "runtime.wasmExit" (func (param i32))|, []) end},
      {"an import of Emscripten", :link,
       "the import \"env\".\"emscripten_resize_heap\" is unknown; it is of Emscripten's JavaScript: build with emcc -sSTANDALONE_WASM --no-entry, or with wasi-sdk",
       fn -> unknown.(~S|"env" "emscripten_resize_heap" (func (param i32) (result i32))|, []) end},
      {"an import of Javy", :link,
       "the import \"javy_quickjs_provider_v3\".\"eval_bytecode\" is unknown; it is of a Javy module that is linked dynamically: build with javy build without -C dynamic, or give the engine's module under this name in the manifest",
       fn ->
         unknown.(~S|"javy_quickjs_provider_v3" "eval_bytecode" (func (param i32 i32))|, [])
       end},
      {"an import of old WASI", :link,
       "the import \"wasi_unstable\".\"fd_write\" is unknown; it is WASI from before preview 1: build with a toolchain of 2020 or later, for wasm32-wasip1",
       fn ->
         unknown.(~S|"wasi_unstable" "fd_write" (func (param i32 i32 i32 i32) (result i32))|, [])
       end},
      {"an import of WASI preview 2", :link,
       "the import \"wasi:cli/environment@0.2.0\".\"get-environment\" is unknown; it is of WASI preview 2 or later, which components have: build for wasm32-wasip1",
       fn ->
         unknown.(~S|"wasi:cli/environment@0.2.0" "get-environment" (func (param i32))|, [])
       end},
      {"an import of WASI that is not granted", :link,
       "the import \"wasi_snapshot_preview1\".\"fd_close\" is unknown; the plugin needs WASI, which is not granted: give wasi: true",
       fn ->
         unknown.(~S|"wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32))|, [])
       end},
      {"an import that WASI does not have", :link,
       "the import \"wasi_snapshot_preview1\".\"fd_clse\" is unknown; WASI preview 1 has no such function; did you mean \"fd_close\"?",
       fn ->
         unknown.(~S|"wasi_snapshot_preview1" "fd_clse" (func (param i32) (result i32))|,
           wasi: true
         )
       end},
      {"an import of sockets", :link,
       "the import \"wasi_snapshot_preview1\".\"sock_open\" is unknown; WASI preview 1 has no such function; it opens sockets by another host's extension of WASI; Vitrine gives no sockets",
       fn ->
         unknown.(~S|"wasi_snapshot_preview1" "sock_open" (func (param i32) (result i32))|,
           wasi: true
         )
       end},
      {"an import that the ABI does not have", :link,
       "the import \"extism:host/env\".\"inputlength\" is unknown; this version of the Extism ABI has no such function; did you mean \"input_length\"?",
       fn -> unknown.(~S|"extism:host/env" "inputlength" (func (result i64))|, []) end},
      {"an import of the ABI in another namespace", :link,
       "the import \"env\".\"input_length\" is unknown; the ABI's function of this name is of the namespace \"extism:host/env\"",
       fn -> unknown.(~S|"env" "input_length" (func (result i64))|, []) end},
      {"a host function of nearly the name", :link,
       "the import \"extism:host/user\".\"greetUser\" is unknown; did you mean \"greet_user\"?",
       fn -> unknown.(user, host_functions: %{"greet_user" => & &1}) end},
      {"a host function of another namespace", :link,
       "the import \"env\".\"greet\" is unknown; a host function of this name is given in the namespace \"extism:host/user\": give it with namespace: \"env\"",
       fn ->
         unknown.(~S|"env" "greet" (func (param i64) (result i64))|,
           host_functions: %{"greet" => & &1}
         )
       end},
      {"an import with a line feed in its name", :link,
       "the import \"a\".\"b\\nc\" is unknown; is a host function missing from host_functions?",
       fn -> unknown.(~S|"a" "b\0ac" (func)|, []) end},
      {"a memory that is imported", :link,
       "the import \"env\".\"memory\" (a memory) is unknown; the host gives functions only: build the plugin with a memory of its own (wasm-ld, Rust and Zig: without --import-memory; Emscripten: -sIMPORTED_MEMORY=0; AssemblyScript: without --importMemory), or give a module of the name \"env\" that exports it",
       fn -> unknown.(~S|"env" "memory" (memory 1)|, []) end},
      {"a table that is imported", :link,
       "the import \"env\".\"__indirect_function_table\" (a table) is unknown; the host gives functions only: build the plugin with a table of its own (wasm-ld: without --import-table; AssemblyScript: without --importTable), or give a module of the name \"env\" that exports it",
       fn -> unknown.(~S|"env" "__indirect_function_table" (table 1 funcref)|, []) end},
      {"a global that is imported", :link,
       "the import \"env\".\"base\" (a global) is unknown; the host gives functions only: build the plugin with a value of its own, or give a module of the name \"env\" that exports it",
       fn -> unknown.(~S|"env" "base" (global i32)|, []) end},
      {"a global of a dynamic library", :link,
       "the import \"env\".\"__memory_base\" (a global) is unknown; it is of a dynamic library: link statically (without -shared, -sSIDE_MODULE and -fPIC)",
       fn -> unknown.(~S|"env" "__memory_base" (global i32)|, []) end},
      {"a tag that is imported", :link,
       "the import \"env\".\"__cpp_exception\" (a tag) is unknown; the host gives functions only: build the plugin with the tag of its own (as a whole program, not as a dynamic library), or give a module of the name \"env\" that exports it",
       fn -> unknown.(~S|"env" "__cpp_exception" (tag (param i32))|, []) end},
      {"a function that another module does not export", :link,
       "the import \"lib\".\"greet\" is unknown; the module \"lib\" does not export it; did you mean \"greets\"?",
       fn ->
         modules(
           ~S|(module (import "lib" "greet" (func)))|,
           ~S|(module (func (export "greets")))|
         )
       end}
    ]
  end

  defp types do
    unknown = fn import, options -> Vitrine.new("(module (import #{import}))", options) end

    [
      {"a function of the ABI of another type", :link,
       "the import \"extism:host/env\".\"free\" is declared as () -> (), and the ABI's function is (i64) -> ()",
       fn -> unknown.(~S|"extism:host/env" "free" (func)|, []) end},
      {"a function of WASI of another type", :link,
       "the import \"wasi_snapshot_preview1\".\"fd_close\" is declared as (i64) -> (), and WASI's function is (i32) -> (i32)",
       fn -> unknown.(~S|"wasi_snapshot_preview1" "fd_close" (func (param i64))|, wasi: true) end},
      {"a host function of another type", :link,
       "the import \"extism:host/user\".\"f\" is declared as (i64) -> (i32), and the host function is (i32) -> (i32)",
       fn ->
         function = HostFunction.new("f", [:i32], :i32, & &1)

         unknown.(~S|"extism:host/user" "f" (func (param i64) (result i32))|,
           host_functions: [function]
         )
       end},
      {"a host function whose import has numbers", :link,
       "the import \"extism:host/user\".\"f\" is declared as (i32) -> (i32), and the host function is (i64) -> (i64); declare its types with Vitrine.HostFunction.new/5",
       fn ->
         unknown.(~S|"extism:host/user" "f" (func (param i32) (result i32))|,
           host_functions: %{"f" => & &1}
         )
       end},
      {"a host function that takes too few arguments", :link,
       "the plugin imports the host function \"f\" with 3 parameters; its function has 1 argument, and 3 or 4 (with the context) would be right",
       fn ->
         unknown.(~S|"extism:host/user" "f" (func (param i64 i64 i64))|,
           host_functions: %{"f" => & &1}
         )
       end},
      {"a host function that is imported as a memory", :link,
       "the import \"extism:host/user\".\"f\" is declared as a memory, and the host function of that name is a function",
       fn -> unknown.(~S|"extism:host/user" "f" (memory 1)|, host_functions: %{"f" => & &1}) end},
      {"one import of two types", :link,
       "the import \"extism:host/user\".\"f\" is declared twice, as (i64) -> () and as (i64, i64) -> ()",
       fn ->
         Vitrine.new(
           ~S|(module (import "extism:host/user" "f" (func (param i64))) (import "extism:host/user" "f" (func (param i64 i64))))|,
           host_functions: %{"f" => & &1}
         )
       end},
      {"a function of another type in another module", :link,
       "the import \"lib\".\"f\" is declared as () -> (), and the function of the module \"lib\" is (i32) -> ()",
       fn ->
         modules(
           ~S|(module (import "lib" "f" (func)))|,
           ~S|(module (func (export "f") (param i32)))|
         )
       end},
      {"a memory of another module that is a function", :link,
       "the import \"lib\".\"f\" is declared as a memory, and the module \"lib\" exports a function of that name",
       fn ->
         modules(~S|(module (import "lib" "f" (memory 1)))|, ~S|(module (func (export "f")))|)
       end},
      {"a memory of another module that is too small", :link,
       "the module \"main\" cannot be instantiated: incompatible import type for `lib::m`: memory types incompatible: expected memory limits (min: 2, max: none) doesn't match provided memory limits (min: 1, max: none)",
       fn ->
         modules(~S|(module (import "lib" "m" (memory 2)))|, ~S|(module (memory (export "m") 1))|)
       end},
      {"memories that are imported in a circle", :link,
       "the modules import memories, tables, globals or tags in a circle: lib -> main -> lib; only functions can be imported in a circle",
       fn ->
         circle = &~s|(module (import "#{&1}" "m" (memory 1)) (export "m" (memory 0)))|
         modules(circle.("lib"), circle.("main"))
       end},
      {"a module with too many memories", :link, "the module has 16 memories; the limit is 15",
       fn -> Vitrine.new("(module #{times("(memory 0)", 16)})") end},
      {"a plugin of too many modules", :link, "the plugin has 300 modules; the limit is 32",
       fn -> Vitrine.new(%{wasm: for(n <- 1..300, do: %{name: "m#{n}", data: "(module)"})}) end}
    ]
  end

  defp contracts do
    [
      {"a plugin that lacks a function of its contract", :contract,
       "the plugin does not keep its contract: it lacks the plugin functions \"on_message\" (did you mean \"on_mesage\"?), \"stop\"",
       fn ->
         Vitrine.new(~S|(module (func (export "on_mesage")))|,
           requires: [exports: ["on_message", "stop"]]
         )
       end},
      {"a plugin that imports what its contract forbids", :contract,
       "the plugin does not keep its contract: it imports what it must not: \"extism:host/user\".\"charge\"",
       fn ->
         Vitrine.new(~S|(module (import "extism:host/user" "charge" (func (param i64))))|,
           host_functions: %{"charge" => & &1},
           requires: [imports: []]
         )
       end},
      {"a plugin of another ABI than its contract's", :contract,
       "the plugin does not keep its contract: it uses version 0 of the ABI, expected 1",
       fn -> Vitrine.new(wat("old_abi"), requires: [abi: 1]) end}
    ]
  end

  defp snapshots do
    snapshot = fn text, function -> Vitrine.compile("(module #{text})", snapshot: function) end

    [
      {"a snapshot of a plugin of two modules", :snapshot,
       "no snapshot can be taken of the plugin: it has 2 modules, and a snapshot needs a plugin of one module",
       fn ->
         Vitrine.compile(%{wasm: [%{name: "lib", data: "(module)"}, %{data: "(module)"}]},
           snapshot: true
         )
       end},
      {"a snapshot of a plugin that changes tables", :snapshot,
       "no snapshot can be taken of the plugin: its code has the instruction table.set, and changes of tables are not kept",
       fn ->
         snapshot.("(table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))", true)
       end},
      {"a snapshot after a function that is not there", :function_not_found,
       "the plugin has no function \"setup\"; did you mean \"set_up\"?",
       fn -> snapshot.(~S|(func (export "set_up"))|, "setup") end},
      {"a snapshot of a plugin that ends itself", :snapshot,
       "no snapshot can be taken of the plugin: no instance is left: its initialisation ended it",
       fn ->
         Vitrine.compile(
           ~S|(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
             (memory (export "memory") 1) (func (export "set_up") (call $exit (i32.const 0))))|,
           wasi: true,
           snapshot: "set_up"
         )
       end},
      {"a snapshot of a plugin that has a file open", :snapshot,
       "no snapshot can be taken of the plugin: its initialisation left a file or a directory open",
       fn ->
         Vitrine.compile(
           ~S|(module (import "wasi_snapshot_preview1" "path_open"
               (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
             (memory (export "memory") 1) (data (i32.const 0) "f")
             (func (export "set_up") (drop (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1)
               (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 8)))))|,
           wasi: true,
           allowed_paths: %{Path.dirname(file("text", "f")) => "/"},
           snapshot: "set_up"
         )
       end},
      {"a snapshot of more memory than its limit", :out_of_memory,
       "the initialised plugin has 262144 bytes of memory; the limit is 196608 bytes (memory: %{max_pages: 3})",
       fn ->
         Vitrine.compile(
           ~S|(module (memory 2) (func (export "_initialize") (drop (memory.grow (i32.const 2)))))|,
           snapshot: true,
           memory: [max_pages: 3]
         )
       end}
    ]
  end

  defp modules(main, lib),
    do: Vitrine.new(%{wasm: [%{name: "lib", data: lib}, %{name: "main", data: main}]})

  defp times(text, count), do: String.duplicate(text, count)
end
