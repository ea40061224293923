defmodule Vitrine.Options.NamesTest do
  # Whoever misspells an option, or looks for it in the wrong place, is told which one is meant: everywhere.
  use ExUnit.Case, async: true
  doctest Vitrine.Text.Nearest

  import Vitrine.Guests

  @source ~S|(module (func (export "run")))|

  defp message(call), do: assert_raise(ArgumentError, call).message

  test "each of several unknown options has its own hint" do
    options = [max_pages: 4, size: 2, nonsense: 1]

    assert message(fn -> Vitrine.inspect_plugin({:module, @source}, options) end) =~
             ~r"unknown options: (:\w+( \(it (belongs in|is an option of) [^()]+\))?(, )?){3}\. The options are :allowed_hosts, "
  end

  test "a misspelt option is corrected in the error, wherever options are taken" do
    plugin = new!(@source)
    compiled = Vitrine.compile!(@source)
    server = start_supervised!({Vitrine.Server, source: @source})
    pool = start_supervised!({Vitrine.Pool, source: @source, size: 1})
    function = &Vitrine.HostFunction.new("f", [], nil, fn -> nil end, &1)

    for {call, meant} <- [
          {fn -> Vitrine.new(@source, memroy: []) end, ":memory"},
          {fn -> Vitrine.compile(@source, timeot: 1) end, ":timeout"},
          {fn -> Vitrine.new(compiled, alowed_hosts: []) end, ":allowed_hosts"},
          {fn -> Vitrine.inspect_plugin(@source, requries: []) end, ":requires"},
          {fn -> Vitrine.call(plugin, "run", "", tiemout: 1) end, ":timeout"},
          {fn -> Vitrine.call(server, "run", "", contxt: 1) end, ":context"},
          {fn -> Vitrine.call(pool, "run", "", tiemout: 1) end, ":timeout"},
          {fn -> Vitrine.run(compiled, "run", "", contxt: 1) end, ":context"},
          {fn -> Vitrine.run({:module, @source}, "run", "", contxt: 1) end, ":context"},
          {fn -> Vitrine.trace(plugin, "run", "", max_event: 1) end,
           "max_events: … of Vitrine.trace/4"},
          {fn -> Vitrine.Server.start_link(source: @source, restore_var: true) end,
           ":restore_vars"},
          {fn -> Vitrine.Server.upgrade(server, @source, tiemout: 1) end, ":timeout"},
          {fn -> Vitrine.Pool.start_link(source: @source, max_que: 1) end, ":max_queue"},
          {fn -> Vitrine.Pool.upgrade(pool, @source, var: %{}) end, ":vars"},
          {fn -> Vitrine.Plug.init(plugin: pool, funtion: "f") end, ":function"},
          {fn -> Vitrine.Plug.init(plugin: pool, read: [headrs: []]) end, ":headers"},
          {fn -> Vitrine.Plug.init(plugin: pool, change: [:respnd]) end, ":respond"},
          {fn -> Vitrine.Plug.init(plugin: pool, read: [body: [max_byte: 1]]) end, ":max_bytes"},
          {fn -> Vitrine.LiveView.Options.check!(:board, plugin: pool, viewr: 1) end, ":viewer"},
          {fn -> Vitrine.LiveView.changed(pool, verson: 1) end, ":version"},
          {fn -> Vitrine.HTML.sanitize("", namespace: "p", clases: []) end, ":classes"},
          {fn -> Vitrine.Test.stub(%{}, nam: "x") end, ":name"},
          {fn -> Vitrine.Test.call_host_function(%{}, "f", [], reslts: 1) end, ":results"},
          {fn -> function.(namspace: "env") end, ":namespace"},
          {fn -> Vitrine.Codec.encode({:json, max_byte: 1}, 1) end, ":max_bytes"},
          {fn -> Vitrine.Manifest.from_path("p", hsh: "") end, ":hash"},
          {fn -> Vitrine.HTTP.Client.init(conect_timeout: 1) end, ":connect_timeout"},
          # Inside of other options.
          {fn -> Vitrine.new(@source, memory: [max_page: 1]) end, ":max_pages"},
          {fn -> Vitrine.new(@source, memory: %{max_vars_bytes: 1}) end, ":max_var_bytes"},
          {fn -> Vitrine.new(@source, memory: %{"max_page" => 1}) end, ~s("max_pages")},
          {fn -> Vitrine.new(@source, limits: [output_byte: 1]) end, ":output_bytes"},
          {fn -> Vitrine.new(@source, wasi: [stdot: :log]) end, ":stdout"},
          {fn -> Vitrine.new(@source, requires: [export: []]) end, ":exports"},
          {fn -> Vitrine.new(@source, ceiling: [alowed_paths: []]) end, ":allowed_paths"}
        ] do
      assert message(call) =~ "did you mean #{meant}?"
    end
  end

  test "the error for an option in the wrong place says where it belongs" do
    plugin = new!(@source)

    for {call, place} <- [
          {fn -> Vitrine.new(@source, max_pages: 1) end, "memory: [max_pages: …]"},
          {fn -> Vitrine.new(@source, limits: [max_pages: 1]) end, "memory: [max_pages: …]"},
          {fn -> Vitrine.new(@source, memory: [output_bytes: 1]) end,
           "limits: [output_bytes: …]"},
          {fn -> Vitrine.new(@source, output_bytes: 1) end, "limits: [output_bytes: …]"},
          {fn -> Vitrine.new(@source, env: %{}) end, "wasi: [env: …]"},
          {fn -> Vitrine.new(@source, exports: []) end, "requires: [exports: …]"},
          {fn -> Vitrine.new(@source, timeout_ms: 1) end, "timeout: …"}
        ] do
      assert message(call) =~ "(it belongs in #{place})"
    end

    for {call, owner} <- [
          {fn -> Vitrine.new(@source, as: :json) end, "Vitrine.call/4"},
          {fn -> Vitrine.new(@source, size: 2) end, "Vitrine.Pool"},
          {fn -> Vitrine.new(@source, source: @source) end, "Vitrine.Pool and Vitrine.Server"},
          {fn -> Vitrine.call(plugin, "run", "", host_functions: %{}) end, "Vitrine.new/2"},
          {fn -> Vitrine.call(plugin, "run", "", fuel: 1) end, "Vitrine.new/2"}
        ] do
      assert message(call) =~ "(it is an option of #{owner})"
    end

    assert message(fn -> Vitrine.new(@source, max_page: 1) end) =~
             "did you mean memory: [max_pages: …]?"
  end

  test "every place that the error names takes the option" do
    values = %{
      args: [],
      env: %{},
      exports: [],
      imports: [],
      abi: 1,
      sources: [],
      stdout: :log,
      stderr: :log
    }

    for {inside, name} <- [
          memory: :max_pages,
          memory: :max_http_response_bytes,
          memory: :max_var_bytes,
          limits: :output_bytes,
          limits: :table_elements,
          wasi: :args,
          wasi: :env,
          wasi: :stdout,
          wasi: :stderr,
          requires: :exports,
          requires: :imports,
          requires: :abi,
          ceiling: :sources
        ] do
      assert Vitrine.Options.Names.advice(name, [:colour]) ==
               "it belongs in #{inside}: [#{name}: …]"

      assert Vitrine.Loader.Settings.check!(
               [{inside, [{name, values[name] || 1}]}],
               %Vitrine.Manifest{}
             )
    end
  end

  test "a misspelt value is corrected in the error" do
    pool = start_supervised!({Vitrine.Pool, source: @source, size: 1})

    for {call, meant} <- [
          {fn -> Vitrine.new(@source, scheduler: :drity) end, ":dirty"},
          {fn -> Vitrine.new(@source, log_level: :warn) end, ":warning"},
          {fn -> Vitrine.new(@source, memory_layout: :dens) end, ":dense"},
          {fn -> Vitrine.new(@source, wasi: [stdout: :captur]) end, ":capture"},
          {fn -> Vitrine.new(@source, wasi: [stdout: {:log, :warn}]) end, ":warning"},
          {fn -> Vitrine.call(pool, "run", "", as: :jsn) end, ":json"},
          {fn -> Vitrine.call(pool, "run", "", as: :text) end, ":string"},
          {fn -> Vitrine.call(pool, "run", "", as: {:binary, :json}) end, ":raw"},
          {fn -> Vitrine.HostFunction.new("f", [:jsn], nil, fn _ -> nil end) end, ":json"},
          {fn -> Vitrine.Server.start_link(source: @source, on_trap: :rest) end, ":reset"},
          {fn -> Vitrine.Pool.child_spec(source: @source, restart: :permament) end, ":permanent"},
          {fn -> Vitrine.Plug.init(plugin: pool, on_error: :close) end, ":closed"},
          {fn -> Vitrine.HTML.sanitize("", namespace: "p", events: ["clik"]) end, ~s("click")}
        ] do
      assert message(call) =~ "did you mean #{meant}?"
    end

    assert message(fn -> Vitrine.new(@source, wasi: [stdout: :info]) end) =~
             "a level is written {:log, :info}"
  end

  test "a misspelt key of a manifest is corrected in the error" do
    for {manifest, meant} <- [
          {%{"wasm" => [], "timeout" => 1}, "timeout_ms"},
          {%{"wasm" => [%{"pth" => "p"}]}, "path"},
          {%{"wasm" => [%{"path" => "p"}], "memory" => %{"max-pages" => 1}}, "max_pages"},
          {%{"wasm" => [], "allowedHosts" => []}, "allowed_hosts"}
        ] do
      assert {:error, error} = Vitrine.Manifest.new(manifest)
      assert error.message =~ "; did you mean #{inspect(meant)}?"
    end
  end

  test "a name that is like no other, or very long, has no hint" do
    refute message(fn -> Vitrine.new(@source, colour: 1) end) =~ "mean"
    assert {:error, error} = Vitrine.Manifest.new(%{String.duplicate("timeout", 100_000) => 1})
    assert byte_size(error.message) < 600
    assert Vitrine.Text.Nearest.find(<<255, 254>>, [:timeout]) == nil
    assert Vitrine.Text.Nearest.find(1, [:timeout]) == nil
  end
end
