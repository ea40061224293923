defmodule Vitrine.Conformance.StateTest do
  # Variables and configuration, seen from Elixir.
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  describe "vars/1 and put_vars/2" do
    test "show and replace what the plugin keeps" do
      plugin = guest!("rust")
      assert Vitrine.vars(plugin) == %{}
      assert {:ok, _} = Vitrine.call(plugin, "var_set", "a=1")
      assert Vitrine.vars(plugin) == %{"a" => "1"}
      assert Vitrine.put_vars(plugin, %{"b" => <<0, 255>>, "" => "no name"}) == :ok
      assert Vitrine.call(plugin, "var_get", "b") == {:ok, <<0, 255>>}
      assert Vitrine.call(plugin, "var_get", "a") == {:ok, ""}
      assert Vitrine.put_vars(plugin, %{}) == :ok
      assert Vitrine.vars(plugin) == %{}
    end

    test "restore another plugin's state" do
      one = guest!("rust")
      for _ <- 1..3, do: Vitrine.call(one, "count_vowels", "aeiou")
      two = guest!("rust")
      assert Vitrine.put_vars(two, Vitrine.vars(one)) == :ok
      assert {:ok, json} = Vitrine.call(two, "count_vowels", "a")
      assert json =~ ~s("total":16)
    end

    test "change nothing if they would pass the limit of bytes" do
      plugin = guest!("rust", memory: [max_var_bytes: 100])
      assert Vitrine.put_vars(plugin, %{"k" => "old"}) == :ok
      error = error!(Vitrine.put_vars(plugin, %{"k" => String.duplicate("x", 52)}))
      assert error.reason == :vars
      assert error.message =~ "101 bytes; the limit is 100 bytes (memory: %{max_var_bytes: 100})"
      assert Vitrine.vars(plugin) == %{"k" => "old"}
      assert Vitrine.put_vars(plugin, %{"k" => String.duplicate("x", 51)}) == :ok
    end

    test "raise for a value that is not a map of variables" do
      plugin = guest!("rust")

      for wrong <- [%{a: "atom"}, %{"a" => 1}, %{<<255>> => "no UTF-8"}] do
        assert_raise ArgumentError, ~r/variables/, fn -> Vitrine.put_vars(plugin, wrong) end
      end
    end

    test "work through a server" do
      server =
        start_supervised!(
          {Vitrine.Server, source: wasm("rust"), host_functions: host_functions()}
        )

      assert Vitrine.put_vars(server, %{"a" => "1"}) == :ok
      assert Vitrine.call(server, "var_get", "a") == {:ok, "1"}
      assert Vitrine.vars(server) == %{"a" => "1"}
    end

    test "variables outlive resets, traps and timeouts, not the plugin" do
      plugin = guest!("rust")
      assert {:ok, _} = Vitrine.call(plugin, "var_set", "a=1")
      assert reason(Vitrine.call(plugin, "panic")) == :trap
      assert reason(Vitrine.call(plugin, "spin", "", timeout: 10)) == :timeout
      assert Vitrine.reset(plugin) == :ok
      assert Vitrine.vars(plugin) == %{"a" => "1"}
      assert Vitrine.vars(guest!("rust")) == %{}
    end
  end

  describe "put_config/2" do
    test "merges, and deletes keys whose value is nil" do
      plugin = guest!("rust", config: %{"a" => "1", "b" => "2"})
      assert Vitrine.put_config(plugin, %{"a" => "new", "b" => nil, "c" => "3"}) == :ok
      assert Vitrine.call(plugin, "config_value", "a") == {:ok, "new"}
      assert Vitrine.call(plugin, "config_value", "b") == {:ok, ""}
      assert Vitrine.call(plugin, "config_value", "c") == {:ok, "3"}
    end

    test "raises for a value that is not a configuration" do
      for wrong <- [%{a: "1"}, %{"a" => 1}] do
        assert_raise ArgumentError, ~r/configuration/, fn ->
          Vitrine.put_config(guest!("rust"), wrong)
        end
      end
    end

    test "works through a server" do
      server =
        start_supervised!(
          {Vitrine.Server, source: wasm("rust"), host_functions: host_functions()}
        )

      assert Vitrine.put_config(server, %{"a" => "1"}) == :ok
      assert Vitrine.call(server, "config_value", "a") == {:ok, "1"}
    end
  end

  describe "sequences of calls, traps, resets and writes" do
    test "agree with a model" do
      :rand.seed(:exsss, {ExUnit.configuration()[:seed], 1, 2})

      for _ <- 1..20 do
        plugin = new!(wat("globals"))
        other = guest!("rust")

        Enum.reduce(1..60, {0, %{}}, fn _, model ->
          step(plugin, other, model, :rand.uniform(7))
        end)
      end
    end

    # The model: how far the counter is, and the variables.
    defp step(counter, _other, {count, vars}, 1) do
      assert Vitrine.call(counter, "counter") == {:ok, "#{count + 1}"}
      {count + 1, vars}
    end

    defp step(counter, _other, {_count, vars}, 2) do
      assert reason(Vitrine.call(counter, "trap")) == :trap
      {0, vars}
    end

    defp step(counter, _other, {_count, vars}, 3) do
      assert Vitrine.reset(counter) == :ok
      {0, vars}
    end

    defp step(_counter, other, {count, vars}, 4) do
      {key, value} = {"k#{:rand.uniform(3)}", "v#{:rand.uniform(1000)}"}
      assert {:ok, _} = Vitrine.call(other, "var_set", "#{key}=#{value}")
      {count, Map.put(vars, key, value)}
    end

    defp step(_counter, other, {count, vars}, 5) do
      key = "k#{:rand.uniform(3)}"
      assert {:ok, _} = Vitrine.call(other, "var_delete", key)
      {count, Map.delete(vars, key)}
    end

    defp step(_counter, other, {count, vars}, 6) do
      assert reason(Vitrine.call(other, Enum.random(["panic", "divide_by_zero"]))) == :trap
      {count, vars}
    end

    defp step(_counter, other, {count, vars}, 7) do
      assert Vitrine.vars(other) == vars
      vars = Map.take(vars, ["k1"])
      assert Vitrine.put_vars(other, vars) == :ok
      {count, vars}
    end
  end
end
