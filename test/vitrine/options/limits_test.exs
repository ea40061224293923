defmodule Vitrine.Options.LimitsTest do
  # Values at the ends of what an option takes. A larger number must not reach a timer or an allocator of the BEAM,
  # which end the process or the whole system.
  use ExUnit.Case, async: true

  alias Vitrine.{HTTP, LiveView, Pool, Server, Stage, StubSocket}

  @module ~S|(module (func (export "run")))|

  # The longest that a process can wait, in milliseconds, and about the longest that a timer can run.
  @wait 0xFFFF_FFFF
  @timer 0xFF_FFFF_FFFF

  defp refused!(option, fun) do
    error = assert_raise ArgumentError, fun
    assert error.message =~ inspect(option)
  end

  test "a time for connecting that is longer than the BEAM can wait is refused" do
    refused!(:connect_timeout, fn -> HTTP.Client.init(connect_timeout: @wait + 1) end)
  end

  describe "a time that is longer than the BEAM can wait is refused:" do
    for option <- [:queue_timeout, :idle_timeout, :max_age] do
      test "#{option} of a pool" do
        start = &Pool.start_link([{unquote(option), &1}, source: @module])
        assert {:ok, pool} = start.(@timer)
        assert Vitrine.call(pool, "run", "", timeout: :infinity) == {:ok, ""}
        refused!(unquote(option), fn -> start.(@timer + 1) end)
      end
    end

    for module <- [Pool, Server] do
      test "shutdown of #{inspect(module)}" do
        options = &[source: @module, shutdown: &1]
        assert {:ok, process} = unquote(module).start_link(options.(@wait))
        assert Vitrine.close(process) == :ok
        assert unquote(module).child_spec(options.(@wait)).shutdown == @wait
        refused!(:shutdown, fn -> unquote(module).child_spec(options.(@wait + 1)) end)
        refused!(:shutdown, fn -> unquote(module).start_link(options.(@wait + 1)) end)
      end
    end

    test "watch of a server" do
      refused!(:watch, fn -> Server.start_link(source: "/a/plugin.wasm", watch: @wait + 1) end)
    end

    for {option, most} <- [patience: @wait, slow_after: @timer, fade_after: @timer] do
      test "#{option} of a view" do
        plugin = Stage.start!(fn _ -> "<p></p>" end)
        attach = &LiveView.attach(%StubSocket{}, :board, [{unquote(option), &1}, plugin: plugin])
        assert %StubSocket{} = attach.(unquote(most))
        refused!(unquote(option), fn -> attach.(unquote(most) + 1) end)
      end
    end
  end

  test "the longest timeout of a call is also that of a call of a server" do
    server = start_supervised!({Server, source: @module})
    assert Vitrine.call(server, "run", "", timeout: @wait) == {:ok, ""}
  end

  test "a pool with more slots than memory is refused" do
    for option <- [:size, :overflow] do
      refused!(option, fn -> Pool.start_link([{option, 0x1_0000_0000}, source: @module]) end)
    end
  end

  test "a host function that is tried out has at most as many results as a function of a module" do
    refused!(:results, fn ->
      Vitrine.Test.call_host_function(%{"f" => & &1}, "f", ["x"], results: 1001)
    end)
  end

  test "the name of the function for a snapshot must be a text" do
    refused!(:snapshot, fn -> Vitrine.compile(@module, snapshot: <<0xFF>>) end)
  end

  test "a name in a registry that does not exist cannot be called" do
    error =
      assert_raise ArgumentError, fn -> Vitrine.call({:via, Vitrine.NoRegistry, 1}, "run") end

    assert error.message =~ "Vitrine.NoRegistry is not a registry"
  end

  test "a view waits for a plugin on another node, though its own node has no name" do
    assert %{assigns: %{board: %{status: :pending}}} =
             LiveView.attach(%StubSocket{}, :board, plugin: {:board, :nowhere@nohost})
  end

  test "an environment that is given as a map is not shown" do
    error =
      assert_raise ArgumentError, fn ->
        Vitrine.new(@module, wasi: %{env: %{"KEY" => "s3cret"}})
      end

    assert error.message ==
             "expected :wasi to be true, false or a keyword list, got: a map with the keys [:env]"
  end
end
