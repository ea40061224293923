defmodule Vitrine.ManifestTest do
  use ExUnit.Case, async: true
  doctest Vitrine.Manifest

  import Vitrine.Guests

  alias Vitrine.Manifest

  @rc File.read!(wat("rc"))

  defp message(manifest) do
    error = error!(Vitrine.new(manifest))
    assert error.reason == :manifest
    error.message
  end

  defp with_wasm(rest), do: Map.merge(%{"wasm" => [%{"data" => @rc}]}, rest)

  describe "a manifest" do
    test "has its configuration read by the plugin, and options are merged over it" do
      manifest = %{wasm: [%{path: wasm("rust")}], config: %{"a" => "1", b: "2"}}
      plugin = new!(manifest, host_functions: host_functions(), config: %{b: 3, c: "4"})

      for {key, value} <- [{"a", "1"}, {"b", "3"}, {"c", "4"}, {"d", ""}] do
        assert Vitrine.call(plugin, "config_value", key) == {:ok, value}
      end
    end

    test "may be empty where it may" do
      manifest = %{
        wasm: [%{data: @rc, name: nil, hash: nil}],
        memory: %{max_pages: nil},
        timeout_ms: nil,
        allowed_hosts: [],
        allowed_paths: nil
      }

      assert Vitrine.call(new!(manifest), "rc_0") == {:ok, ""}
    end

    test "is read from JSON with every kind of value" do
      json = ~s({"wasm": [{"path": "#{wat("rc")}", "name": "n"}], "timeout_ms": 5,
        "config": {"k\\u00e9": "v"}, "memory": {"max_pages": 3, "max_var_bytes": 0}})

      assert {:ok, manifest} = Manifest.new(json)
      assert manifest.wasm == [%{path: wat("rc"), name: "n"}]
      assert manifest.config == %{"ké" => "v"}
      assert manifest.memory == %{max_pages: 3, max_var_bytes: 0}
      assert manifest.timeout_ms == 5
    end

    test "as a struct is checked like a map" do
      assert message(%Manifest{wasm: []}) =~ "wasm"
      assert message(%Manifest{wasm: [%{data: @rc}], timeout_ms: :soon}) =~ "timeout_ms"
    end
  end

  describe "what is wrong with a manifest is told:" do
    test "an unknown key, with those that are allowed" do
      assert message(with_wasm(%{"timeout" => 1})) =~ ~s(unknown key "timeout", allowed are: wasm)
      assert message(%{wasm: [%{data: @rc, size: 1}]}) =~ ~s("size", allowed are: path, data)
      assert message(with_wasm(%{"memory" => %{"max" => 1}})) =~ ~s("max", allowed are: max_pages)
      assert message(with_wasm(%{1 => 2})) =~ "unknown key 1"
    end

    test "wrong values, with what would be right" do
      for {rest, expected} <- [
            {%{"timeout_ms" => -1}, "milliseconds, from 0 to 4294967295, got: -1"},
            {%{"timeout_ms" => 1.5}, "got: 1.5"},
            {%{"timeout_ms" => Integer.pow(10, 30)}, "from 0 to"},
            {%{"config" => []}, "must be a map"},
            {%{"config" => %{"a" => 1}}, "strings to strings"},
            {%{"config" => %{"a" => <<255>>}}, "strings to strings"},
            {%{"memory" => 1}, "must be a map"},
            {%{"memory" => %{"max_pages" => 0}}, "from 1 to 65536"},
            {%{"memory" => %{"max_pages" => 65_537}}, "got: 65537"},
            {%{"memory" => %{"max_var_bytes" => -1}}, "max_var_bytes"},
            {%{"allowed_hosts" => ["example.com"]}, "allowed_hosts must be empty"},
            {%{"allowed_paths" => %{"/" => "/"}}, "allowed_paths must be empty"},
            {%{"wasm" => 1}, "list of one source"},
            {%{"wasm" => []}, "list of one source"},
            {%{"wasm" => [1]}, "must be a map"},
            {%{"wasm" => [%{}]}, "path"},
            {%{"wasm" => [%{"path" => 1}]}, "path"},
            {%{"wasm" => [%{"path" => "a", "data" => "b"}]}, "either path or data"},
            {%{"wasm" => [%{"data" => "$$$"}]}, "neither base64"},
            {%{"wasm" => [%{"data" => %{"ptr" => 1, "len" => 2}}]}, "never an address"},
            {%{"wasm" => [%{"data" => @rc, "name" => 1}]}, "name must be a string"},
            {%{"wasm" => [%{"data" => @rc, "hash" => "abc"}]}, "64 hexadecimal digits"}
          ] do
        assert message(with_wasm(rest)) =~ expected
      end
    end

    test "several modules" do
      assert message(%{wasm: [%{data: @rc}, %{data: @rc}]}) =~ "one source, got: 2"
    end

    test "bad JSON, with the place" do
      assert message(~s({"wasm": )) =~ "line 1"
      assert message(~s([1, 2])) =~ "must be a map"
      assert message(String.duplicate("[", 100_000)) =~ "JSON"
    end

    test "whatever else one can think of, in whichever place" do
      :rand.seed(:exsss, {7, 8, 9})

      for _ <- 1..3_000 do
        case Manifest.new(random_manifest()) do
          {:ok, %Manifest{}} -> :ok
          {:error, error} -> assert %{reason: :manifest, message: <<_, _::binary>>} = error
        end
      end
    end

    defp random_manifest do
      keys =
        ~w(wasm config memory timeout_ms allowed_hosts allowed_paths other) ++ [:wasm, 1, nil]

      for key <- Enum.take_random(keys, 4),
          into: %{"wasm" => [random_source()]},
          do: {key, random(3)}
    end

    defp random_source do
      keys = ~w(path data name hash other) ++ [:data, {}]
      for key <- Enum.take_random(keys, 2), into: %{}, do: {key, random(2)}
    end

    defp random(0),
      do: Enum.random([nil, 0, -1, 1.5, :atom, "", "text", <<255>>, @rc, Integer.pow(2, 70)])

    defp random(depth) do
      case :rand.uniform(4) do
        1 -> for _ <- 1..:rand.uniform(3), do: random(depth - 1)
        2 -> for _ <- 1..:rand.uniform(3), into: %{}, do: {random(0), random(depth - 1)}
        3 -> for key <- ~w(max_pages max_var_bytes), into: %{}, do: {key, random(0)}
        4 -> random(0)
      end
    end

    test "what is no source at all" do
      for source <- [nil, 1, :atom, [], {}], do: assert(message(source) =~ "a source is")
    end

    test "a file that is not there" do
      assert message("missing.wasm") =~ "no such file"
      assert message(%{wasm: [%{path: "missing.wasm"}]}) =~ "no such file"
      assert message(System.tmp_dir!()) =~ "directory"
    end
  end

  describe "a hash" do
    test "that is right is taken, in either case of letters" do
      hash = Base.encode16(:crypto.hash(:sha256, @rc))
      assert new!(%{wasm: [%{data: @rc, hash: hash}]})
      assert new!(%{wasm: [%{path: wat("rc"), hash: String.downcase(hash)}]})
    end

    test "that is wrong refuses the module, with both" do
      wrong = String.duplicate("0", 64)
      hash = Base.encode16(:crypto.hash(:sha256, @rc), case: :lower)
      assert message(%{wasm: [%{data: @rc, hash: wrong}]}) =~ ~r/#{hash}, expected #{wrong}/
    end
  end

  describe "memory" do
    test "max_pages bounds what an instance begins with and what it grows by" do
      grow = File.read!(wat("grow"))
      limited = new!(%{wasm: [%{data: grow}], memory: %{max_pages: 4}})
      assert Vitrine.call(limited, "grow", "3") == {:ok, "1"}
      assert reason(Vitrine.call(limited, "grow", "5")) == :out_of_memory
      assert reason(Vitrine.call(limited, "grow_forever")) == :out_of_memory
      assert reason(Vitrine.call(limited, "grow_huge")) == :out_of_memory

      big = "(module (memory 5))"

      assert reason(Vitrine.new(%{wasm: [%{data: big}], memory: %{max_pages: 4}})) ==
               :out_of_memory

      assert new!(%{wasm: [%{data: big}], memory: %{max_pages: 5}})
    end

    test "max_pages bounds the input and output, too" do
      manifest = %{wasm: [%{path: wasm("rust_minimal")}], memory: %{max_pages: 32}}
      plugin = new!(manifest)
      assert reason(Vitrine.call(plugin, "echo", :binary.copy("x", 4_000_000))) == :out_of_memory
      assert Vitrine.call(plugin, "echo", "small") == {:ok, "small"}
    end

    test "max_var_bytes bounds the variables; 0 forbids them" do
      manifest = &%{wasm: [%{path: wasm("rust")}], memory: %{max_var_bytes: &1}}
      small = new!(manifest.(100), host_functions: host_functions())
      assert Vitrine.call(small, "var_set", "k=short") == {:ok, ""}
      error = error!(Vitrine.call(small, "var_set", "k=" <> String.duplicate("x", 100)))
      assert error.message =~ "Variable store is full"
      assert Vitrine.call(small, "var_get", "k") == {:ok, "short"}

      none = new!(manifest.(0), host_functions: host_functions())
      assert error!(Vitrine.call(none, "var_set", "k=v")).message =~ "Vars are disabled"
    end
  end
end
