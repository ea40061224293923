defmodule Vitrine.LiveView.RenderCache do
  @moduledoc false
  # The renders of a plugin for each class of viewers. Each is rendered once for all viewers of the class.
  #
  # A class is everything that a render depends on besides the plugin's state. A generation stands for that state, and
  # each change begins a new generation. At most one render of a class is in progress. If the plugin has changed
  # meanwhile, one more render follows, and states in between are not rendered.
  #
  # The trees are in a table that viewers read, so that only notices are sent between processes.

  alias __MODULE__

  defstruct [:table, generation: 0, classes: %{}]

  @type class :: map()
  @typedoc "The answer to a viewer: a current result, a render in progress, or a slow one in progress."
  @type joined :: :ready | :rendering | :slow
  @type result :: {:ok, term()} | {:error, Vitrine.Error.t()}
  @type t :: %RenderCache{
          table: :ets.tid(),
          generation: non_neg_integer(),
          # The viewers of each class by their tags, and the render in progress.
          classes: %{
            optional(class()) => %{
              viewers: %{optional(reference()) => pid()},
              running: {reference(), non_neg_integer()} | nil,
              slow: boolean()
            }
          }
        }

  @doc "Makes a cache with a table that belongs to the calling process."
  @spec new() :: t()
  def new, do: %RenderCache{table: :ets.new(__MODULE__, [:public, read_concurrency: true])}

  @doc "Returns the last result of a class, of any generation."
  @spec fetch(:ets.tid(), class()) :: result() | nil
  def fetch(table, class) do
    case :ets.lookup(table, class) do
      [{_class, _generation, result}] -> result
      [] -> nil
    end
  rescue
    # The table ended together with the hub.
    ArgumentError -> nil
  end

  @doc "Puts a result into the table. It is called in the process that rendered it."
  @spec put(:ets.tid(), class(), non_neg_integer(), result()) :: boolean()
  def put(table, class, generation, result) do
    :ets.insert(table, {class, generation, result})
  rescue
    ArgumentError -> false
  end

  @doc "Adds a viewer, and tells whether there is a result for it."
  @spec join(t(), class(), reference(), pid()) :: {joined(), t()}
  def join(renders, class, tag, pid) do
    renders = update(renders, class, &put_in(&1.viewers[tag], pid))

    slow? = renders.classes[class].slow

    {if(current?(renders, class), do: :ready, else: if(slow?, do: :slow, else: :rendering)),
     renders}
  end

  @doc "Removes a viewer. The last viewer of a class leaves its render behind, for a browser that reconnects."
  @spec leave(t(), class(), reference()) :: t()
  def leave(renders, class, tag),
    do: update(renders, class, &%{&1 | viewers: Map.delete(&1.viewers, tag)})

  @doc "Notes that the plugin has changed, so that all renders are outdated."
  @spec change(t()) :: t()
  def change(renders) do
    {seen, unseen} = Enum.split_with(renders.classes, fn {_, class} -> class.viewers != %{} end)
    # A render without viewers may still end, and put a row that the next change removes.
    for {class, _} <- unseen, do: :ets.delete(renders.table, class)
    running = for {class, %{running: {_, _}} = entry} <- unseen, do: {class, entry}
    %{renders | generation: renders.generation + 1, classes: Map.new(seen ++ running)}
  end

  @doc """
  Returns the classes that have viewers, but no render that is current or in progress. `first` stands before the
  others.
  """
  @spec wanted(t(), class() | nil) :: [class()]
  def wanted(renders, first \\ nil) do
    wanted =
      for {class, %{running: nil, viewers: viewers}} when viewers != %{} <- renders.classes,
          not current?(renders, class),
          do: class

    Enum.sort_by(wanted, &(&1 != first))
  end

  @doc "Notes that a render of the present generation begins."
  @spec begin(t(), class(), reference()) :: t()
  def begin(renders, class, reference),
    do: update(renders, class, &%{&1 | running: {reference, renders.generation}, slow: false})

  @doc "Notes that a render has ended. Returns its class and generation, if it is known."
  @spec finish(t(), reference()) :: {class(), non_neg_integer(), t()} | nil
  def finish(renders, reference) do
    Enum.find_value(renders.classes, fn
      {class, %{running: {^reference, generation}}} ->
        {class, generation, update(renders, class, &%{&1 | running: nil, slow: false})}

      _other ->
        nil
    end)
  end

  @doc "Notes that a render takes long. Returns its class, if it is still in progress."
  @spec slow(t(), reference()) :: {class(), t()} | nil
  def slow(renders, reference) do
    Enum.find_value(renders.classes, fn {class, entry} ->
      if match?({^reference, _}, entry.running),
        do: {class, update(renders, class, &%{&1 | slow: true})}
    end)
  end

  @doc "Returns the viewers of a class, as tags and processes."
  @spec viewers(t(), class()) :: %{optional(reference()) => pid()}
  def viewers(renders, class), do: Map.get(renders.classes, class, %{viewers: %{}}).viewers

  @doc "Forgets a class to which no viewer has come back."
  @spec forget(t(), class()) :: t()
  def forget(renders, class) do
    case renders.classes do
      %{^class => %{viewers: viewers, running: nil}} when viewers == %{} ->
        :ets.delete(renders.table, class)
        %{renders | classes: Map.delete(renders.classes, class)}

      _seen ->
        renders
    end
  end

  # Only the generation is read, because a lookup would copy the tree.
  defp current?(%{table: table, generation: generation}, class),
    do: :ets.member(table, class) and :ets.lookup_element(table, class, 2) == generation

  defp update(renders, class, change) do
    entry = Map.get(renders.classes, class, %{viewers: %{}, running: nil, slow: false})
    %{renders | classes: Map.put(renders.classes, class, change.(entry))}
  end
end
