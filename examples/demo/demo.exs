# A tour of Vitrine. Run it with `make demo`, or `mix run examples/demo/demo.exs`.

defmodule Demo do
  @guests Path.expand("../../test/guests", __DIR__)

  def run do
    say([:bright, "Vitrine: untrusted WebAssembly plugins inside the BEAM"])

    say(
      "OTP #{System.otp_release()}, #{System.schedulers_online()} schedulers, this is #{inspect(self())}"
    )

    languages()
    host_functions()
    grants()
    traps()
    endless_loop()
    killed()
    neighbours()
    shared()
  end

  defp languages do
    title("The same plugin in seven languages")

    for name <- ~w(rust c cpp zig d assemblyscript javascript) do
      {load, plugin} = timed(fn -> load!(name <> ".wasm", wasi: true) end)
      {:ok, json} = Vitrine.call(plugin, "count_vowels", "an exhibit behind glass")
      call = median(fn -> Vitrine.call!(plugin, "echo", "hi") end)
      line(name, json, "loaded in #{time(load)}, then #{time(call)} a call")
    end
  end

  defp host_functions do
    title("A plugin calls Elixir back, in the process that called the plugin")

    greet = fn name -> "hello #{name}, from #{inspect(self())}" end
    plugin = load!("rust.wasm", host_functions: %{"greet" => greet})
    {microseconds, answer} = timed(fn -> Vitrine.call!(plugin, "greet", "Joe") end)
    line("the caller is", inspect(self()), "")
    line("the plugin says", answer, time(microseconds))

    task = Task.async(fn -> {self(), Vitrine.call!(plugin, "greet", "Mike")} end)
    {pid, answer} = Task.await(task)
    line("the caller is", inspect(pid), "")
    line("the plugin says", answer, "")
  end

  defp grants do
    title("A plugin sees what it is granted, and nothing else")
    plugin = load!("c_wasi.wasm", wasi: true)
    {:error, error} = Vitrine.call(plugin, "read_file", "/guests/README.md")
    line("without a grant", error.message, "")

    guests = Path.dirname(guest("wat", ""))
    paths = %{"ro:#{guests}" => "/guests"}
    plugin = load!("c_wasi.wasm", wasi: [stdout: :capture], allowed_paths: paths)
    {:ok, text} = Vitrine.call(plugin, "read_file", "/guests/README.md")
    line("with its directory", text |> String.split("\n") |> hd(), "#{byte_size(text)} bytes")
    {:error, error} = Vitrine.call(plugin, "delete_file", "/guests/README.md")
    line("which is read-only", error.message, "")

    {:ok, _} = Vitrine.call(plugin, "print", "printed by a plugin")
    line("its standard output", inspect(Vitrine.take_printed(plugin).stdout), "")

    {:error, error} =
      Vitrine.call(load!("rust.wasm"), "http_body", ~s({"url": "http://10.0.0.1/"}))

    line("a host not allowed", error.message, "")

    {:error, error} = Vitrine.call(load!("rust.wasm", fuel: 100_000), "spin")
    line("fuel: 100_000", error.message, "")
  end

  defp traps do
    title("A plugin that crashes is an error value")
    plugin = load!("rust.wasm")

    for function <- ~w(recurse unreachable out_of_bounds divide_by_zero) do
      {microseconds, {:error, error}} = timed(fn -> Vitrine.call(plugin, function) end)
      line(function, error.message, time(microseconds))
    end

    {:error, error} = Vitrine.call(plugin, "fail", "out of cheese")
    line("fail", "#{error.reason}: #{error.message}", "")
    line("and then echo", Vitrine.call!(plugin, "echo", "still here"), "")
  end

  defp endless_loop do
    title("A plugin that never ends is timed out")
    plugin = load!("rust.wasm")

    {microseconds, {:error, error}} =
      timed(fn -> Vitrine.call(plugin, "spin", "", timeout: 100) end)

    [what, where] = String.split(error.message, ": ", parts: 2)
    line("timeout: 100", what, "after #{time(microseconds)}")
    line("where the time went", where |> String.split(";") |> hd(), "")
    line("and then echo", Vitrine.call!(plugin, "echo", "still here"), "")
  end

  defp killed do
    title("A plugin dies with its process")
    plugin = load!("rust.wasm")
    {pid, monitor} = spawn_monitor(fn -> Vitrine.call(plugin, "spin", "", timeout: :infinity) end)
    Process.sleep(50)

    line(
      "while it spins",
      inspect(Vitrine.call(plugin, "echo", "hi") |> elem(1) |> Map.get(:reason)),
      ""
    )

    {microseconds, _} =
      timed(fn ->
        Process.exit(pid, :kill)

        receive do
          {:DOWN, ^monitor, _, _, _} -> :ok
        end
      end)

    line("Process.exit(pid, :kill)", "the process is gone", time(microseconds))
    {microseconds, answer} = timed(fn -> echo_when_free(plugin) end)
    line("and then echo", answer, "free again after #{time(microseconds)}")
  end

  defp neighbours do
    title("Fifty endless loops do not disturb anything else")
    loops = for _ <- 1..50, do: load!(guest("wat", "spin.wat"))

    pids =
      for plugin <- loops do
        spawn(fn -> Vitrine.call(plugin, "spin", "", timeout: :infinity) end)
      end

    Process.sleep(300)
    compiled = Vitrine.compile!(guest("wasm", "rust_minimal.wasm"))
    echo = Vitrine.new!(compiled)
    line("spawn, send, receive", "median of 1000", time(median(&spawn_and_reply/0)))

    line(
      "another plugin's echo",
      "median of 1000",
      time(median(fn -> Vitrine.call!(echo, "echo", "hi") end))
    )

    line(
      "in a fresh instance",
      "median of 1000",
      time(median(fn -> Vitrine.run!(compiled, "echo", "hi") end))
    )

    {microseconds, _} =
      timed(fn ->
        monitors = Enum.map(pids, &Process.monitor/1)
        Enum.each(pids, &Process.exit(&1, :kill))

        for monitor <- monitors do
          receive do
            {:DOWN, ^monitor, _, _, _} -> :ok
          end
        end
      end)

    line("killing all fifty", "done", time(microseconds))
  end

  defp shared do
    title("A supervised server shares one plugin, and its state, between processes")

    children = [
      {Vitrine.Server,
       source: guest("wasm", "zig.wasm"), name: Demo.Counter, host_functions: %{"greet" => & &1}}
    ]

    {:ok, supervisor} = Supervisor.start_link(children, strategy: :one_for_one)

    counts =
      1..100
      |> Task.async_stream(fn _ -> Vitrine.call!(Demo.Counter, "counter") end)
      |> Enum.map(fn {:ok, count} -> String.to_integer(count) end)

    line(
      "100 processes count",
      "#{Enum.min(counts)} to #{Enum.max(counts)}, each number once: #{counts -- Enum.uniq(counts) == []}",
      ""
    )

    line(
      "a call through it",
      "median of 1000",
      time(median(fn -> Vitrine.call!(Demo.Counter, "echo", "hi") end))
    )

    Supervisor.stop(supervisor)
  end

  ## Helpers

  defp load!(name, options \\ []) do
    path = Path.expand(name, Path.join(@guests, "wasm"))
    options = Keyword.put_new(options, :host_functions, %{"greet" => & &1, "tick" => & &1})
    {:ok, plugin} = Vitrine.new(path, options)
    plugin
  end

  defp guest(kind, file), do: Path.join([@guests, kind, file])

  defp echo_when_free(plugin) do
    case Vitrine.call(plugin, "echo", "still here") do
      {:ok, answer} -> answer
      {:error, %{reason: :busy}} -> echo_when_free(plugin)
    end
  end

  defp spawn_and_reply do
    me = self()
    spawn(fn -> send(me, :done) end)

    receive do
      :done -> :ok
    end
  end

  defp timed(function) do
    {nanoseconds, result} = nanoseconds(function)
    {nanoseconds / 1000, result}
  end

  defp nanoseconds(function) do
    start = System.monotonic_time(:nanosecond)
    result = function.()
    {System.monotonic_time(:nanosecond) - start, result}
  end

  defp median(function) do
    times = for _ <- 1..1000, do: function |> nanoseconds() |> elem(0)
    Enum.at(Enum.sort(times), 500) / 1000
  end

  defp time(microseconds) when microseconds < 10, do: "#{Float.round(microseconds / 1, 2)} µs"
  defp time(microseconds) when microseconds < 1000, do: "#{round(microseconds)} µs"
  defp time(microseconds), do: "#{Float.round(microseconds / 1000, 1)} ms"

  defp title(text), do: say(["\n", :bright, :cyan, text])

  defp line(what, result, note) do
    say([
      "  ",
      String.pad_trailing(what, 26),
      :green,
      if(note == "", do: result, else: String.pad_trailing(result, 52)),
      :reset,
      :faint,
      note
    ])
  end

  defp say(text), do: [text, :reset] |> IO.ANSI.format() |> IO.puts()
end

Demo.run()
