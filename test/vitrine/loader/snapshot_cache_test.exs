defmodule Vitrine.Loader.SnapshotCacheTest do
  # Not async: the application's environment is everybody's.
  use ExUnit.Case, async: false

  import Vitrine.Guests

  @counter ~S"""
  (module
    (global $n (mut i32) (i32.const 0))
    (func $add (param i32) (global.set $n (i32.add (global.get $n) (local.get 0))))
    (func $start (call $add (i32.const 1)))
    (start $start)
    (func (export "_initialize") (call $add (i32.const 10)))
    (func (export "init") (call $add (i32.const 100)))
    (func (export "value") (result i32) (global.get $n)))
  """

  defp value(plugin), do: error!(Vitrine.call(plugin, "value")).code

  @tag :tmp_dir
  test "a snapshot is found in the cache when it is taken again", %{tmp_dir: directory} do
    environment = Application.get_all_env(:vitrine)
    Application.put_env(:vitrine, :cache, true)
    Application.put_env(:vitrine, :cache_dir, directory)

    on_exit(fn ->
      for {key, _} <- Application.get_all_env(:vitrine),
          do: Application.delete_env(:vitrine, key)

      Application.put_all_env(vitrine: environment)
    end)

    entries = fn -> directory |> Path.join("native/*.native") |> Path.wildcard() |> length() end

    # Another module than those of other tests, which may still be in memory.
    source = String.replace(@counter, "(module", ~S|(module (func (export "on_disk"))|)

    for _ <- 1..2 do
      # In a process of its own, with whose end the modules are forgotten.
      Task.await(
        Task.async(fn -> assert value(new!(source, snapshot: "init")) == 111 end),
        60_000
      )

      assert entries.() == 2
    end

    assert value(new!(source, snapshot: true)) == 11
    assert entries.() == 3
    assert value(new!(source)) == 11
    assert entries.() == 4
  end
end
