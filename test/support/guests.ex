defmodule Vitrine.Guests do
  @moduledoc "The guest plugins of test/guests, and what tests need around them."

  import ExUnit.Assertions

  @guests Path.expand("../guests", __DIR__)

  @doc "The path of a plugin that was built from test/guests."
  def wasm(name), do: Path.join([@guests, "wasm", name <> ".wasm"])

  @doc "The path of a plugin written as WebAssembly text."
  def wat(name), do: Path.join([@guests, "wat", name <> ".wat"])

  @doc "The host functions that the plugins of test/guests/wasm import, for tests that do not care."
  def host_functions do
    %{"greet" => &("hello " <> &1), "tick" => & &1}
  end

  @doc "A plugin that must load."
  def new!(source, options \\ []) do
    assert {:ok, plugin} = Vitrine.new(source, options)
    plugin
  end

  @doc "One of the plugins of test/guests/wasm, with the host functions it wants."
  def guest!(name, options \\ []) do
    new!(wasm(name), Keyword.put_new(options, :host_functions, host_functions()))
  end

  @doc "Runs `body` while Logger takes nothing from this process."
  if Code.ensure_loaded?(Logger) and function_exported?(Logger, :put_process_level, 2) do
    def unlogged(body) do
      Logger.put_process_level(self(), :none)
      body.()
    after
      Logger.delete_process_level(self())
    end
  else
    # Elixir before 1.15.
    def unlogged(body) do
      Logger.disable(self())
      body.()
    after
      Logger.enable(self())
    end
  end

  @doc "The error that a call must end with."
  def error!(result) do
    assert {:error, %Vitrine.Error{} = error} = result
    assert Exception.message(error) =~ Vitrine.Text.Printable.text(error.message)
    error
  end

  @doc "The reason of the error that a call must end with."
  def reason(result), do: error!(result).reason

  @doc "Waits until `condition` holds: what is released when a process dies is not released at once."
  def eventually(condition), do: eventually(condition, System.monotonic_time(:second) + 60)

  defp eventually(condition, deadline) do
    cond do
      condition.() ->
        :ok

      System.monotonic_time(:second) > deadline ->
        flunk("the condition did not hold within a minute")

      true ->
        Process.sleep(10) && eventually(condition, deadline)
    end
  end

  @doc "A process that is in the middle of a call."
  def running!(plugin, function, input \\ "") do
    pid = spawn(fn -> Vitrine.call(plugin, function, input, timeout: :infinity) end)
    in_call!(plugin)
    pid
  end

  @doc "Waits until the plugin is in a call."
  def in_call!(plugin), do: eventually(fn -> not Vitrine.Native.plugin_idle(plugin.ref) end)
end
