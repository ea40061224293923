defmodule Vitrine.ErrorTable.Calls do
  @moduledoc "How a call of a plugin ends otherwise than well."

  import Vitrine.ErrorTable.Making
  import Vitrine.Guests, only: [guest!: 1, new!: 2, running!: 2, wat: 1]

  def rows do
    refusals() ++ traps() ++ ends() ++ functions() ++ deadlines() ++ memory() ++ states()
  end

  defp refusals do
    [
      {"a plugin that reports an error", :guest_error, "no such user",
       fn -> run("(result i32) (call $error (call $input)) (i32.const 1)", "no such user") end},
      {"a plugin that returns a code without a text", :guest_error,
       "Returned non-zero exit code: 7", fn -> run("(result i32) (i32.const 7)") end}
    ]
  end

  defp traps do
    [
      {"a panic", :trap, "wasm `unreachable` instruction executed", fn -> run("unreachable") end},
      {"a panic after an error was set", :trap,
       "no such user (wasm `unreachable` instruction executed)",
       fn -> run("(call $error (call $input)) unreachable", "no such user") end},
      {"a panic of Rust", :trap, "wasm `unreachable` instruction executed",
       fn -> Vitrine.call(guest!("rust"), "panic") end},
      {"a recursion without an end", :trap, "call stack exhausted",
       fn -> Vitrine.call(guest!("rust"), "recurse") end},
      {"a division by zero", :trap, "integer divide by zero",
       fn -> run("(drop (i32.div_u (i32.const 1) (i32.const 0)))") end},
      {"a load beyond the memory", :trap, "out of bounds memory access",
       fn -> call(~S|(memory 1) (func (export "run") (drop (i32.load (i32.const 65536))))|) end},
      {"a call through an empty table", :trap, "uninitialized element",
       fn ->
         call(
           ~S|(type $f (func)) (table 1 funcref) (func (export "run") (call_indirect (type $f) (i32.const 0)))|
         )
       end},
      {"a handle that is not one, of the ABI", :trap, "invalid handle offset for log message: 42",
       fn -> run("(call $log (i64.const 42))") end},
      {"a key that is not UTF-8", :trap, "the config key is not valid UTF-8",
       fn -> run("(drop (call $config (call $input)))", <<255>>) end},
      {"an HTTP request that is not JSON", :trap,
       "the HTTP request is not valid: EOF while parsing an object at line 1 column 1",
       fn -> Vitrine.call(new!(wat("http"), allowed_hosts: ["*"]), "get", "{") end},
      {"a start function that traps", :trap, "wasm `unreachable` instruction executed",
       fn -> Vitrine.new("(module (func $f unreachable) (start $f))") end}
    ]
  end

  defp ends do
    exit =
      ~S|(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)|

    [
      {"a plugin that ends itself", :exit, "the plugin exited with code 3",
       fn ->
         call(exit <> ~S|(func (export "run") (call $exit (i32.const 3)))|, "", wasi: true)
       end}
    ]
  end

  defp functions do
    plugin =
      ~S|(module (memory (export "memory") 1) (func (export "greet")) (func (export "add") (param i32 i32))
      (func (export "two") (result i32 i32) unreachable) (func (export "odd") (result f64) unreachable))|

    of = fn name -> Vitrine.call(Vitrine.new!(plugin), name) end

    [
      {"a function of nearly the name", :function_not_found,
       "the plugin has no function \"gret\"; did you mean \"greet\"?", fn -> of.("gret") end},
      {"a function that is not there", :function_not_found,
       "the plugin has no function \"stop\\n\"; its functions are \"greet\"",
       fn -> of.("stop\n") end},
      {"a plugin without functions", :function_not_found,
       "the plugin has no function \"run\"; it exports none that can be called: a plugin function has no parameters, and no result or an i32",
       fn -> Vitrine.call(Vitrine.new!("(module)"), "run") end},
      {"a function with parameters", :function_not_found,
       "the function \"add\" has 2 parameters; a plugin function has no parameters, and no result or an i32",
       fn -> of.("add") end},
      {"a function with two results", :function_not_found,
       "the function \"two\" has 2 results; a plugin function has no parameters, and no result or an i32",
       fn -> of.("two") end},
      {"a function with a float as its result", :function_not_found,
       "the function \"odd\" has the result f64; a plugin function has no parameters, and no result or an i32",
       fn -> of.("odd") end},
      {"a memory that is called", :function_not_found,
       "the export \"memory\" is a memory and not a function", fn -> of.("memory") end},
      {"a function of another module of the plugin", :function_not_found,
       "the plugin has no function \"greet\"; its module \"lib\" has one, and calls go to the module \"main\"",
       fn ->
         manifest = %{
           wasm: [%{name: "lib", data: ~S|(module (func (export "greet")))|}, %{data: "(module)"}]
         }

         Vitrine.call(Vitrine.new!(manifest), "greet")
       end}
    ]
  end

  defp deadlines do
    spin = "(loop (br 0))"
    slow = fn _ -> Process.sleep(100) end
    manifest = %{wasm: [%{data: text(~s|(func (export "run") #{spin})|)}], timeout_ms: 30}

    [
      {"a call that is over its own time", :timeout,
       "the call ran past its deadline: … ms in the guest…30 ms were allowed (timeout: 30 of the call)",
       fn -> run(spin, "", [], timeout: 30) end},
      {"a call that is over the plugin's time", :timeout,
       "the call ran past its deadline: … ms in the guest…30 ms were allowed (timeout: 30 of the plugin)",
       fn -> run(spin, "", timeout: 30) end},
      {"a call that is over the manifest's time", :timeout,
       "the call ran past its deadline: … ms in the guest…30 ms were allowed (timeout_ms: 30 of the manifest)",
       fn -> Vitrine.call(Vitrine.new!(manifest), "run") end},
      {"a call that is over the ceiling's time", :timeout,
       "the call ran past its deadline: … ms in the guest…30 ms were allowed (timeout_ms of the manifest, or what the option ceiling: leaves of it)",
       fn ->
         Vitrine.call(Vitrine.new!(%{manifest | timeout_ms: 30}, ceiling: [timeout: 30]), "run")
       end},
      {"a call that waits for a host function", :timeout,
       "the call ran past its deadline: … ms in the host function \"f\"…30 ms were allowed (timeout: 30 of the call)",
       fn -> ask(slow, "", [], timeout: 30) end},
      {"a call that waits for a host", :timeout,
       "the call ran past its deadline: … ms in requests to \"example.com\"…30 ms were allowed (timeout: 30 of the call)",
       fn ->
         client = {Vitrine.ErrorTable.Client, answer: :late}
         plugin = new!(wat("http"), allowed_hosts: ["example.com"], http: client)
         Vitrine.call(plugin, "get", ~S({"url": "https://example.com/"}), timeout: 30)
       end},
      {"a plugin that is not made in its time", :timeout,
       "the call ran past its deadline: … ms initialising the plugin…30 ms were allowed (timeout: 30 of the plugin)",
       fn -> Vitrine.new("(module (func $f (loop (br 0))) (start $f))", timeout: 30) end},
      {"a call without any time", :timeout,
       "the call ran past its deadline; 0 ms were allowed (timeout: 0 of the call)",
       fn -> run("", "", [], timeout: 0) end},
      {"a call that is cancelled", :cancelled, "the call was cancelled",
       fn ->
         plugin = Vitrine.new!(~S|(module (func (export "run") (loop (br 0))))|)
         task = Task.async(fn -> Vitrine.call(plugin, "run", "", timeout: :infinity) end)
         Vitrine.Guests.eventually(fn -> not Vitrine.Native.plugin_idle(plugin.ref) end)
         Vitrine.cancel(plugin)
         Task.await(task, 60_000)
       end}
    ]
  end

  defp memory do
    grow = ~S|(memory 1) (func (export "run") (drop (memory.grow (i32.const 600))))|

    [
      {"a plugin that grows beyond its memory", :out_of_memory,
       "out of memory: the plugin asks for 39321600 bytes more, and 33554432 bytes are left; the limit is 33554432 bytes (memory: %{max_pages: 512})",
       fn -> call(grow, "", memory: [max_pages: 512]) end},
      {"a plugin that begins with more than its memory", :out_of_memory,
       "out of memory: the plugin asks for 39321600 bytes more, and 33554432 bytes are left; the limit is 33554432 bytes (memory: %{max_pages: 512})",
       fn -> Vitrine.new("(module (memory 600))", memory: [max_pages: 512]) end},
      {"a block of the host that is beyond the memory", :out_of_memory,
       "out of memory: the plugin asks for 99024896 bytes more, and 33554432 bytes are left; the limit is 33554432 bytes (memory: %{max_pages: 512})",
       fn -> run("(drop (call $alloc (i64.const 100000000)))", "", memory: [max_pages: 512]) end},
      {"a table that is too large", :out_of_memory,
       "out of memory: the plugin's tables ask for 11 elements more, and 10 are left; the limit is 10 elements (limits: [table_elements: 10])",
       fn -> Vitrine.new("(module (table 11 funcref))", limits: [table_elements: 10]) end},
      {"a garbage-collected heap that is full", :out_of_memory,
       "the plugin's garbage-collected heap is full: no capacity for allocation of 10000028 bytes; it counts against the limit of 1048576 bytes (memory: %{max_pages: 16}), and has at most 4 GiB",
       fn ->
         Vitrine.new!(
           ~S|(module (type $a (array i8)) (global $g (mut (ref null $a)) (ref.null $a))
           (func (export "run") (global.set $g (array.new_default $a (i32.const 10000000)))))|,
           memory: [max_pages: 16]
         )
         |> Vitrine.call("run")
       end},
      {"fuel that is used up", :fuel,
       "plugin ran out of fuel; the limit is 1000 units (fuel: 1000)",
       fn -> run("(loop (br 0))", "", fuel: 1_000) end},
      {"fuel that is used up while the plugin is made", :fuel,
       "plugin ran out of fuel; the limit is 1000 units for a call (fuel: 1000) and 500 units for the initialisation (init_fuel: 500)",
       fn ->
         Vitrine.new("(module (func $f (loop (br 0))) (start $f))", fuel: 1_000, init_fuel: 500)
       end},
      {"an output that is too large", :output_too_large,
       "the output has 6 bytes; the limit is 5 bytes (limits: [output_bytes: 5])",
       fn ->
         run("(call $output (call $input) (call $length (call $input)))", "123456",
           limits: [output_bytes: 5]
         )
       end},
      {"a variable that does not fit", :trap,
       "Variable store is full: a name of 6 bytes and a value of 6 bytes count as 60 bytes; the limit is 10 bytes (memory: %{max_var_bytes: 10})",
       fn ->
         run("(call $set (call $input) (call $input))", "123456", memory: [max_var_bytes: 10])
       end},
      {"a variable where none are allowed", :trap,
       "Vars are disabled by this host (memory: %{max_var_bytes: 0})",
       fn ->
         run("(call $set (call $input) (call $input))", "123456", memory: [max_var_bytes: 0])
       end},
      {"variables given that do not fit", :vars,
       "Variable store is full: it would be 60 bytes; the limit is 10 bytes (memory: %{max_var_bytes: 10})",
       fn ->
         plugin = Vitrine.new!("(module)", memory: [max_var_bytes: 10])
         Vitrine.put_vars(plugin, %{"name" => "too long"})
       end}
    ]
  end

  defp states do
    [
      {"a plugin that is in a call", :busy,
       "the plugin is in the middle of a call; one instance serves one call at a time",
       fn ->
         plugin = Vitrine.new!(~S|(module (func (export "run") (loop (br 0))))|)
         running!(plugin, "run")
         result = Vitrine.call(plugin, "run")
         Vitrine.close(plugin)
         result
       end},
      {"a plugin that is called from its own host function", :busy,
       "the plugin is in the middle of a call; one instance serves one call at a time",
       fn ->
         function = fn _, plugin -> plugin |> Agent.get(& &1) |> Vitrine.call!("run") end
         {:ok, agent} = Agent.start_link(fn -> nil end)
         text = text(~S|(import "extism:host/user" "f" (func $f (param i64) (result i64)))
           (func (export "run") (drop (call $f (call $input))))|)
         plugin = Vitrine.new!(text, host_functions: %{"f" => function}, context: agent)
         Agent.update(agent, fn _ -> plugin end)
         {:error, error} = Vitrine.call(plugin, "run", "", context: agent)
         {:error, error.exception}
       end},
      {"a plugin that was closed", :closed, "the plugin was closed",
       fn ->
         plugin = Vitrine.new!(~S|(module (func (export "run")))|)
         Vitrine.close(plugin)
         Vitrine.call(plugin, "run")
       end}
    ]
  end
end
