defmodule Vitrine.Native.MemoryLayoutTest do
  # Not async: it looks at the memory of the whole system process.
  use ExUnit.Case, async: false

  @moduletag :slow

  @moduletag :fusing

  import Vitrine.Guests

  @moduletag skip: :os.type() != {:unix, :linux} && "what it reads is Linux's"

  defp mappings, do: "/proc/self/maps" |> File.stream!() |> Enum.count()

  defp resident_mib do
    [_, kib] = Regex.run(~r/VmRSS:\s+(\d+) kB/, File.read!("/proc/self/status"))
    div(String.to_integer(kib), 1024)
  end

  describe "memory_layout: :dense" do
    test "gives the same results as the default layout" do
      for name <- ~w(assemblyscript c cpp d rust rust_minimal zig) do
        plugin = guest!(name, memory_layout: :dense, wasi: true)
        assert Vitrine.call(plugin, "echo", "hello") == {:ok, "hello"}, name
        large = :binary.copy("x", 300_000)
        assert Vitrine.call(plugin, "echo", large) == {:ok, large}, name
      end
    end

    test "makes instances without mappings of their own" do
      assert {:ok, compiled} = Vitrine.compile(wasm("rust_minimal"), memory_layout: :dense)
      assert {:ok, "hi"} = Vitrine.run(compiled, "echo", "hi")
      before = mappings()
      plugins = for _ <- 1..500, do: new!(compiled)
      assert mappings() - before < 400
      for plugin <- plugins, do: assert({:ok, "hi"} = Vitrine.call(plugin, "echo", "hi"))
    end

    test "must be a known layout, and is part of the compiled code" do
      assert_raise ArgumentError, ~r/:memory_layout to be :fast or :dense/, fn ->
        Vitrine.new("(module)", memory_layout: :small)
      end

      assert {:ok, compiled} = Vitrine.compile("(module)", memory_layout: :dense)

      assert_raise ArgumentError, ~r/the option :memory_layout to be :dense/, fn ->
        Vitrine.new(compiled, memory_layout: :fast)
      end
    end
  end

  describe "an idle plugin" do
    test "decommits the memory that a large call took" do
      # It does not copy its input into its own memory.
      plugin = new!(~S|(module (func (export "take")))|)
      input = :binary.copy("x", 100_000_000)
      assert Vitrine.call(plugin, "take", "small") == {:ok, ""}
      before = resident_mib()
      assert Vitrine.call(plugin, "take", input) == {:ok, ""}
      assert resident_mib() > before + 80
      eventually(fn -> resident_mib() < before + 20 end)
      assert Vitrine.call(plugin, "take", "small") == {:ok, ""}
    end
  end
end
