defmodule Vitrine.Call.HostileGuestsTest do
  # Plugins that want to do harm, and bytes that are not plugins, are error values.
  use ExUnit.Case, async: true

  @moduletag :fusing

  import Vitrine.Guests

  describe "every trap is an error, and the next call works:" do
    @traps [
      {"traps", "unreachable", "unreachable"},
      {"traps", "div_zero", "divide by zero"},
      {"traps", "int_overflow", "integer overflow"},
      {"traps", "out_of_bounds_load", "out of bounds memory access"},
      {"traps", "out_of_bounds_store", "out of bounds memory access"},
      {"traps", "bad_float_conversion", "invalid conversion to integer"},
      {"traps", "stack_overflow", "call stack exhausted"},
      {"table_traps", "undefined_element", "undefined element"},
      {"table_traps", "uninitialized_element", "uninitialized element"},
      {"table_traps", "indirect_type_mismatch", "indirect call type mismatch"},
      {"rust", "recurse", "call stack exhausted"},
      {"rust", "panic", "unreachable"},
      {"rust", "out_of_bounds", "out of bounds memory access"},
      {"rust", "divide_by_zero", "divide by zero"},
      {"rust", "unreachable", "unreachable"}
    ]

    for {guest, function, trap} <- @traps do
      test "#{guest} #{function}" do
        plugin = plugin(unquote(guest))

        for _ <- 1..3 do
          error = error!(Vitrine.call(plugin, unquote(function)))
          assert error.reason == :trap
          assert error.trap =~ unquote(trap)
          assert [%{index: index} | _] = error.backtrace
          assert is_integer(index)
        end

        still_works(plugin)
      end
    end

    test "a memory that grows beyond the limit" do
      plugin = guest!("rust")
      assert reason(Vitrine.call(plugin, "alloc_forever", "", timeout: 60_000)) == :out_of_memory
      assert Vitrine.call(plugin, "echo", "hi") == {:ok, "hi"}
    end

    test "an endless loop, in the guest and in a start function" do
      plugin = new!(wat("spin"))
      assert reason(Vitrine.call(plugin, "spin", "", timeout: 20)) == :timeout
      assert reason(Vitrine.call(plugin, "spin", "", timeout: 20)) == :timeout
      assert reason(Vitrine.new(wat("infinite_start"), timeout: 20)) == :timeout
    end

    test "objects allocated without end" do
      plugin =
        new!(%{
          wasm: [
            %{
              data: ~S"""
              (module
                (type $bytes (array (mut i8)))
                (type $list (struct (field (ref null $list)) (field (ref $bytes))))
                (global $list (mut (ref null $list)) (ref.null $list))
                (func (export "keep")
                  (loop
                    (global.set $list
                      (struct.new $list (global.get $list) (array.new_default $bytes (i32.const 100000))))
                    (br 0)))
                (func (export "drop")
                  (loop (drop (array.new_default $bytes (i32.const 100000))) (br 0)))
                (func (export "huge") (drop (array.new_default $bytes (i32.const 0x7fffffff))))
                (func (export "fine")))
              """
            }
          ],
          memory: %{max_pages: 1024}
        })

      assert reason(Vitrine.call(plugin, "drop", "", timeout: 100)) == :timeout
      assert reason(Vitrine.call(plugin, "keep")) in [:trap, :out_of_memory]
      assert reason(Vitrine.call(plugin, "huge")) in [:trap, :out_of_memory]
      assert Vitrine.call(plugin, "fine") == {:ok, ""}
    end

    test "a table that grows beyond the limit" do
      plugin =
        new!(~S"""
        (module
          (table 1 funcref)
          (func (export "grow") (result i32)
            (loop (result i32)
              (if (result i32)
                (i32.eq (table.grow (ref.null func) (i32.const 100000)) (i32.const -1))
                (then (i32.const 7))
                (else (br 1))))))
        """)

      assert error!(Vitrine.call(plugin, "grow")).code == 7
    end

    test "bulk instructions over a gigabyte end at the timeout" do
      plugin = new!(wat("bulk_hostile"), memory: [max_pages: 16_384])

      for function <- ~w(fill_forever copy_forever) do
        assert reason(Vitrine.call(plugin, function, "", timeout: 100)) == :timeout
      end
    end

    defp plugin("rust"), do: guest!("rust")
    defp plugin(name), do: new!(wat(name))

    defp still_works(plugin) do
      if Vitrine.function_exists?(plugin, "echo") do
        assert Vitrine.call(plugin, "echo", "hi") == {:ok, "hi"}
      end
    end
  end

  describe "the error for an import that cannot be linked has its name:" do
    @unlinkable [
      {"unknown_import", "is unknown"},
      {"unknown_env_import", "no such function"},
      {"wrong_env_signature",
       "is declared as (i32) -> (i32), and the ABI's function is (i64) -> (i64)"},
      {"imports_env_memory", "functions only"}
    ]

    for {name, why} <- @unlinkable do
      test name do
        error = error!(Vitrine.new(wat(unquote(name))))
        assert error.reason == :link
        assert error.message =~ unquote(why)
        assert error.plugin == unquote(name)
      end
    end
  end

  describe "a plugin with a directory" do
    @tag :tmp_dir
    test "has 64 files open at most, and gets EMFILE for more", %{tmp_dir: directory} do
      File.write!(Path.join(directory, "f"), "x")

      text = ~S"""
      (module
        (import "wasi_snapshot_preview1" "path_open"
          (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
        (import "extism:host/env" "output_set" (func $output (param i64 i64)))
        (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
        (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
        (memory (export "memory") 1)
        (data (i32.const 0) "f")
        (func $one (result i32)
          (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)
            (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 100)))
        (func $answer (param i64) (local $at i64)
          (local.set $at (call $alloc (i64.const 8)))
          (call $store (local.get $at) (local.get 0))
          (call $output (local.get $at) (i64.const 8)))
        (func (export "open_all") (local $n i64) (local $error i32)
          (block $end
            (loop $next
              (br_if $end (local.tee $error (call $one)))
              (local.set $n (i64.add (local.get $n) (i64.const 1)))
              (br_if $next (i64.lt_u (local.get $n) (i64.const 1000)))))
          (call $answer
            (i64.or (local.get $n) (i64.shl (i64.extend_i32_u (local.get $error)) (i64.const 32)))))
        (func (export "close_one")
          (call $answer (i64.extend_i32_u (call $close (i32.load (i32.const 100)))))))
      """

      manifest = %{wasm: [%{data: text}], allowed_paths: %{directory => "/d"}}
      plugin = new!(manifest, wasi: true)
      assert Vitrine.call(plugin, "open_all") == {:ok, <<64::little-32, 33::little-32>>}
      assert Vitrine.call(plugin, "open_all") == {:ok, <<0::little-32, 33::little-32>>}
      # A file that is closed can be opened again.
      assert Vitrine.call(plugin, "close_one") == {:ok, <<0::little-64>>}
      assert Vitrine.call(plugin, "open_all") == {:ok, <<1::little-32, 33::little-32>>}
    end
  end

  describe "a source that is not a module" do
    test "truncated anywhere is a compile error" do
      bytes = File.read!(wasm("c"))

      for length <- Enum.take_random(0..(byte_size(bytes) - 1), 200) do
        case Vitrine.new(binary_part(bytes, 0, length)) do
          {:error, error} -> assert error.reason in [:compile, :link]
          # Bytes that end where a section does can be a module, but not the one that they were.
          {:ok, plugin} -> refute Vitrine.function_exists?(plugin, "echo")
        end
      end
    end

    test "with any bytes changed is an error or a plugin" do
      bytes = File.read!(wasm("c"))
      :rand.seed(:exsss, {1, 2, 3})

      for _ <- 1..300 do
        changed = Enum.reduce(1..:rand.uniform(4), bytes, fn _, bytes -> change(bytes) end)

        with {:ok, plugin} <-
               Vitrine.new(changed, host_functions: host_functions(), timeout: 200) do
          Vitrine.call(plugin, "count_vowels", "hello", timeout: 200)
          Vitrine.call(plugin, "echo", "hello", timeout: 200)
        end
      end
    end

    test "of random bytes is a compile error" do
      :rand.seed(:exsss, {4, 5, 6})

      for size <- [1, 10, 1_000, 100_000] do
        bytes = :rand.bytes(size)

        assert reason(Vitrine.new(%{wasm: [%{data: <<0, "asm", 1, 0, 0, 0>> <> bytes}]})) ==
                 :compile

        assert reason(Vitrine.new(<<0>> <> bytes)) == :compile
      end
    end

    test "that is a component or bad text is a compile error" do
      component = <<0, "asm", 0x0D, 0, 1, 0>>

      assert error!(Vitrine.new(component)).message =~
               "a component of WebAssembly's component model"

      assert error!(Vitrine.inspect_plugin("(component)")).reason == :compile
      assert reason(Vitrine.new("(module (func")) == :compile
      assert reason(Vitrine.new("(module (func (export \"a\") i32.const))")) == :compile
      assert reason(Vitrine.new("(module" <> String.duplicate("(func ", 100_000))) == :compile
    end

    test "that is too large is a compile error" do
      bytes = <<0, "asm", 1, 0, 0, 0>> <> :binary.copy(<<0>>, 130 * 1024 * 1024)
      assert error!(Vitrine.new(bytes)).message =~ "limit"
    end
  end

  describe "a module that is hard to compile is refused or compiled in time:" do
    test "with blocks nested very deep" do
      for depth <- [1_000, 5_000] do
        body = :binary.copy(<<0x02, 0x40>>, depth) <> :binary.copy(<<0x0B>>, depth + 1)
        assert {:ok, plugin} = Vitrine.new(module_with_body(body))
        refute Vitrine.function_exists?(plugin, "f")
      end
    end

    test "with many functions, locals and a long body" do
      locals = "(module (func #{String.duplicate("(local i64)", 40_000)}))"
      assert {:ok, _} = Vitrine.new(locals)
      body = String.duplicate("(drop (i32.add (i32.const 1) (i32.const 2)))", 50_000)
      assert {:ok, _} = Vitrine.new("(module (func (export \"f\") #{body}))")
    end

    test "with loops within each other, refused before it is compiled or inspected" do
      loops = fn n ->
        ends = String.duplicate("local.get 0 br_if 0 end ", n)
        "(module (func (param i32) #{String.duplicate("loop ", n)} #{ends}))"
      end

      assert {:ok, _} = Vitrine.new(loops.(64))

      for refused <- [Vitrine.new(loops.(3_000)), Vitrine.inspect_plugin(loops.(3_000))] do
        error = error!(refused)
        assert error.reason == :compile
        assert error.message =~ "function 0 has more than 64 loops"
      end
    end

    test "with locals that live through many loops, and declared ones without end" do
      locals = for n <- 1..3_000, do: "local.get #{n} drop "
      loops = String.duplicate("loop local.get 0 br_if 0 end ", 400)
      all = String.duplicate("i32 ", 3_000)

      error = error!(Vitrine.new("(module (func (param i32) (local #{all}) #{loops} #{locals}))"))
      assert {error.reason, error.message =~ "values times loops"} == {:compile, true}

      functions = String.duplicate("(func (local #{all}))", 100)
      error = error!(Vitrine.new("(module #{functions})"))
      assert {error.reason, error.message =~ "300000 locals"} == {:compile, true}
    end

    test "with more memories or tables than an instance may have" do
      error = error!(Vitrine.new("(module #{String.duplicate("(memory 0)", 50)})"))
      assert error.reason in [:compile, :link, :trap, :out_of_memory]
      assert {:error, _} = Vitrine.new("(module (table 20000000 funcref))")
    end

    defp module_with_body(body) do
      code = leb(byte_size(body) + 1) <> <<0>> <> body

      <<0, "asm", 1, 0, 0, 0>> <>
        section(1, <<1, 0x60, 0, 0>>) <> section(3, <<1, 0>>) <> section(10, <<1>> <> code)
    end

    defp section(id, content), do: <<id>> <> leb(byte_size(content)) <> content

    defp leb(n) when n < 128, do: <<n>>
    defp leb(n), do: <<1::1, rem(n, 128)::7>> <> leb(div(n, 128))
  end

  defp change(bytes) do
    at = :rand.uniform(byte_size(bytes)) - 1
    before = binary_part(bytes, 0, at)
    <<_, rest::binary>> = binary_part(bytes, at, byte_size(bytes) - at)
    before <> <<:rand.uniform(256) - 1>> <> rest
  end
end
