defmodule Vitrine.CodecTest do
  use ExUnit.Case, async: true

  doctest Vitrine.Codec
  doctest Vitrine.Codec.JSON
  doctest Vitrine.Codec.MessagePack
  doctest Vitrine.Codec.MessagePack.Ext

  import Vitrine.Guests

  alias Vitrine.{Codec, HostFunction, Native}
  alias Vitrine.Codec.MessagePack.{Bin, Ext}

  defmodule Backwards do
    @behaviour Vitrine.Codec

    @impl true
    def encode(text, suffix: suffix), do: {:ok, [String.reverse(text) | suffix]}
    def encode(text, []) when is_binary(text), do: {:ok, String.reverse(text)}
    def encode(other, []), do: {:error, {:no_text, other}}

    @impl true
    def decode("", _options), do: {:error, %RuntimeError{message: "nothing there"}}
    def decode(text, _options), do: {:ok, String.reverse(text)}
  end

  defp message(result) do
    error = error!(result)
    assert error.reason == :codec
    error.message
  end

  defp nested(levels, inner), do: Enum.reduce(1..levels, inner, fn _, inner -> [inner] end)

  describe "call/4 as a codec" do
    test "does not reach the plugin with an input that cannot be encoded" do
      plugin = guest!("rust")
      error = error!(Vitrine.call(plugin, "counter", %{a: [1, self()]}, as: :json))
      assert {error.reason, error.plugin, error.function} == {:codec, "rust", "counter"}
      assert error.message =~ "the input cannot be encoded as :json: .a[1] is #PID"
      assert Vitrine.call(plugin, "counter", nil, as: {:empty, :string}) == {:ok, "1"}
    end

    test "has an error with the output that cannot be decoded, unless that is large" do
      plugin = guest!("rust")
      error = error!(Vitrine.call(plugin, "echo", "[1, x]", as: {:raw, :json}))
      assert {error.reason, error.plugin, error.function} == {:codec, "rust", "echo"}

      assert error.message =~
               "the output cannot be decoded as :json: expected value at line 1 column 5"

      assert error.raw == "[1, x]"
      large = :binary.copy("x", 100_000)
      assert error!(Vitrine.call(plugin, "echo", large, as: {:raw, :json})).raw == nil
    end

    test "encodes the input and decodes the output" do
      plugin = guest!("rust")
      assert Vitrine.call!(plugin, "echo", %{a: [1, nil]}, as: :json) == %{"a" => [1, nil]}
      assert Vitrine.call!(plugin, "echo", %{a: [1, nil]}, as: :msgpack) == %{"a" => [1, nil]}
      assert Vitrine.call!(plugin, "echo", 7, as: {:u32, :raw}) == <<7, 0, 0, 0>>

      assert %{"count" => 2} =
               Vitrine.call!(plugin, "count_vowels", "hello", as: {:string, :json})

      assert Vitrine.call!(plugin, "echo", ["a", ?b], as: :raw) == "ab"
    end

    test "takes the other options as always, and gives the plugin's errors" do
      plugin =
        guest!("rust", host_functions: %{"greet" => fn name, context -> [name, context] end})

      options = [as: {:string, :string}, context: "!", timeout: 1_000]
      assert Vitrine.call(plugin, "greet", "Joe", options) == {:ok, "Joe!"}
      assert reason(Vitrine.call(plugin, "fail", "no", as: :string)) == :guest_error
      assert reason(Vitrine.call(plugin, "missing", "", as: :string)) == :function_not_found
      assert_raise ArgumentError, fn -> Vitrine.call(plugin, "echo", "", as: :raw, colour: 1) end

      assert_raise Vitrine.Error, ~r/as :i32/, fn ->
        Vitrine.call!(plugin, "echo", "", as: :i32)
      end
    end

    test "works in the process that calls a server" do
      server =
        start_supervised!(
          {Vitrine.Server, source: wasm("rust"), host_functions: host_functions()}
        )

      assert Vitrine.call(server, "echo", %{"a" => 1}, as: :json) == {:ok, %{"a" => 1}}
      assert message(Vitrine.call(server, "echo", {}, as: :json)) =~ "the input"
      error = error!(Vitrine.call(server, "echo", "{", as: {:raw, :json}))
      assert {error.reason, error.function, error.raw} == {:codec, "echo", "{"}
      me = self()
      codec = __MODULE__.Where
      assert Vitrine.call(server, "echo", "x", as: codec) == {:ok, {me, "x"}}
    end

    defmodule Where do
      @behaviour Vitrine.Codec

      @impl true
      def encode(bytes, _options), do: {:ok, bytes}

      @impl true
      def decode(bytes, _options), do: {:ok, {self(), bytes}}
    end

    test "raises for a value that is not a codec" do
      plugin = guest!("rust_minimal")

      for codec <- [
            :yaml,
            "json",
            String,
            {:json, :yaml},
            {:json, colour: 1},
            {:u32, [a: 1]},
            {:a, :b, :c},
            1
          ] do
        assert_raise ArgumentError, fn -> Vitrine.call(plugin, "echo", "", as: codec) end
      end

      assert_raise ArgumentError, ~r/one of :raw, .*:f64.* got: :yaml/, fn ->
        Codec.encode(:yaml, 1)
      end

      assert_raise ArgumentError, ~r/:max_bytes/, fn ->
        Codec.decode({:json, max_bytes: -1}, "1")
      end
    end

    defmodule Broken do
      @behaviour Vitrine.Codec

      @impl true
      def encode(answer, _options), do: answer

      @impl true
      def decode(_bytes, options), do: options[:answer]
    end

    test "raises if a custom codec breaks the behaviour" do
      plugin = guest!("rust_minimal")

      for answer <- [:oops, {:ok, 1}, {:ok, [256]}, nil] do
        assert_raise ArgumentError,
                     ~r/Broken.encode\/2 to return {:ok, iodata} or {:error, /,
                     fn ->
                       Vitrine.call(plugin, "echo", answer, as: Broken)
                     end
      end

      assert_raise ArgumentError, ~r/Broken.decode\/2 to return .*, got: :oops/, fn ->
        Vitrine.call(plugin, "echo", "", as: {:raw, {Broken, answer: :oops}})
      end
    end

    test "takes a custom codec" do
      plugin = guest!("rust_minimal")
      assert Vitrine.call(plugin, "echo", "abc", as: {Backwards, :raw}) == {:ok, "cba"}
      assert Vitrine.call(plugin, "echo", "abc", as: {Backwards, suffix: "!"}) == {:ok, "!abc"}
      pair = {{Backwards, suffix: "!"}, :raw}
      assert Vitrine.call(plugin, "echo", "abc", as: pair) == {:ok, "cba!"}
      assert message(Vitrine.call(plugin, "echo", 1, as: Backwards)) =~ "Backwards: {:no_text, 1}"
      assert message(Vitrine.call(plugin, "echo", "", as: Backwards)) =~ "nothing there"
    end
  end

  describe "a host function with codecs" do
    defp greeter(params, results, function) do
      guest!("rust", host_functions: [HostFunction.new("greet", params, results, function)])
    end

    test "takes and returns terms" do
      plugin = greeter([:json], :msgpack, fn %{"a" => a} -> %{b: a + 1} end)
      assert reason(Vitrine.call(plugin, "greet", %{a: 1}, as: :json)) == :guest_error

      plugin =
        greeter([:json], {:json, max_bytes: 10}, fn %{"a" => a}, context -> [a, context] end)

      assert Vitrine.call(plugin, "greet", %{a: 1}, as: :json, context: "c") == {:ok, [1, "c"]}
      plugin = greeter([Backwards], {Backwards, suffix: "!"}, &String.upcase/1)
      assert Vitrine.call(plugin, "greet", "abc") == {:ok, "ABC!"}
    end

    test "is not called with what cannot be decoded: that is the guest's fault" do
      me = self()
      plugin = greeter([{:json, max_bytes: 10}], :json, fn term -> send(me, term) end)
      error = error!(Vitrine.call(plugin, "greet", "{"))
      assert {error.reason, error.function, error.raw} == {:codec, "greet", "{"}

      assert error.message =~
               ~s(parameter 1 of the host function "greet" cannot be decoded as :json: EOF)

      assert message(Vitrine.call(plugin, "greet", ~s("too long a text"))) =~ "max_bytes"
      refute_received _
      assert Vitrine.call(plugin, "counter") == {:ok, "1"}
    end

    test "that returns what cannot be encoded has failed" do
      plugin = greeter([:raw], :json, fn _ -> %{a: {1, 2}} end)
      error = error!(Vitrine.call(plugin, "greet", ""))
      assert error.reason == :host_function

      assert %ArgumentError{message: message} = error.exception

      assert message =~
               ~s(the result of the host function "greet" cannot be encoded as :json: .a is {1, 2})
    end

    test "may answer with an error as any other" do
      plugin = greeter([:json], :json, fn _ -> {:error, "not you"} end)
      assert error!(Vitrine.call(plugin, "greet", "1")).message =~ "not you"
    end

    test "has WebAssembly's numbers beside handles, in any order" do
      wat = ~S"""
      (module
        (import "extism:host/env" "input_offset" (func $input (result i64)))
        (import "extism:host/env" "output_set" (func $output (param i64 i64)))
        (import "extism:host/env" "length" (func $length (param i64) (result i64)))
        (import "extism:host/user" "f" (func $f (param i32 i64 i64) (result i64 i32)))
        (func (export "f") (result i32) (local $code i32) (local $answer i64)
          (call $f (i32.const 1) (call $input) (i64.const 2))
          (local.set $code)
          (local.set $answer)
          (call $output (local.get $answer) (call $length (local.get $answer)))
          (local.get $code)))
      """

      f = HostFunction.new("f", [:i32, :u64, :i64], [:json, :i32], &[[&1, &2, &3], 0])
      plugin = new!(wat, host_functions: [f])
      assert Vitrine.call(plugin, "f", 77, as: {:u64, :json}) == {:ok, [1, 77, 2]}
      assert message(Vitrine.call(plugin, "f", "77")) =~ "parameter 2 of the host function"
    end

    test "is checked when it is made" do
      assert_raise ArgumentError,
                   ~r/host function "f": .*:binary.* or a codec.* got: :yaml/,
                   fn ->
                     HostFunction.new("f", [:yaml], nil, & &1)
                   end

      error =
        error!(
          Vitrine.new(wasm("rust"),
            host_functions: [HostFunction.new("greet", [:i32], :json, & &1)]
          )
        )

      assert error.reason == :link
    end
  end

  describe ":json" do
    @numbers [
      {"0", 0},
      {"-0", -0.0},
      {"-1", -1},
      {"1.0", 1.0},
      {"1e2", 100.0},
      {"1E+2", 100.0},
      {"-1.5e-3", -0.0015},
      {"9223372036854775807", 9_223_372_036_854_775_807},
      {"-9223372036854775808", -9_223_372_036_854_775_808},
      {"18446744073709551615", 18_446_744_073_709_551_615},
      {"18446744073709551616", 1.8446744073709552e19},
      {"-9223372036854775809", -9.223372036854775808e18},
      {"0.1", 0.1},
      {"0.30000000000000004", 0.30000000000000004},
      {"31.245270191439438", 31.245270191439438},
      {"9007199254740993.0", 9_007_199_254_740_992.0},
      {"1.7976931348623157e308", 1.7976931348623157e308},
      {"5e-324", 5.0e-324},
      {"2.2250738585072011e-308", 2.2250738585072011e-308},
      {"1e-999", 0.0}
    ]

    test "reads numbers to the last digit" do
      for {text, number} <- @numbers do
        assert {text, Codec.decode(:json, text)} === {text, {:ok, number}}
      end
    end

    test "writes the shortest text that is read as the same number" do
      for {number, text} <- [
            {0, "0"},
            {-0.0, "-0.0"},
            {100.0, "100.0"},
            {0.1, "0.1"},
            {1.0e300, "1e+300"},
            {18_446_744_073_709_551_615, "18446744073709551615"},
            {-9_223_372_036_854_775_808, "-9223372036854775808"},
            {0.30000000000000004, "0.30000000000000004"}
          ] do
        assert {number, Codec.encode(:json, number)} == {number, {:ok, text}}
      end
    end

    test "reads and writes texts of every kind" do
      for {text, string} <- [
            {~s(""), ""},
            {~S("\"\\\/\b\f\n\r\t"), "\"\\/\b\f\n\r\t"},
            {~S("\u0000\u001f\u007f"), <<0, 31, 127>>},
            {~S("\u00e9\u65e5\ud83d\ude00"), "é日😀"},
            {~s("é日😀"), "é日😀"}
          ] do
        assert Codec.decode(:json, text) == {:ok, string}
        {:ok, written} = Codec.encode(:json, string)
        assert Codec.decode(:json, written) == {:ok, string}
      end

      assert Codec.encode(:json, "\"\\/\n\0é") == {:ok, ~S("\"\\/\n\u0000é")}
    end

    test "reads structures, of equal keys the last one" do
      text = ~s( {"a" : [ ] , "b":{}, "c":[true,false,null],"a":1 }\n)

      assert Codec.decode(:json, text) ==
               {:ok, %{"a" => 1, "b" => %{}, "c" => [true, false, nil]}}

      keys = Enum.map_join(1..100, ",", &~s("k#{&1}":#{&1}))
      assert {:ok, map} = Codec.decode(:json, ~s({#{keys},"k7":0}))
      assert map == Map.new(1..100, &{"k#{&1}", if(&1 == 7, do: 0, else: &1)})
    end

    test "refuses everything else, with the place" do
      for text <-
            [
              ~s(),
              ~s( ),
              "nul",
              "truefalse",
              "NaN",
              "Infinity",
              "-",
              "+1",
              "01",
              ".5",
              "1.",
              "1e"
            ] ++
              [
                "0x1",
                "1e999",
                "'a'",
                "[1,]",
                "[1 2]",
                "[1",
                ~s({"a":1,}),
                "{a:1}",
                ~s({"a"}),
                "{1:2}"
              ] ++
              [
                ~S("\ud800"),
                ~S("\udc00"),
                ~S("\ud800\u0041"),
                ~S("\x"),
                ~S("\u12"),
                "\"\n\"",
                ~s(")
              ] ++
              ["\"\xff\"", <<0xEF, 0xBB, 0xBF, ?1>>, "[1] 2", "\0", "// 1\n1"] do
        assert message(Codec.decode(:json, text)) =~ ~r/line \d+ column \d+/
      end
    end

    test "writes maps, lists, atoms and times" do
      for {term, text} <- [
            {%{}, "{}"},
            {[], "[]"},
            {[nil, true, false, :atom, Elixir.Atom], ~s([null,true,false,"atom","Elixir.Atom"])},
            {[:é, :日本], ~s(["é","日本"])},
            {%{"a" => %{1 => [2]}}, ~s({"a":{"1":[2]}})},
            {[%{nil: 1}, %{true: 2}, %{é: 3}, %{日: 4}],
             ~s([{"nil":1},{"true":2},{"é":3},{"日":4}])},
            {%{-1 => 1, 18_446_744_073_709_551_615 => 2}, ~s({"-1":1,"18446744073709551615":2})},
            {[~D[2026-11-21], ~T[10:00:00.5]], ~s(["2026-11-21","10:00:00.5"])},
            {%{at: [~N[2026-11-21 10:00:00], ~U[2026-11-21 10:00:00Z]]},
             ~s({"at":["2026-11-21T10:00:00","2026-11-21T10:00:00Z"]})}
          ] do
        assert Codec.encode(:json, term) == {:ok, text}
      end
    end

    test "refuses terms that JSON cannot represent, with their place" do
      for {term, expected} <- [
            {<<255>>, "it is not UTF-8: <<255>>"},
            {<<1::3>>, "it is <<1::size(3)>>, which has no form"},
            {%{users: [%{"name" => <<255>>}]}, ".users[0].name is not UTF-8"},
            {%{1 => %{"a b" => [0, {}]}}, ~s([1]["a b"][1] is {})},
            {[a: 1], "[0] is {:a, 1}"},
            {%{{1} => 2}, "it has a key that is not a string, an atom or an integer: {1}"},
            {%{"a" => %{1.0 => 2}}, ".a has a key"},
            {%{<<255>> => 1}, "it is not UTF-8: <<255>>"},
            {[1 | 2], "it is an improper list: [1 | 2]"},
            {[[0, 1] | [2 | 3]], "improper"},
            {Integer.pow(2, 64), "integer of more than 64 bits: 18446744073709551616"},
            {-Integer.pow(2, 63) - 1, "integer of more than 64 bits"},
            {Integer.pow(2, 80_000), "integer of more than 64 bits: an integer of 10001 bytes"},
            {%{Integer.pow(2, 70) => 1}, "integer of more than 64 bits"},
            {make_ref(), "it is #Reference"},
            {[&is_atom/1], "[0] is &:erlang.is_atom/1"},
            {[~D[2026-11-21], %{uri: %URI{}}],
             "[1].uri is a struct, which must be made a map first: %URI{}"},
            {%{a: %Bin{data: ""}}, ".a is a struct"},
            {nested(128, 1), "[0][0][0][0][0][0][0][0][0][0][0][0]... is nested too deep"},
            {nested(100_000, 1), "is nested too deep"}
          ] do
        assert message(Codec.encode(:json, term)) =~ expected
      end
    end

    test "is nested 127 deep, on whichever scheduler" do
      long = String.duplicate("x", 100_000)

      for inner <- [1, long], codec <- [:json, :msgpack] do
        term = nested(127, inner)
        assert {:ok, text} = Codec.encode(codec, term)
        assert Codec.decode(codec, text) == {:ok, term}
        maps = Enum.reduce(1..127, inner, fn _, inner -> %{"k" => inner} end)
        assert {:ok, text} = Codec.encode(codec, maps)
        assert Codec.decode(codec, text) == {:ok, maps}
      end

      for text <- ["[", ~s({"a":)], count <- [128, 1_000_000] do
        assert message(Codec.decode(:json, String.duplicate(text, count))) =~ "recursion limit"
      end
    end

    test "is encoded and decoded on dirty schedulers when it is large" do
      for term <- [
            Enum.to_list(1..10_000),
            Map.new(1..10_000, &{"#{&1}", [&1]}),
            String.duplicate("x", 100_000)
          ] do
        assert Native.json_encode(term) == :large
        assert Native.msgpack_encode(term) == :large

        for codec <- [:json, :msgpack] do
          assert {:ok, text} = Codec.encode(codec, term)
          assert Codec.decode(codec, text) == {:ok, term}
        end
      end

      for bytes <- [
            %Bin{data: String.duplicate("x", 1_000_000)},
            %Ext{type: 1, data: String.duplicate("x", 1_000_000)}
          ] do
        assert Native.msgpack_encode(bytes) == :large
        assert {:ok, _} = Codec.encode(:msgpack, bytes)
      end

      assert message(Codec.encode(:json, Enum.to_list(1..10_000) ++ [{}])) =~ "[10000] is {}"
    end

    test "refuses texts beyond its limits" do
      large = ~s("#{String.duplicate("x", 16 * 1024 * 1024)}")

      assert message(Codec.decode(:json, large)) =~
               "the limit is 16777216 bytes (max_bytes: 16777216)"

      assert {:ok, text} = Codec.decode({:json, max_bytes: :infinity}, large)
      assert byte_size(text) == 16 * 1024 * 1024
      assert Codec.decode({:json, max_bytes: 4}, "1234") == {:ok, 1234}
      assert message(Codec.decode({:json, max_bytes: 4}, "12345")) =~ "it has 5 bytes"
      assert message(Codec.decode({:msgpack, max_bytes: 0}, <<1>>)) =~ "it has 1 bytes"
    end

    test "makes no atoms" do
      Codec.decode(:json, ~s({"a": 1}))
      before = :erlang.system_info(:atom_count)

      text =
        "[" <> Enum.map_join(1..1_000, ",", &~s({"key_#{&1}_of_a_guest":"value_#{&1}"})) <> "]"

      assert {:ok, [_ | _]} = Codec.decode(:json, text)
      assert :erlang.system_info(:atom_count) - before < 50
    end
  end

  describe ":msgpack" do
    # The shortest form of each value, from the specification.
    @written [
      {nil, <<0xC0>>},
      {false, <<0xC2>>},
      {true, <<0xC3>>},
      {0, <<0x00>>},
      {127, <<0x7F>>},
      {128, <<0xCC, 0x80>>},
      {255, <<0xCC, 0xFF>>},
      {256, <<0xCD, 0x01, 0x00>>},
      {65_536, <<0xCE, 0x00, 0x01, 0x00, 0x00>>},
      {4_294_967_296, <<0xCF, 4_294_967_296::64>>},
      {18_446_744_073_709_551_615, <<0xCF, 0xFFFF_FFFF_FFFF_FFFF::64>>},
      {-1, <<0xFF>>},
      {-32, <<0xE0>>},
      {-33, <<0xD0, 0xDF>>},
      {-129, <<0xD1, 0xFF, 0x7F>>},
      {-32_769, <<0xD2, 0xFF, 0xFF, 0x7F, 0xFF>>},
      {-2_147_483_649, <<0xD3, -2_147_483_649::64>>},
      {1.5, <<0xCB, 1.5::64>>},
      {"", <<0xA0>>},
      {"a", <<0xA1, ?a>>},
      {"日本", <<0xA6, "日本"::utf8>>},
      {[], <<0x90>>},
      {[1, [2]], <<0x92, 1, 0x91, 2>>},
      {%{}, <<0x80>>},
      {%{"a" => 1}, <<0x81, 0xA1, ?a, 1>>},
      {%{1 => 2}, <<0x81, 1, 2>>},
      {%{1.5 => nil}, <<0x81, 0xCB, 1.5::64, 0xC0>>},
      {%{[1] => %{}}, <<0x81, 0x91, 1, 0x80>>},
      {%Ext{type: 1, data: "a"}, <<0xD4, 1, ?a>>},
      {%Ext{type: -1, data: "abcd"}, <<0xD6, 0xFF, "abcd">>},
      {%Ext{type: 127, data: "abcde"}, <<0xC7, 5, 127, "abcde">>}
    ]

    test "writes the shortest form and reads it" do
      for {term, bytes} <- @written do
        assert {term, Codec.encode(:msgpack, term)} === {term, {:ok, bytes}}
        assert {bytes, Codec.decode(:msgpack, bytes)} === {bytes, {:ok, term}}
      end
    end

    test "reads every form there is" do
      for {bytes, term} <- [
            {<<0xCC, 1>>, 1},
            {<<0xCD, 1::16>>, 1},
            {<<0xCE, 1::32>>, 1},
            {<<0xCF, 1::64>>, 1},
            {<<0xD0, 1>>, 1},
            {<<0xD1, -1::16>>, -1},
            {<<0xD2, -1::32>>, -1},
            {<<0xD3, -1::64>>, -1},
            {<<0xCA, 1.5::float-32>>, 1.5},
            {<<0xCA, 0x7FC0_0000::32>>, :nan},
            {<<0xCB, 0x7FF0::16, 0::48>>, :infinity},
            {<<0xCA, 0xFF80_0000::32>>, :neg_infinity},
            {<<0xD9, 1, ?a>>, "a"},
            {<<0xDA, 1::16, ?a>>, "a"},
            {<<0xDB, 1::32, ?a>>, "a"},
            {<<0xC4, 1, 255>>, <<255>>},
            {<<0xC5, 1::16, 255>>, <<255>>},
            {<<0xC6, 1::32, 255>>, <<255>>},
            {<<0xDC, 1::16, 7>>, [7]},
            {<<0xDD, 1::32, 7>>, [7]},
            {<<0xDE, 1::16, 7, 8>>, %{7 => 8}},
            {<<0xDF, 1::32, 7, 8>>, %{7 => 8}},
            {<<0x82, 7, 8, 7, 9>>, %{7 => 9}},
            {<<0xD5, 5, "ab">>, %Ext{type: 5, data: "ab"}},
            {<<0xD7, 5, "abcdefgh">>, %Ext{type: 5, data: "abcdefgh"}},
            {<<0xD8, 5, "abcdefghijklmnop">>, %Ext{type: 5, data: "abcdefghijklmnop"}},
            {<<0xC8, 1::16, -5, ?a>>, %Ext{type: -5, data: "a"}},
            {<<0xC9, 0::32, -128>>, %Ext{type: -128, data: ""}}
          ] do
        assert {bytes, Codec.decode(:msgpack, bytes)} == {bytes, {:ok, term}}
      end
    end

    test "writes long texts, bytes, lists and maps with their lengths" do
      for length <- [15, 16, 31, 32, 255, 256, 65_535, 65_536] do
        for term <- [
              String.duplicate("a", length),
              List.duplicate(1, length),
              Map.new(1..length, &{&1, &1})
            ] do
          assert {:ok, bytes} = Codec.encode(:msgpack, term)
          assert Codec.decode(:msgpack, bytes) == {:ok, term}
        end

        data = :binary.copy(<<255>>, length)
        assert {:ok, bytes} = Codec.encode(:msgpack, %Bin{data: data})
        assert Codec.decode(:msgpack, bytes) == {:ok, data}
        assert {:ok, bytes} = Codec.encode(:msgpack, %Ext{type: 1, data: data})
        assert Codec.decode(:msgpack, bytes) == {:ok, %Ext{type: 1, data: data}}
      end
    end

    test "refuses bytes that are not a value, with the place" do
      for {bytes, expected} <- [
            {<<>>, "unexpected end at byte 0"},
            {<<0xC1>>, "0xC1, which begins no value"},
            {<<0x92, 1>>, "unexpected end at byte 2"},
            {<<0xDD, 0xFFFF_FFFF::32, 0>>, "unexpected end"},
            {<<0xDF, 0xFFFF_FFFF::32, 0>>, "unexpected end"},
            {<<0xDB, 0xFFFF_FFFF::32, 0>>, "unexpected end"},
            {<<0xC9, 0xFFFF_FFFF::32, 0>>, "unexpected end"},
            {<<0xCF, 0>>, "unexpected end"},
            {<<0xA1, 255>>, "a str that is not UTF-8"},
            {<<1, 2>>, "there are bytes behind the value, at byte 1"},
            {:binary.copy(<<0x91>>, 128) <> <<0>>, "nesting limit exceeded at byte 128"},
            {:binary.copy(<<0x81>>, 1_000_000), "nesting limit exceeded"}
          ] do
        assert message(Codec.decode(:msgpack, bytes)) =~ expected
      end
    end

    test "refuses terms that MessagePack cannot represent" do
      for {term, expected} <- [
            {%{a: <<255>>},
             ".a is not UTF-8: <<255>>; bytes are encoded as Vitrine.Codec.MessagePack.Bin"},
            {[{1}], "[0] is {1}"},
            {%{{1} => 2}, "it is {1}"},
            {%Ext{type: 128, data: ""}, "%Vitrine.Codec.MessagePack.Ext{}"},
            {%Ext{type: 1, data: nil}, "%Vitrine.Codec.MessagePack.Ext{}"},
            {%Bin{data: [1]}, "%Vitrine.Codec.MessagePack.Bin{}"},
            {%URI{}, "%URI{}"},
            {Integer.pow(2, 64), "64 bits"}
          ] do
        assert message(Codec.encode(:msgpack, term)) =~ expected
      end
    end

    test "has timestamps of three sizes, from the specification" do
      for {time, data} <- [
            {~U[1970-01-01 00:00:00Z], <<0::32>>},
            {~U[2106-02-07 06:28:15Z], <<0xFFFF_FFFF::32>>},
            {~U[1970-01-01 00:00:00.000001Z], <<1_000::30, 0::34>>},
            {~U[2106-02-07 06:28:16Z], <<0::30, 0x1_0000_0000::34>>},
            {~U[1969-12-31 23:59:59Z], <<0::32, -1::64>>},
            {~U[1969-12-31 23:59:59.500000Z], <<500_000_000::32, -1::64>>}
          ] do
        assert Ext.from_datetime(time) == %Ext{type: -1, data: data}
        assert {:ok, read} = Ext.to_datetime(%Ext{type: -1, data: data})
        assert DateTime.compare(read, time) == :eq
      end

      for ext <- [
            %Ext{type: 1, data: <<0::32>>},
            %Ext{type: -1, data: <<0::40>>},
            %Ext{type: -1, data: <<1_000_000_000::30, 0::34>>},
            %Ext{type: -1, data: <<0::32, 0x7FFF_FFFF_FFFF_FFFF::64>>}
          ] do
        assert Ext.to_datetime(ext) == :error
      end
    end
  end

  describe "the codecs for single values" do
    test "encode and decode" do
      for {codec, term, bytes} <- [
            {:bool, true, <<1>>},
            {:bool, false, <<0>>},
            {:i32, -2, <<0xFE, 0xFF, 0xFF, 0xFF>>},
            {:i32, -0x8000_0000, <<0, 0, 0, 0x80>>},
            {:u32, 0xFFFF_FFFE, <<0xFE, 0xFF, 0xFF, 0xFF>>},
            {:i64, -2, <<0xFE, -1::56>>},
            {:u64, 0xFFFF_FFFF_FFFF_FFFE, <<0xFE, -1::56>>},
            {:u64, 1, <<1, 0::56>>},
            {:f32, 1.5, <<0, 0, 0xC0, 0x3F>>},
            {:f32, :infinity, <<0, 0, 0x80, 0x7F>>},
            {:f32, :neg_infinity, <<0, 0, 0x80, 0xFF>>},
            {:f32, :nan, <<0, 0, 0xC0, 0x7F>>},
            {:f64, -1.5, <<0::48, 0xF8, 0xBF>>},
            {:f64, :infinity, <<0::48, 0xF0, 0x7F>>},
            {:f64, :neg_infinity, <<0::48, 0xF0, 0xFF>>},
            {:f64, :nan, <<0::48, 0xF8, 0x7F>>},
            {:string, "é", "é"},
            {:base64, <<255, 0>>, "/wA="},
            {:raw, <<255>>, <<255>>},
            {:empty, nil, ""}
          ] do
        assert {codec, Codec.encode(codec, term)} === {codec, {:ok, bytes}}
        assert {codec, Codec.decode(codec, bytes)} === {codec, {:ok, term}}
      end

      assert Codec.encode(:f64, 2) == {:ok, <<2.0::little-float-64>>}
      assert Codec.encode(:f32, -2) == {:ok, <<-2.0::little-float-32>>}
      assert Codec.decode(:f64, <<1, 0::40, 0xF0, 0xFF>>) == {:ok, :nan}
      assert Codec.decode(:bool, <<7>>) == {:ok, true}
      assert Codec.encode(:raw, [1, ["a"]]) == {:ok, <<1, "a">>}
    end

    test "refuse what does not fit" do
      for {codec, term} <- [
            {:bool, nil},
            {:bool, 1},
            {:i32, 0x8000_0000},
            {:i32, 1.0},
            {:u32, -1},
            {:u32, 0x1_0000_0000},
            {:i64, 0x8000_0000_0000_0000},
            {:u64, -1},
            {:u64, "1"},
            {:f32, 1.0e39},
            {:f32, "1"},
            {:f64, Integer.pow(10, 400)},
            {:f64, :inf},
            {:string, <<255>>},
            {:string, <<0xC3>>},
            {:string, ["a"]},
            {:base64, ["a"]},
            {:raw, %{}},
            {:raw, [:a]},
            {:raw, [1 | 2]},
            {:empty, ""}
          ] do
        assert message(Codec.encode(codec, term)) =~ "the term cannot be encoded as :#{codec}: "
      end

      for {codec, bytes} <- [
            {:bool, ""},
            {:bool, <<1, 1>>},
            {:i32, <<1>>},
            {:u64, <<1::32>>},
            {:f64, ""},
            {:string, <<?a, 255>>},
            {:base64, "/wA"},
            {:base64, "_w=="},
            {:empty, " "}
          ] do
        assert message(Codec.decode(codec, bytes)) =~ "the bytes cannot be decoded as :#{codec}: "
        assert error!(Codec.decode(codec, bytes)).raw == bytes
      end

      assert message(Codec.decode(:string, <<"abc", 255>>)) =~ "it is not UTF-8 at byte 3"
    end
  end
end
