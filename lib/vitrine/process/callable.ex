defmodule Vitrine.Process.Callable do
  @moduledoc false
  # Checks that a term can be called or run, where callers give it. A term that cannot raises `ArgumentError`, with
  # advice if Vitrine itself made it.

  alias Vitrine.{Compiled, Manifest, Plugin}
  alias Vitrine.Options.Argument
  alias Vitrine.Text.Printable

  @typedoc "A process, by its pid or any name that `GenServer.call/3` takes."
  @type process :: GenServer.server()

  @doc "Checks what `Vitrine.call/4` takes."
  @spec callable!(term()) :: Plugin.t() | process()
  def callable!(%Plugin{} = plugin), do: plugin
  def callable!(other), do: process!(other, "a plugin, a server or a pool")

  @doc "Checks a process. `what` is what the message says was expected."
  @spec process!(term(), String.t()) :: process()
  def process!(pid, _what) when is_pid(pid), do: pid
  def process!(name, _what) when is_atom(name) and name not in [nil, true, false], do: name
  def process!({:global, _} = name, _what), do: name

  def process!({:via, module, _} = name, what) when is_atom(module) do
    if function_exported?(module, :whereis_name, 1) or
         (Code.ensure_loaded?(module) and function_exported?(module, :whereis_name, 1)),
       do: name,
       else: Argument.wrong!(what, "#{show(name)}: #{inspect(module)} is not a registry")
  end

  def process!({name, node} = process, _) when is_atom(name) and is_atom(node), do: process
  def process!(other, what), do: Argument.wrong!(what, show(other) <> advice(other))

  @doc "Checks for what `Vitrine.compile/2` gives."
  @spec compiled!(term()) :: Compiled.t()
  def compiled!(%Compiled{} = compiled), do: compiled

  def compiled!(other) do
    advice =
      case other do
        {:ok, %Compiled{}} -> ": match on {:ok, compiled} first"
        %Plugin{} -> ": use Vitrine.call/4"
        {:module, bytes} when is_binary(bytes) -> ": Vitrine.compile/2 makes one of a source"
        source when is_binary(source) -> ": Vitrine.compile/2 makes one of a source"
        _ -> ""
      end

    Argument.wrong!("a compiled plugin", show(other) <> advice)
  end

  @doc "Checks a source for a process that may run on another node. Compiled code cannot leave its own node."
  @spec local!(term(), process()) :: :ok
  def local!(%Compiled{} = compiled, process) do
    case GenServer.whereis(process) do
      {_name, node} when node != node() -> elsewhere!(compiled, node)
      pid when is_pid(pid) and node(pid) != node() -> elsewhere!(compiled, node(pid))
      _here -> :ok
    end
  end

  def local!(_source, _process), do: :ok

  @spec elsewhere!(Compiled.t(), node()) :: no_return()
  defp elsewhere!(compiled, node) do
    Argument.wrong!(
      "a source that can be sent to #{node}: a path there, bytes or a manifest",
      inspect(compiled)
    )
  end

  defp advice({:ok, %Compiled{}}), do: ": match on {:ok, compiled} first, and use Vitrine.run/4"
  defp advice({:ok, _}), do: ": match on {:ok, plugin} first"
  defp advice(%Compiled{}), do: ": use Vitrine.run/4, or make a plugin of it by Vitrine.new/2"
  defp advice(%Manifest{}), do: ": Vitrine.new/2 makes a plugin of a source"
  defp advice(source) when is_binary(source), do: ": Vitrine.new/2 makes a plugin of a source"

  defp advice({:module, bytes}) when is_binary(bytes),
    do: ": Vitrine.Pool and Vitrine.Server take it as their :source, and Vitrine.compile/2 too"

  defp advice(_other), do: ""

  # The bytes of an upload are not shown.
  defp show({:module, bytes}) when is_binary(bytes), do: "{:module, #{byte_size(bytes)} bytes}"
  defp show(other), do: Printable.term(other)
end
