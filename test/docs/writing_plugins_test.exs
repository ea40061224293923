defmodule Vitrine.Docs.WritingPluginsTest do
  @moduledoc """
  The Elixir code of the guide "Writing plugins". The plugin that it loads is `welcome.wat`, which does what the
  guide's plugins do in their languages.
  """
  use ExUnit.Case, async: true

  @guide File.read!(Path.expand("../../guides/learn/writing-plugins.md", __DIR__))
  @plugin Path.expand("../guests/wat/welcome.wat", __DIR__)

  test "the plugin greets a user by the name that the host function returns" do
    plugin = plugin_of_the_guide()
    assert Vitrine.call(plugin, "welcome", "ann") == {:ok, "Welcome, Ann Lee!"}
    assert Vitrine.call(plugin, "welcome", "zoe") == {:ok, "Welcome, Zoë Müller!"}
  end

  test "an empty id is the error that the guide shows" do
    assert {:error, error} = Vitrine.call(plugin_of_the_guide(), "welcome", "")
    assert %{reason: :guest_error, message: "no user was given", code: 1} = error
  end

  test "the guide's call of a host function returns what the guide says" do
    [code] = for code <- elixir_blocks(), code =~ "call_host_function", do: code
    assert {{:ok, "Ann Lee"}, _} = Code.eval_string(code)
  end

  test "the messages in the guide's table of import errors are those of Vitrine" do
    for {options, said} <- [
          {[], "is a host function missing from host_functions?"},
          {[host_functions: %{"fullname" => & &1}], ~s|did you mean "fullname"?|},
          {[host_functions: [function([:binary], :binary, & &1, namespace: "env")]],
           ~s|a host function of this name is given in the namespace "env": give it with namespace: "extism:host/user"|},
          {[host_functions: [function([:i32], :i32, & &1)]],
           "is declared as (i64) -> (i64), and the host function is (i32) -> (i32)"},
          {[host_functions: %{"full_name" => fn _, _, _ -> "" end}],
           "with 1 parameter; its function has 3 arguments, and 1 or 2 (with the context) would be right"}
        ] do
      assert {:error, %{reason: :link, message: message}} = Vitrine.new(@plugin, options)
      assert message =~ said
      assert @guide =~ said
    end
  end

  defp function(params, result, function, options \\ []) do
    Vitrine.HostFunction.new("full_name", params, result, function, options)
  end

  defp plugin_of_the_guide do
    [code] = for code <- elixir_blocks(), code =~ ~s|Vitrine.new("welcome.wasm"|, do: code
    [load, _calls] = String.split(code, "\nVitrine.call(", parts: 2)
    {_, bound} = load |> String.replace("welcome.wasm", @plugin) |> Code.eval_string()
    bound[:plugin]
  end

  defp elixir_blocks do
    for [_, code] <- Regex.scan(~r/^```elixir\n(.*?)^```/ms, @guide), do: code
  end
end
