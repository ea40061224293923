defmodule Vitrine.Pool.UpgradeTest do
  use ExUnit.Case, async: true

  import Vitrine.{Guests, PoolHelpers}

  alias Vitrine.Pool

  @one ~S|(module (func (export "one")))|
  @two ~S|(module (func (export "two")))|

  describe "upgrade/3" do
    test "that fails leaves the pool as it was" do
      pool = pool!(source: @one, size: 1)
      assert Vitrine.call(pool, "one") == {:ok, ""}
      before = Pool.info(pool)

      for {source, reason} <- [
            {"missing.wasm", :file},
            {"(module", :compile},
            {wat("unknown_import"), :link},
            {wat("trapping_start"), :trap}
          ] do
        assert reason(Pool.upgrade(pool, source)) == reason
      end

      assert reason(Pool.upgrade(pool, wat("infinite_start"), timeout: 20)) == :timeout
      assert_raise ArgumentError, fn -> Pool.upgrade(pool, @two, size: 2) end
      assert_raise ArgumentError, fn -> Pool.upgrade(pool, @two, timeout: -1) end
      assert Pool.info(pool) == before
      assert Vitrine.call(pool, "one") == {:ok, ""}
    end

    test "sends new calls to the new version" do
      pool = pool!(source: @one, size: 2)
      assert Vitrine.call(pool, "one") == {:ok, ""}
      %{version: 1, hash: one} = Pool.info(pool)
      assert Pool.upgrade(pool, @two) == :ok
      assert %{version: 2, hash: two, idle: 0} = Pool.info(pool)
      assert one != two
      assert two == Base.encode16(:crypto.hash(:sha256, @two), case: :lower)
      assert Vitrine.call(pool, "two") == {:ok, ""}
      assert reason(Vitrine.call(pool, "one")) == :function_not_found
      refute Vitrine.function_exists?(pool, "one")
      assert Pool.upgrade(pool, @one) == :ok
      assert Vitrine.call(pool, "one") == {:ok, ""}
    end

    test "lets calls in flight end on the version they began on" do
      pool = pool!(size: 1, host_functions: holding())
      holder = held!(pool, "holder")
      assert Pool.upgrade(pool, @two) == :ok
      queued = waiting!(pool, "two", "")
      assert release(holder) == {:ok, "holder"}
      assert Task.await(queued, 60_000) == {:ok, ""}
      assert Pool.info(pool).idle == 1
    end

    test "takes options, which stay" do
      pool = pool!(config: %{"a" => "1"}, vars: %{"v" => "1"})
      assert Pool.upgrade(pool, wasm("rust"), config: %{"a" => "2"}, vars: %{"v" => "2"}) == :ok
      assert Vitrine.call!(pool, "config_value", "a") == "2"
      assert Vitrine.call!(pool, "var_get", "v") == "2"
      assert Pool.upgrade(pool, wasm("rust"), plugin_name: "third") == :ok
      assert Vitrine.call!(pool, "config_value", "a") == "2"
      assert Pool.info(pool).plugin == "third"
    end

    test "has no effect if the process that began it dies" do
      pool = pool!(source: @one)
      asker = spawn(fn -> Pool.upgrade(pool, wat("infinite_start"), timeout: :infinity) end)
      Process.sleep(50)
      Process.exit(asker, :kill)
      assert Vitrine.call(pool, "one") == {:ok, ""}
      assert Pool.info(pool).version == 1
    end

    @tag :tmp_dir
    test "is the only way to another version, whatever happens to the file", %{tmp_dir: dir} do
      path = Path.join(dir, "plugin.wat")
      File.write!(path, @one)
      pool = pool!(source: path, size: 2, reset: true)
      File.write!(path, @two)
      assert Vitrine.call(pool, "one") == {:ok, ""}
      assert Pool.upgrade(pool, path) == :ok
      assert Vitrine.call(pool, "two") == {:ok, ""}
      assert Pool.info(pool).plugin == "plugin"
    end
  end
end
