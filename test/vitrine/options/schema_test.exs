defmodule Vitrine.Options.SchemaTest do
  # Of each table of options: its options are in the docs, its defaults hold, and what is not in it or is wrong raises.
  use ExUnit.Case, async: true

  alias Vitrine.{HTML, HTTP, LiveView, Manifest, Pool, Server}
  alias Vitrine.Loader.Settings
  alias Vitrine.Manifest.Check
  alias Vitrine.Options.{Docs, Names, Schema, Tables, Type}
  alias Vitrine.Options.Tables.Inside

  @module ~S|(module (func (export "run")))|

  # No option takes it.
  @wrong {:neither, "one", ~c"nor the other"}

  # By the name of a table: the table, what checks it, and the options that it needs.
  defp owner(:plugin), do: {Tables.Plugin.schema(), &plugin/1, []}
  defp owner(:call), do: {Tables.Call.schema(), &call/1, []}
  defp owner(:pool), do: {Tables.Pool.schema(), &Pool.Options.new!/1, source: @module}
  defp owner(:server), do: {Tables.Server.schema(), &Server.Options.start!/1, source: @module}
  defp owner(:plug), do: {Tables.Plug.schema(), &Vitrine.Plug.init/1, plugin: :filter}
  defp owner(:live_view), do: {Tables.LiveView.schema(), &live_view/1, plugin: :game}
  defp owner(:html), do: {Tables.HTML.schema(), &HTML.Options.policy!/1, namespace: "game"}
  defp owner(:http_client), do: {Tables.HTTPClient.schema(), &HTTP.Client.init/1, []}
  defp owner(:stub), do: {Tables.Test.stub(), &Vitrine.Test.stub(%{"f" => fn -> "" end}, &1), []}
  defp owner(:host_function), do: {Tables.Test.host_function(), &call_host_function/1, []}
  defp owner(:read), do: {Tables.Plug.read(), &plug(read: &1), []}
  defp owner(:body), do: {Tables.Plug.body(), &plug(read: [body: &1]), max_bytes: 1}
  defp owner(:change), do: {Tables.Plug.change(), &plug(change: &1), []}
  defp owner(:directory_limit), do: {Inside.directory_limit(), &directory_limit/1, []}
  defp owner(inside), do: {inside(inside), &plugin([{inside, &1}]), []}

  defp inside(option), do: Schema.fetch!(Tables.Plugin.schema(), option).keys

  defp plugin(options), do: Settings.check!(options, %Manifest{})

  defp call_host_function(options),
    do: Vitrine.Test.call_host_function(%{"f" => fn -> "" end}, "f", [], options)

  defp call(options), do: Vitrine.call(Vitrine.new!(@module), "run", "", options)

  defp directory_limit(options) do
    plugin(wasi: [directory_limits: %{"/a" => options}], allowed_paths: %{"/tmp" => "/a"})
  end

  defp plug(options), do: Vitrine.Plug.init([plugin: :filter] ++ options)
  defp live_view(options), do: LiveView.Options.check!(:board, options)

  @tables [:plugin, :call, :pool, :server, :plug, :live_view, :html, :http_client] ++
            [:stub, :host_function] ++
            [
              :read,
              :body,
              :change,
              :memory,
              :limits,
              :requires,
              :wasi,
              :ceiling,
              :directory_limit
            ]

  # The modules and functions that document each table.
  @docs %{
    plugin: {Vitrine, :new},
    call: {Vitrine, :call},
    pool: {Pool, :start_link},
    server: {Server, :start_link},
    plug: Vitrine.Plug,
    live_view: {LiveView, :attach},
    html: HTML,
    http_client: HTTP.Client,
    stub: {Vitrine.Test, :stub},
    host_function: {Vitrine.Test, :call_host_function},
    read: Vitrine.Plug,
    body: Vitrine.Plug,
    change: Vitrine.Plug,
    memory: {Vitrine, :new},
    limits: {Vitrine, :new},
    requires: {Vitrine, :new},
    wasi: Vitrine.Wasi,
    ceiling: Manifest,
    directory_limit: Vitrine.Wasi
  }

  # Options that accept any value, options that OTP checks, and the source, which is checked when it is loaded.
  @unchecked [:source, :context, :viewer, :id, :pubsub, :hibernate_after, :spawn_opt, :debug]

  for table <- @tables do
    describe "the table #{inspect(table)}:" do
      test "the docs list each option with its default" do
        {schema, _check, _needed} = owner(unquote(table))
        docs = docs(@docs[unquote(table)])

        for option <- schema.options do
          assert [_, text] =
                   Regex.run(~r/^ *\* `#{inspect(option.name)}`(.*?)(?=^ *\* `:|^#|\z)/ms, docs),
                 "#{inspect(option.name)} is missing"

          assert text =~ stated(option)
        end
      end

      test "a default that the docs state is the one that holds" do
        {schema, check, needed} = owner(unquote(table))

        for option <- schema.options, not option.required, option.default != nil do
          assert {option.name, check.([{option.name, option.default} | needed])} ==
                   {option.name, check.(needed)}
        end
      end

      test "an option that is wrong raises, and the error names it" do
        {schema, check, needed} = owner(unquote(table))

        for %{name: name, type: type} <- schema.options, name not in @unchecked do
          assert type != :any
          options = Keyword.put(needed, name, @wrong)

          error =
            assert_raise ArgumentError, fn -> check!(unquote(table), name, check, options) end

          assert error.message =~ named(unquote(table), name)
        end
      end

      test "an option that is not in it raises, and the nearest one is named" do
        {schema, check, needed} = owner(unquote(table))

        for name <- Schema.names(schema), wrong = misspelt(name) do
          error = assert_raise ArgumentError, fn -> check.([{wrong, 1} | needed]) end
          assert error.message =~ "#{inspect(wrong)} (did you mean #{inspect(name)}?)"
          known = schema |> Schema.names() |> Enum.sort()
          for name <- known, do: assert(error.message =~ inspect(name))
        end
      end

      test "an option that is needed and missing is named" do
        {schema, check, needed} = owner(unquote(table))

        for %{name: name, required: true} <- schema.options do
          assert_raise ArgumentError,
                       ~r/\Athe option #{inspect(name)}( of :\w+)? is missing/,
                       fn ->
                         check.(Keyword.delete(needed, name))
                       end
        end
      end
    end
  end

  # The names of processes are checked by GenServer, where they are started.
  defp check!(:pool, :name, _check, options), do: Pool.start_link(options)
  defp check!(:server, :name, _check, options), do: Server.start_link(options)
  defp check!(_table, _name, check, options), do: check.(options)

  defp named(_processes, :plugin_name), do: ":name"
  defp named(:pool, :vars), do: "variables"
  defp named(_calls, :as), do: "codec"
  defp named(_table, name), do: Atom.to_string(name)

  defp misspelt(name), do: :"#{name}x"

  defp stated(%{required: true}), do: "Required."
  defp stated(%{default_doc: nil} = row), do: "Default: #{Docs.value(row.default, row.type)}."
  defp stated(%{default_doc: default}), do: "Default: #{default}."

  defp docs({module, function}) do
    {:docs_v1, _, _, _, _, _, functions} = Code.fetch_docs(module)

    Enum.find_value(functions, fn
      {{:function, ^function, _arity}, _, _, %{"en" => docs}, _} -> docs
      _other -> nil
    end)
  end

  defp docs(module) do
    {:docs_v1, _, _, _, %{"en" => docs}, _, _} = Code.fetch_docs(module)
    docs
  end

  describe "a default that the docs state in words" do
    test "is that of a plugin: the manifest's, or else a number" do
      settings = plugin([])
      assert {settings.timeout, settings.compile.fuse} == {5_000, true}
      assert settings.memory == Inside.memory().defaults
      assert settings.memory == Check.default_memory()
      assert Settings.check!([], %Manifest{timeout_ms: 7}).timeout == 7
      assert plugin(fuel: 5).fuel == {5, 5}
      assert {settings.fuel, settings.coredump, settings.requires} == {nil, nil, nil}
      assert Tables.Plugin.timeout() == Schema.default(Inside.ceiling(), :timeout)
      assert Tables.Plugin.download_timeout() == Vitrine.Loader.Download.default_timeout()
    end

    test "is that of a pool: of the number of schedulers" do
      schedulers = System.schedulers_online()
      options = Pool.Options.new!(source: @module)
      assert {options.size, options.partitions} == {2 * schedulers, schedulers}
      assert Pool.Options.new!(source: @module, size: 2).partitions == 1
      assert %{id: Pool, restart: :permanent} = Pool.child_spec(source: @module)
      assert %{id: :p} = Pool.child_spec(source: @module, name: :p)
    end

    test "is that of a server: of a child specification" do
      assert %{id: Server, restart: :permanent} = Server.child_spec(source: @module)
    end

    test "is that of a view: of its name" do
      assert %{namespace: "board", topic: nil} = live_view(plugin: :game)
      assert %{topic: "vitrine::game"} = live_view(plugin: :game, pubsub: PubSub)
    end
  end

  describe "a table" do
    test "is refused if a row says no default" do
      row = [type: :any, doc: "It has none."]
      assert_raise ArgumentError, ~r/:colour/, fn -> Schema.new([{nil, [colour: row]}]) end
    end

    test "becomes a list with headings, types, units and defaults" do
      schema =
        Schema.new([
          {"First", [a: [type: :boolean, default: false, doc: "One."]]},
          {"Second",
           [
             b: [type: {:integer, 0, unit: "bytes"}, default: 2_097_152, doc: "Two\nlines."],
             c: [type: Type.timeout(), default: 60_000, doc: "Three."]
           ]}
        ])

      assert Docs.markdown(schema) == """
             ### First

               * `:a` (`true` or `false`) - One. Default: `false`.

             ### Second

               * `:b` (bytes) - Two
                 lines. Default: `2_097_152` (2 MiB).
               * `:c` (milliseconds or `:infinity`) - Three. Default: `60_000`.
             """
    end
  end

  test "a secret is not shown where a keyword list is expected" do
    error = assert_raise ArgumentError, fn -> HTTP.Client.init(ssl: %{password: "secret"}) end

    assert error.message ==
             "expected :ssl to be a keyword list, got: a map with the keys [:password]"
  end

  test "an option of each table is found from elsewhere" do
    for {name, advice} <- [
          min_idle: "it is an option of Vitrine.Pool",
          hibernate_after: "it is an option of Vitrine.Server",
          shutdown: "it is an option of Vitrine.Pool and Vitrine.Server",
          coredump: "it is an option of Vitrine.new/2",
          directory_limits: "it belongs in wasi: [directory_limits: …]",
          as: "it is an option of Vitrine.call/4"
        ] do
      assert Names.advice(name, [:colour]) == advice
    end
  end
end
