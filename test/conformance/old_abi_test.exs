defmodule Vitrine.Conformance.OldAbiTest do
  # Plugins built before version 1.0 of the ABI: the same functions under other names.
  use ExUnit.Case, async: true

  @moduletag :fusing

  import ExUnit.CaptureLog
  import Vitrine.Guests

  test "input, output, errors, config and variables work" do
    plugin = new!(wat("old_abi"), config: %{"key" => "value"})

    for length <- [0, 1, 7, 8, 9, 70_000] do
      bytes = :crypto.strong_rand_bytes(length)
      assert Vitrine.call(plugin, "echo", bytes) == {:ok, bytes}
    end

    error = error!(Vitrine.call(plugin, "fail", "no luck"))
    assert {error.reason, error.message} == {:guest_error, "no luck"}
    assert Vitrine.call(plugin, "config_value", "key") == {:ok, "value"}
    assert Vitrine.call(plugin, "config_value", "none") == {:ok, ""}
    assert Vitrine.call(plugin, "var_get") == {:ok, ""}
    assert {:ok, _} = Vitrine.call(plugin, "var_set", "kept")
    assert Vitrine.call(plugin, "var_get") == {:ok, "kept"}
    assert Vitrine.vars(plugin) == %{"state" => "kept"}
    assert {:ok, _} = Vitrine.call(plugin, "var_set", "")
    assert Vitrine.vars(plugin) == %{}
  end

  test "log lines arrive at Logger" do
    plugin = new!(wat("old_abi"))
    log = capture_log(fn -> assert {:ok, _} = Vitrine.call(plugin, "log_all", "from then") end)
    assert length(String.split(log, "from then")) == 5
  end

  test "host functions in the namespace env are called" do
    greet =
      Vitrine.HostFunction.new("greet", [:binary], :binary, &("hi " <> &1), namespace: "env")

    plugin = new!(wat("old_abi_user"), host_functions: [greet])
    assert Vitrine.call(plugin, "greet", "you") == {:ok, "hi you"}
  end

  test "the other functions of the kernel before 1.0" do
    plugin = new!(wat("old_abi_kernel"))
    assert Vitrine.call(plugin, "echo", "hello") == {:ok, "hello"}
    assert Vitrine.call(plugin, "tail", "hello") == {:ok, "ello"}
    assert {:ok, _} = Vitrine.call(plugin, "getters", "hello")
  end
end
