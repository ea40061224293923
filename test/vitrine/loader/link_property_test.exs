defmodule Vitrine.Loader.LinkPropertyTest do
  # new/2 refuses what inspect_plugin/2 refuses, and nothing else. The modules import names that are there, names that
  # are there as something else, and names that are not.
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests
  import Vitrine.Property

  alias Vitrine.HostFunction

  @types [
    "(func)",
    "(func (param i64))",
    "(func (param i64) (result i64))",
    "(func (param i64 i64) (result i64))",
    "(func (param i64 i32))",
    "(func (param i32 f64) (result i64))",
    "(func (param i32 i32) (result i32))",
    "(func (result i32))",
    "(func (result i64))",
    "(func (type $open))",
    "(func (type $grouped))",
    "(func (param i32) (result funcref i32))",
    "(func (param anyref))",
    "(memory 1)",
    "(memory 1 2)",
    "(table 1 funcref)",
    "(global i32)",
    "(global (mut i64))",
    "(tag)"
  ]

  @names [
    {"extism:host/user", "add"},
    {"extism:host/user", "greet"},
    {"extism:host/user", "pair"},
    {"extism:host/user", "gone"},
    {"env", "note"},
    {"env", "greet"},
    {"env", "abort"},
    {"env", "memory"},
    {"env", "extism_free"},
    {"env", "extism_alloc"},
    {"env", "extism_gone"},
    {"env", "extism_memory"},
    {"extism:host/env", "alloc"},
    {"extism:host/env", "free"},
    {"extism:host/env", "input_length"},
    {"extism:host/env", "store_u8"},
    {"extism:host/env", "config_get"},
    {"extism:host/env", "log_info"},
    {"extism:host/env", "memory"},
    {"extism:host/env", "gone"},
    {"wasi_snapshot_preview1", "random_get"},
    {"wasi_snapshot_preview1", "sched_yield"},
    {"wasi_snapshot_preview1", "sock_open"},
    {"wasi_unstable", "random_get"},
    {"main", "f"},
    {"main", "g"},
    {"main", "opened"},
    {"main", "odd"},
    {"main", "memory"},
    {"main", "gone"}
  ]

  # Right ones, so that not all modules are refused.
  @right [
    ~S|(import "extism:host/user" "add" (func (param i32 f64) (result i64)))|,
    ~S|(import "extism:host/user" "greet" (func (param i64) (result i64)))|,
    ~S|(import "extism:host/user" "pair" (func (param i64 i64) (result i64)))|,
    ~S|(import "env" "note" (func (param i64)))|,
    ~S|(import "env" "extism_free" (func (param i64)))|,
    ~S|(import "env" "extism_alloc" (func (param i64) (result i64)))|,
    ~S|(import "extism:host/env" "alloc" (func (param i64) (result i64)))|,
    ~S|(import "extism:host/env" "free" (func (param i64)))|,
    ~S|(import "extism:host/env" "input_length" (func (result i64)))|,
    ~S|(import "extism:host/env" "log_info" (func (param i64)))|,
    ~S|(import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))|,
    ~S|(import "main" "f" (func (param i64)))|
  ]

  @bodies [
    "(memory 1)",
    "(memory 20)",
    "(table 3 funcref)",
    "(table 2000 funcref)",
    String.duplicate("(memory 0)", 14),
    String.duplicate("(memory 0)", 16),
    String.duplicate("(table 0 funcref)", 30),
    String.duplicate("(table 0 funcref)", 66),
    ~S|(table $t 1 funcref) (func (export "set") (table.set $t (i32.const 0) (ref.null func)))|,
    ~S|(func (export "run"))|
  ]

  @functions %{
    "f" => ~S|(func (export "f") (param i64))|,
    "g" => ~S|(func (export "g") (result i32) (i32.const 0))|,
    "opened" => ~S|(func (export "opened") (type $open))|,
    "odd" => ~S|(func (export "odd") (param anyref))|,
    "memory" => ~S|(memory (export "memory") 1)|
  }

  defp host do
    [
      HostFunction.new("add", [:i32, :f64], :i64, fn a, _ -> a end),
      HostFunction.new("note", [:binary], nil, &Function.identity/1, namespace: "env"),
      HostFunction.new("alloc", [:i64], :i64, & &1, namespace: "extism:host/env"),
      {"greet", &Function.identity/1},
      {"pair", fn a, _ -> a end}
    ]
  end

  defp wrong do
    {namespace, name} = Enum.random(@names)
    ~s|(import "#{namespace}" "#{name}" #{Enum.random(@types)})|
  end

  defp module do
    imports = list(fn -> Enum.random(@right) end, 4) ++ list(&wrong/0, Enum.random([0, 0, 1, 2]))
    own = for {_name, text} <- @functions, :rand.uniform(3) == 1, do: text
    bodies = list(fn -> Enum.random(@bodies) end, 2) |> Enum.uniq()

    """
    (module (type $open (sub (func (param i64)))) (rec (type $grouped (func (param i64))) (type (struct)))
      #{Enum.shuffle(imports)} #{own} #{bodies})
    """
  end

  defp options do
    Enum.concat([
      [host_functions: Enum.take_random(host(), Enum.random([3, 5, 5, 5]))],
      Enum.random([[], [wasi: true], [wasi: true]]),
      Enum.random([[], [memory: [max_pages: 10]]]),
      Enum.random([[], [limits: [table_elements: 100]]]),
      Enum.random([[], [], [snapshot: true], [snapshot: "run"]]),
      Enum.random([[], [], [requires: [exports: ["run"]]], [requires: [imports: ["env"]]]])
    ])
  end

  test "inspect_plugin/2 refuses what new/2 refuses, and nothing else" do
    verdicts = :counters.new(2, [])

    forall(fn -> {module(), options()} end, 800, fn {text, options} ->
      {:ok, found} = Vitrine.inspect_plugin(text, options)

      case Vitrine.new(text, options) do
        {:ok, plugin} ->
          Vitrine.close(plugin)
          assert found.refused == []
          :counters.add(verdicts, 1, 1)

        {:error, error} ->
          assert found.refused != [], error.message

          assert Enum.any?(found.refused, &told?(error.message, &1)) or
                   error.reason == :out_of_memory

          :counters.add(verdicts, 2, 1)
      end
    end)

    # Both happen often enough to tell something.
    assert :counters.get(verdicts, 1) > 40
    assert :counters.get(verdicts, 2) > 40
  end

  # Behind another sentence it begins with a capital letter.
  defp told?(message, <<_first, rest::binary>>), do: message =~ rest

  test "a module with an untyped function for two arities is refused by both" do
    text = ~S"""
    (module (import "extism:host/user" "greet" (func (param i64) (result i64)))
      (import "extism:host/user" "greet" (func (param i64 i64) (result i64))))
    """

    for function <- [fn a -> a end, fn a, _ -> a end] do
      {:ok, found} = Vitrine.inspect_plugin(text, host_functions: %{"greet" => function})

      assert [
               ~S|the import "extism:host/user"."greet" is declared twice, as (i64) -> (i64) and as | <>
                 "(i64, i64) -> (i64)"
               | _
             ] = found.refused

      assert error!(Vitrine.new(text, host_functions: %{"greet" => function})).message ==
               hd(found.refused)
    end
  end

  test "a host function that stands for one of WASI's must take as many arguments, too" do
    text = ~S|(module (import "wasi_snapshot_preview1" "f" (func (param i64 i64))))|

    function = fn name ->
      %HostFunction{name: name, namespace: "wasi_snapshot_preview1", function: & &1}
    end

    options = [host_functions: [function.("f")]]
    assert [refused] = elem(Vitrine.inspect_plugin(text, options), 1).refused
    assert refused =~ "has 1 argument, and 2 or 3 (with the context) would be right"
    assert error!(Vitrine.new(text, options)).message == refused
  end
end
