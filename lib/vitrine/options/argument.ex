defmodule Vitrine.Options.Argument do
  @moduledoc false
  # What callers give, checked where it comes in: what is no plugin, no name of a function or no
  # keyword list raises `ArgumentError` there, which says what would be right.

  alias Vitrine.{Compiled, Manifest, Plugin}
  alias Vitrine.Manifest.Fault

  @doc """
  A keyword list. What stands in another term is not shown but for its keys: options have secrets.
  """
  @spec keyword!(term(), String.t()) :: keyword()
  def keyword!(options, what \\ "the options") do
    if Keyword.keyword?(options),
      do: options,
      else: wrong!("#{what} to be a keyword list", shape(options))
  end

  @doc "A map that is no struct, as pairs."
  @spec pairs!(term(), String.t()) :: [{term(), term()}]
  def pairs!(map, what) do
    if is_map(map) and not is_struct(map),
      do: Map.to_list(map),
      else: wrong!(what, shape(map))
  end

  @doc "Bytes, of a binary or iodata."
  @spec bytes!(term(), String.t()) :: binary()
  def bytes!(bytes, _what) when is_binary(bytes), do: bytes

  def bytes!(list, what) when is_list(list) do
    IO.iodata_to_binary(list)
  rescue
    ArgumentError -> no_bytes!(list, what)
  end

  def bytes!(other, what), do: no_bytes!(other, what)

  defp no_bytes!(other, what) do
    advice = if match?({:ok, _}, other), do: ": match on {:ok, bytes} first", else: ""
    wrong!("#{what} to be a binary or iodata", Fault.show(other) <> advice)
  end

  @doc "What `Vitrine.call/4` takes."
  @spec callable!(term()) :: Vitrine.callable()
  def callable!(%Plugin{} = plugin), do: plugin
  def callable!(other), do: process!(other, "a plugin, a server or a pool")

  @doc "A process, by its pid or any name that `GenServer.call/3` takes."
  @spec process!(term(), String.t()) :: GenServer.server()
  def process!(pid, _what) when is_pid(pid), do: pid
  def process!(name, _what) when is_atom(name) and name not in [nil, true, false], do: name
  def process!({:global, _} = name, _what), do: name
  def process!({:via, module, _} = name, _what) when is_atom(module), do: name
  def process!({name, node} = process, _) when is_atom(name) and is_atom(node), do: process
  def process!(other, what), do: wrong!(what, show(other) <> advice(other))

  @doc "A source for a process, which is on another node perhaps: code that is compiled stays on its own."
  @spec local!(Vitrine.source(), GenServer.server()) :: :ok
  def local!(%Compiled{} = compiled, process) do
    case GenServer.whereis(process) do
      {_name, node} when node != node() -> elsewhere!(compiled, node)
      pid when is_pid(pid) and node(pid) != node() -> elsewhere!(compiled, node(pid))
      _here -> :ok
    end
  end

  def local!(_source, _process), do: :ok

  defp elsewhere!(compiled, node) do
    wrong!(
      "a source that can be sent to #{node}: a path there, bytes or a manifest",
      inspect(compiled)
    )
  end

  @doc "What `Vitrine.compile/2` gives."
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

    wrong!("a compiled plugin", show(other) <> advice)
  end

  @doc "The name of a function of a plugin."
  @spec function!(term()) :: String.t()
  def function!(name) when is_binary(name), do: name

  def function!(other),
    do: wrong!("the name of a function of the plugin, a string", Fault.show(other))

  @doc "Whether a term is a list, of which the end is one, too."
  @spec proper_list?(term()) :: boolean()
  def proper_list?(term), do: is_list(term) and not List.improper?(term)

  @doc "Whether a term is a proper list of what passes a check."
  @spec list_of?(term(), (term() -> boolean())) :: boolean()
  def list_of?(term, check), do: proper_list?(term) and Enum.all?(term, check)

  @doc "Whether a term is a text."
  @spec text?(term()) :: boolean()
  def text?(term), do: is_binary(term) and String.valid?(term)

  defp wrong!(expected, got), do: raise(ArgumentError, "expected #{expected}, got: #{got}")

  defp advice({:ok, %Compiled{}}), do: ": match on {:ok, compiled} first, and use Vitrine.run/4"
  defp advice({:ok, _}), do: ": match on {:ok, plugin} first"
  defp advice(%Compiled{}), do: ": use Vitrine.run/4, or make a plugin of it by Vitrine.new/2"
  # Not as a struct: what a manifest is checked with needs this module when it is compiled.
  defp advice(%{__struct__: Manifest}), do: ": Vitrine.new/2 makes a plugin of a source"
  defp advice(source) when is_binary(source), do: ": Vitrine.new/2 makes a plugin of a source"

  defp advice({:module, bytes}) when is_binary(bytes),
    do: ": Vitrine.Pool and Vitrine.Server take it as their :source, and Vitrine.compile/2 too"

  defp advice(_other), do: ""

  # Uploads are not shown.
  defp show({:module, bytes}) when is_binary(bytes), do: "{:module, #{byte_size(bytes)} bytes}"
  defp show(other), do: Fault.show(other)

  defp shape(%module{}), do: "a struct, %#{inspect(module)}{}"
  defp shape(map) when is_map(map), do: "a map with the keys #{Fault.show(Map.keys(map))}"
  defp shape([]), do: "an empty list"

  defp shape(list) when is_list(list) do
    cond do
      List.improper?(list) -> "an improper list"
      Keyword.keyword?(list) -> "a keyword list with the keys #{Fault.show(Keyword.keys(list))}"
      true -> "a list with #{list |> Enum.find(&(not option?(&1))) |> entry()} in it"
    end
  end

  defp shape(other), do: Fault.show(other)

  defp option?({key, _value}), do: is_atom(key)
  defp option?(_other), do: false

  defp entry({key, _value}), do: "the key #{Fault.show(key)}"
  defp entry(other), do: Fault.show(other)
end
