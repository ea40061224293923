defmodule Vitrine.KitchenSinkTest do
  # Tests what test/guests/README.md says of the plugin of every language. The tests are the same for each, also
  # when its instances begin as it was after a first call.
  # Not async: Logger's level is everybody's.
  use ExUnit.Case, async: false

  @moduletag :fusing

  import ExUnit.CaptureLog
  import Vitrine.Guests

  alias Vitrine.EchoServer

  @unreachable "wasm `unreachable` instruction executed"
  @trap {:trap, @unreachable}

  # In what they may differ: WASI, JSON, and what `unreachable` and `panic` come to, if they exist.
  @languages [
    {"rust", json: true, unreachable: @trap, panic: @trap},
    {"assemblyscript",
     unreachable: @trap, panic: {:trap, "at the plugin's request (#{@unreachable})"}},
    {"go",
     wasi: true,
     json: true,
     panic: {:trap, "#{@unreachable}; the plugin said last: panic: at the plugin's request"}},
    {"javascript", json: true, panic: {:guest_error, "cannot read property 'request' of null"}},
    {"c", unreachable: @trap},
    {"cpp", wasi: true, unreachable: @trap, panic: @trap},
    {"zig", json: true, unreachable: @trap, panic: @trap},
    {"d", unreachable: @trap},
    {"wat", unreachable: @trap}
  ]

  @variants for {language, traits} <- @languages,
                snapshot <- [false, "echo"],
                do: {language, traits, snapshot}

  setup_all do
    compiled =
      @variants
      |> Task.async_stream(
        fn {language, _, snapshot} = variant ->
          {{language, snapshot}, compile!(variant)}
        end,
        timeout: 300_000
      )
      |> Map.new(fn {:ok, compiled} -> compiled end)

    {:ok, compiled: compiled}
  end

  setup context do
    level = Logger.level()
    on_exit(fn -> Logger.configure(level: level) end)
    Logger.configure(level: :debug)
    {:ok, plugin: plugin!(context)}
  end

  defp compile!({language, traits, snapshot}) do
    source = if language == "wat", do: wat("kitchen_sink"), else: wasm(language)
    wasi = traits[:wasi] == true
    options = [name: language, host_functions: host_functions(), wasi: wasi, snapshot: snapshot]
    assert {:ok, compiled} = Vitrine.compile(source, [timeout: 60_000] ++ options)
    compiled
  end

  defp plugin!(%{language: language, snapshot: snapshot} = context, options \\ []) do
    context.compiled |> Map.fetch!({language, snapshot}) |> new!([timeout: 5_000] ++ options)
  end

  # The reason, and what is told of it.
  defp outcome(result) do
    error = error!(result)
    {error.reason, error.message}
  end

  # The bytes that a guest copies eight at a time, and the ends of pages.
  @lengths [0, 1, 7, 8, 9, 65_535, 65_536, 65_537, 1_048_576]

  for {language, traits, snapshot} <- @variants do
    describe language <> if(snapshot, do: ", from a snapshot", else: "") do
      @describetag language: language, snapshot: snapshot

      test "echo: any bytes come back unchanged", %{plugin: plugin} do
        :rand.seed(:exsss, ExUnit.configuration()[:seed])
        lengths = @lengths ++ for _ <- 1..30, do: :rand.uniform(5_000)

        for length <- lengths do
          bytes = :rand.bytes(length)
          {:ok, output} = Vitrine.call(plugin, "echo", bytes)
          assert output == bytes, "#{length} bytes came back as #{byte_size(output)} others"
        end
      end

      test "big_output: outputs may be larger than a page of memory", %{plugin: plugin} do
        for length <- [0, 1, 65_536, 5_000_000] do
          {:ok, output} = Vitrine.call(plugin, "big_output", "#{length}")
          assert output == String.duplicate("x", length)
        end
      end

      if traits[:json] do
        test "sum_json: JSON goes in and comes out", %{plugin: plugin} do
          json = ~S({"name": "K\u00e4the \"K\" 🦀", "numbers": [1, -2, 3000000000]})
          answer = ~S({"name":"Käthe \"K\" 🦀","sum":2999999999})
          assert Vitrine.call(plugin, "sum_json", json) == {:ok, answer}
        end

        test "sum_json: fails for input that is not JSON, and works again", %{plugin: plugin} do
          for wrong <- ["", "{", ~S({"name": 1})] do
            assert {:guest_error, message} = outcome(Vitrine.call(plugin, "sum_json", wrong))
            assert message != ""
          end

          assert {:ok, _} = Vitrine.call(plugin, "sum_json", ~S({"name": "", "numbers": []}))
        end
      end

      test "count_vowels: a variable outlives the call, and the instance", %{plugin: plugin} do
        report = &~s({"count":#{&1},"total":#{&2},"vowels":"aeiouAEIOU"})
        assert Vitrine.call(plugin, "count_vowels", "Hello, World!") == {:ok, report.(3, 3)}
        assert Vitrine.call(plugin, "count_vowels", "ÅÄÖ 🦀 AEIOU y") == {:ok, report.(5, 8)}
        assert Vitrine.reset(plugin) == :ok
        assert Vitrine.call(plugin, "count_vowels", "") == {:ok, report.(0, 8)}
      end

      test "counter: a static variable outlives the call, but not the instance", ctx do
        for count <- ~w(1 2 3), do: assert(Vitrine.call(ctx.plugin, "counter") == {:ok, count})
        assert Vitrine.call(plugin!(ctx), "counter") == {:ok, "1"}
        assert Vitrine.reset(ctx.plugin) == :ok
        assert Vitrine.call(ctx.plugin, "counter") == {:ok, "1"}
      end

      test "greet: a host function runs in the calling process", context do
        greet = fn name -> "#{inspect(self())} greets #{name}" end
        plugin = plugin!(context, host_functions: %{"greet" => greet, "tick" => & &1})
        greeting = "#{inspect(self())} greets Käthe"
        assert Vitrine.call(plugin, "greet", "Käthe") == {:ok, greeting}
      end

      test "greet: a host function that raises ends the call, not the plugin", context do
        greet = fn
          "nobody" -> raise "there is nobody"
          name -> "hello " <> name
        end

        plugin = plugin!(context, host_functions: %{"greet" => greet, "tick" => & &1})
        error = error!(Vitrine.call(plugin, "greet", "nobody"))
        assert error.reason == :host_function
        assert error.exception == %RuntimeError{message: "there is nobody"}
        assert Vitrine.call(plugin, "greet", "Joe") == {:ok, "hello Joe"}
      end

      test "config_value: a value that is there, and one that is not", context do
        plugin = plugin!(context, config: %{"key" => "värde"})
        assert Vitrine.call(plugin, "config_value", "key") == {:ok, "värde"}
        assert Vitrine.call(plugin, "config_value", "missing") == {:ok, ""}
        assert Vitrine.call(plugin, "config_value", "ke") == {:ok, ""}
      end

      test "var_set, var_get, var_delete: variables of any bytes", %{plugin: plugin} do
        assert Vitrine.call(plugin, "var_get", "key") == {:ok, ""}
        assert Vitrine.call(plugin, "var_delete", "key") == {:ok, ""}

        for value <- [<<0, 255, "=", 10, 0>>, "another", String.duplicate("x", 100_000)] do
          assert Vitrine.call(plugin, "var_set", "key=" <> value) == {:ok, ""}
          assert Vitrine.call(plugin, "var_set", "kez=other") == {:ok, ""}
          assert Vitrine.call(plugin, "var_get", "key") == {:ok, value}
        end

        assert Vitrine.call(plugin, "var_delete", "key") == {:ok, ""}
        assert Vitrine.call(plugin, "var_get", "key") == {:ok, ""}
        assert Vitrine.call(plugin, "var_get", "kez") == {:ok, "other"}
        assert Vitrine.call(plugin, "var_set", "kez=") == {:ok, ""}
        assert Vitrine.call(plugin, "var_get", "kez") == {:ok, ""}
      end

      test "var_set: fails without an assignment", %{plugin: plugin} do
        assert outcome(Vitrine.call(plugin, "var_set", "key")) ==
                 {:guest_error, "expected key=value"}
      end

      test "log_all: at every level, in order", %{plugin: plugin} do
        message = "a line ☃ of #{System.unique_integer([:positive])}"

        log =
          capture_log([format: "[$level] $message\n", colors: [enabled: false]], fn ->
            assert Vitrine.call(plugin, "log_all", message) == {:ok, ""}
          end)

        levels =
          for [level, ^message] <-
                Regex.scan(~r/\[(\w+)\] plugin "[^"]*", function "log_all": (.*)/, log,
                  capture: :all_but_first
                ),
              do: level

        # Logger has no trace; Elixir 1.14 says `warn`.
        assert Enum.map(levels, &String.replace(&1, "warning", "warn")) ==
                 ~w(debug debug info warn error)
      end

      test "log_level: the guest knows what Logger wants", %{plugin: plugin} do
        for {level, number} <- [debug: "0", info: "2", warning: "3", error: "4"] do
          Logger.configure(level: level)
          assert Vitrine.call(plugin, "log_level") == {:ok, number}
        end

        assert unlogged(fn -> Vitrine.call!(plugin, "log_level") end) == "2147483647"
      end

      @tag :http
      test "http_body: requests have a method, headers and a body of any bytes", context do
        server = start_supervised!(EchoServer)
        plugin = plugin!(context, allowed_hosts: ["127.0.0.1"])
        url = EchoServer.url(server, 200)
        assert Vitrine.call(plugin, "http_body", ~s({"url": "#{url}"})) == {:ok, "GET \n"}

        for {method, body} <- [{"POST", <<0, "\n{binary", 255>>}, {"PUT", :rand.bytes(70_000)}] do
          request = ~s({"url": "#{url}", "method": "#{method}", "headers": {"X-Guest": "yes"}})
          answer = Vitrine.call(plugin, "http_body", [request, "\n", body])
          assert answer == {:ok, "#{method} yes\n" <> body}
        end
      end

      @tag :http
      test "http_status: any status is an answer", context do
        server = start_supervised!(EchoServer)
        plugin = plugin!(context, allowed_hosts: ["127.0.0.1"])

        for status <- [200, 201, 404, 500] do
          request = ~s({"url": "#{EchoServer.url(server, status)}", "method": "POST"}\nbody)
          assert Vitrine.call(plugin, "http_status", request) == {:ok, "#{status}"}
          assert Vitrine.call(plugin, "http_body", request) == {:ok, "POST \nbody"}
        end
      end

      @tag :http
      test "http_headers: the guest sees the response's headers if it may", context do
        server = start_supervised!(EchoServer)
        request = ~s({"url": "#{EchoServer.url(server, 200)}"})
        options = [allowed_hosts: ["127.0.0.1"]]

        plugin = plugin!(context, options ++ [http_response_headers: true])
        assert {:ok, output} = Vitrine.call(plugin, "http_headers", request)
        assert output =~ ~S("x-host":"vitrine")
        assert output =~ ~S("content-length":"5")

        assert {:ok, output} = Vitrine.call(plugin!(context, options), "http_headers", request)
        assert output in ["", "{}"]
      end

      @tag :http
      test "http_body: a host that is not allowed ends the call", context do
        server = start_supervised!(EchoServer)
        request = ~s({"url": "#{EchoServer.url(server, 200)}"})
        assert reason(Vitrine.call(context.plugin, "http_body", request)) == :http
        plugin = plugin!(context, allowed_hosts: ["localhost"])
        assert reason(Vitrine.call(plugin, "http_body", request)) == :http
        assert Vitrine.call(plugin, "echo", "still here") == {:ok, "still here"}
      end

      test "fail: the message is the guest's", %{plugin: plugin} do
        error = error!(Vitrine.call(plugin, "fail", "nicht gültig"))

        assert {error.reason, error.message, error.code} ==
                 {:guest_error, "nicht gültig", -1}

        assert Vitrine.call(plugin, "echo", "still here") == {:ok, "still here"}
      end

      test "fail_with_code: a message and a return code, which may be 0", %{plugin: plugin} do
        for code <- [1, 42, -7, 2_147_483_647, 0] do
          error = error!(Vitrine.call(plugin, "fail_with_code", "#{code}"))
          assert {error.reason, error.message, error.code} == {:guest_error, "coded", code}
        end
      end

      for function <- [:unreachable, :panic], expected = traits[function] do
        # Go says on the standard error what happened.
        @tag :capture_log
        test "#{function}: ends the call, and the next one works", %{plugin: plugin} do
          function = unquote("#{function}")
          assert outcome(Vitrine.call(plugin, function)) == unquote(expected)
          assert Vitrine.call(plugin, "echo", "still here") == {:ok, "still here"}
        end
      end
    end
  end
end
