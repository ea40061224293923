defmodule Vitrine.Call.FuelTest do
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  # Eight units in a turn.
  @turns 100_000
  @least 8 * @turns
  # The most fuel that may be counted in excess.
  @part 100_000

  @loop "(local.set 0 (i32.const 0)) " <>
          "(loop (local.set 0 (i32.add (local.get 0) (i32.const 1))) " <>
          "(br_if 0 (i32.lt_u (local.get 0) (i32.const #{@turns}))))"

  # Each way in which code can end without telling what it used.
  @traps [
    division: "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
    overflow: "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))",
    conversion: "(drop (i32.trunc_f32_s (f32.const nan)))",
    load: "(drop (i32.load (i32.mul (local.get 0) (i32.const 10000))))",
    store: "(i32.store (i32.const -1) (i32.const 0))",
    table: "(drop (table.get 0 (i32.const 9)))",
    indirect: "(call_indirect (type $t) (i32.const 9))",
    null: "(call_indirect (type $t) (i32.const 0))",
    signature: "(call_indirect (type $other) (i64.const 0) (i32.const 1))",
    reference: "(drop (ref.as_non_null (ref.null func)))",
    recursion: "(call $deep)",
    bulk: "(memory.fill (i32.const -1) (i32.const 0) (i32.const 9))",
    cast: "(drop (ref.cast (ref i31) (ref.null any)))",
    exception: "(throw $tag)",
    growth: "(drop (memory.grow (i32.const 100)))"
  ]

  @functions Enum.map_join(@traps, "\n", fn {name, trap} ->
               "(func (export \"#{name}\") (local i32) #{@loop} #{trap})"
             end)

  @plugin """
  (module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "extism:host/user" "wait" (func $wait (param i64) (result i64)))
    (type $t (func)) (type $other (func (param i64)))
    (memory (export "memory") 1) (table 2 funcref) (elem (i32.const 1) $nothing) (tag $tag)
    (func $nothing)
    (func $deep (call $deep))
    #{@functions}
    (func (export "returns") (local i32) #{@loop})
    (func (export "unreachable") (local i32) #{@loop} unreachable)
    (func (export "exit") (local i32) #{@loop} (call $exit (i32.const 3)))
    (func (export "endless") (loop (br 0)))
    (func (export "sleep") (local i32) #{@loop}
      (i64.store (i32.const 24) (i64.const 60000000000))
      (drop (call $poll (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200))))
    (func (export "wait") (local i32) #{@loop} (drop (call $wait (i64.const 0)))))
  """

  setup_all do
    {:ok, compiled} = Vitrine.compile(@plugin, [wasi: true, fuel: 1] ++ waiting())
    {:ok, compiled: compiled}
  end

  defp plugin(compiled, options \\ []) do
    limits = [fuel: 1_000_000_000, memory: [max_pages: 10]]
    new!(compiled, Keyword.merge(limits, options) ++ waiting())
  end

  defp waiting, do: [host_functions: %{"wait" => fn _ -> Process.sleep(:infinity) end}]

  defp used(plugin) do
    used = Vitrine.fuel_used(plugin)
    assert Vitrine.stats(plugin).fuel == used
    used
  end

  test "fuel used is exact when a call returns, exits or ends with unreachable", ctx do
    for function <- ~w(returns exit unreachable) do
      plugin = plugin(ctx.compiled)
      Vitrine.call(plugin, function)
      assert used(plugin) in @least..(@least + 100), function
    end
  end

  for {name, _trap} <- @traps do
    test "fuel used is not underestimated when a call ends with a trap: #{name}", ctx do
      plugin = plugin(ctx.compiled)
      assert {:error, error} = Vitrine.call(plugin, unquote(to_string(name)))
      assert error.reason in [:trap, :out_of_memory]
      # A recursion goes as deep as the stack.
      depth = if unquote(name) == :recursion, do: 200_000, else: 100
      assert used(plugin) in @least..(@least + @part + depth)
    end
  end

  test "fuel used is not underestimated when a call times out", ctx do
    plugin = plugin(ctx.compiled)
    assert reason(Vitrine.call(plugin, "endless", "", timeout: 200)) == :timeout
    # A processor that does less than 1 of 100 turns in a microsecond would be slow.
    assert used(plugin) > 1_000_000
  end

  test "fuel used is counted when a call is cancelled", ctx do
    plugin = plugin(ctx.compiled)
    task = Task.async(fn -> Vitrine.call(plugin, "endless", "", timeout: :infinity) end)
    eventually(fn -> Vitrine.stats(plugin).slices > 2 end)
    Process.sleep(200)
    Vitrine.cancel(plugin)
    assert reason(Task.await(task, 60_000)) == :cancelled
    assert used(plugin) > 1_000_000
  end

  test "fuel used is counted when a call ends while it sleeps", ctx do
    plugin = plugin(ctx.compiled)
    assert reason(Vitrine.call(plugin, "sleep", "", timeout: 200)) == :timeout
    assert used(plugin) in @least..(@least + @part + 100)
  end

  test "fuel used is counted when the caller dies", ctx do
    plugin = plugin(ctx.compiled)
    {pid, monitor} = spawn_monitor(fn -> Vitrine.call(plugin, "wait") end)
    eventually(fn -> Vitrine.stats(plugin).host_calls == 1 end)
    Process.exit(pid, :kill)
    assert_receive {:DOWN, ^monitor, _, _, :killed}
    eventually(fn -> Vitrine.stats(plugin).fuel > 0 end)
    assert used(plugin) in @least..(@least + @part + 100)
  end

  test "fuel used is never more than the fuel given", ctx do
    plugin = plugin(ctx.compiled, fuel: @least + 50)
    assert reason(Vitrine.call(plugin, "division")) == :trap
    assert used(plugin) in @least..(@least + 50)
    assert reason(Vitrine.call(plugin, "endless")) == :fuel
    assert Vitrine.fuel_used(plugin) == @least + 50
  end

  test "giving fuel in parts ends no slice of a call" do
    plugin = plugin_of_loop()
    slices = fn -> Vitrine.stats(plugin).slices end
    Vitrine.call!(plugin, "run")

    # Each call uses ten parts, in some hundred microseconds. A slice also ends when its time is over, which a machine that
    # is busy takes from it.
    eventually(fn ->
      before = slices.()
      for _ <- 1..100, do: Vitrine.call!(plugin, "run")
      slices.() - before < 300
    end)
  end

  defp plugin_of_loop do
    new!("(module (func (export \"run\") (local i32) #{@loop}))", fuel: 100_000_000)
  end
end
