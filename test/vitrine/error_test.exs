defmodule Vitrine.ErrorTest do
  use ExUnit.Case, async: true
  doctest Vitrine.Error

  import Vitrine.Guests

  describe "message/1" do
    test "names the plugin, the function, what happened and where" do
      {:error, error} = Vitrine.call(guest!("rust"), "recurse")
      message = Exception.message(error)
      assert message =~ ~s(plugin "rust", function "recurse": call stack exhausted)
      assert message =~ ~r/\n    at function \d+ \(0x/
    end

    test "tells what is known" do
      message = &Exception.message(struct!(Vitrine.Error, [reason: :trap, message: "m"] ++ &1))
      assert message.([]) == "m"
      assert message.(function: "f") == ~s(function "f": m)
      assert message.(plugin: "p") == ~s(plugin "p": m)
      assert message.(message: nil) == ":trap"
      assert message.(message: nil, reason: nil) == "unknown error"
      frames = [%{function: "a", index: 1, offset: 16}, %{function: nil, index: 2, offset: nil}]
      assert message.(backtrace: frames) == "m\n    at a (0x10)\n    at function 2"
    end
  end

  test "no text of a guest becomes an atom" do
    plugin = guest!("rust")
    before = :erlang.system_info(:atom_count)

    for n <- 1..200 do
      Vitrine.call(plugin, "fail", "text #{n} of a guest")
      Vitrine.call(plugin, "function_#{n}")
      Vitrine.call(plugin, "greet", "name_#{n}")
    end

    assert :erlang.system_info(:atom_count) - before < 50
  end
end
