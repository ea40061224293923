defmodule Vitrine.LiveView.RenderCache do
  @moduledoc false
  # What a plugin looks like to each class of viewers, rendered once for all of them.
  #
  # A class is all that a render depends on beside the plugin's state. A generation is that state:
  # each change begins another one. At most one render of a class is under way; if the plugin has
  # changed meanwhile, one more follows, and what lay between was never asked for.
  #
  # The trees are in a table which viewers read, so that only the news goes from process to process.

  alias __MODULE__

  defstruct [:table, generation: 0, classes: %{}]

  @type class :: map()
  @typedoc "What a viewer finds: a current result, or a render under way, perhaps a slow one."
  @type joined :: :ready | :rendering | :slow
  @type result :: {:ok, term()} | {:error, Vitrine.Error.t()}
  @type t :: %RenderCache{
          table: :ets.tid(),
          generation: non_neg_integer(),
          # The viewers of each class by their tags, and the render that is under way.
          classes: %{
            optional(class()) => %{
              viewers: %{optional(reference()) => pid()},
              running: {reference(), non_neg_integer()} | nil,
              slow: boolean()
            }
          }
        }

  @doc "With a table that belongs to the calling process."
  @spec new() :: t()
  def new, do: %RenderCache{table: :ets.new(__MODULE__, [:public, read_concurrency: true])}

  @doc "What is known of a class: the last result, of whatever generation."
  @spec fetch(:ets.tid(), class()) :: result() | nil
  def fetch(table, class) do
    case :ets.lookup(table, class) do
      [{_class, _generation, result}] -> result
      [] -> nil
    end
  rescue
    # The hub is gone, and its table with it.
    ArgumentError -> nil
  end

  @doc "Puts a result, in the process that made it."
  @spec put(:ets.tid(), class(), non_neg_integer(), result()) :: boolean()
  def put(table, class, generation, result) do
    :ets.insert(table, {class, generation, result})
  rescue
    ArgumentError -> false
  end

  @doc "Adds a viewer; whether what it is to see is there."
  @spec join(t(), class(), reference(), pid()) :: {joined(), t()}
  def join(renders, class, tag, pid) do
    renders = update(renders, class, &put_in(&1.viewers[tag], pid))

    slow? = renders.classes[class].slow

    {if(current?(renders, class), do: :ready, else: if(slow?, do: :slow, else: :rendering)),
     renders}
  end

  @doc "Removes a viewer. The last of a class leaves its render behind: a browser that reconnects finds it."
  @spec leave(t(), class(), reference()) :: t()
  def leave(renders, class, tag),
    do: update(renders, class, &%{&1 | viewers: Map.delete(&1.viewers, tag)})

  @doc "The plugin has changed: nothing that was rendered holds any more."
  @spec change(t()) :: t()
  def change(renders) do
    {seen, unseen} = Enum.split_with(renders.classes, fn {_, class} -> class.viewers != %{} end)
    # A render that is under way for nobody may end, and put a row that the next change removes.
    for {class, _} <- unseen, do: :ets.delete(renders.table, class)
    running = for {class, %{running: {_, _}} = entry} <- unseen, do: {class, entry}
    %{renders | generation: renders.generation + 1, classes: Map.new(seen ++ running)}
  end

  @doc "The classes that have viewers, no current render, and none under way; `first` before the others."
  @spec wanted(t(), class() | nil) :: [class()]
  def wanted(renders, first \\ nil) do
    wanted =
      for {class, %{running: nil, viewers: viewers}} when viewers != %{} <- renders.classes,
          not current?(renders, class),
          do: class

    Enum.sort_by(wanted, &(&1 != first))
  end

  @doc "A render of the present generation begins."
  @spec begin(t(), class(), reference()) :: t()
  def begin(renders, class, reference),
    do: update(renders, class, &%{&1 | running: {reference, renders.generation}, slow: false})

  @doc "A render has ended: its class and generation, if it is known."
  @spec finish(t(), reference()) :: {class(), non_neg_integer(), t()} | nil
  def finish(renders, reference) do
    Enum.find_value(renders.classes, fn
      {class, %{running: {^reference, generation}}} ->
        {class, generation, update(renders, class, &%{&1 | running: nil, slow: false})}

      _other ->
        nil
    end)
  end

  @doc "A render takes long; its class, if it is still under way."
  @spec slow(t(), reference()) :: {class(), t()} | nil
  def slow(renders, reference) do
    Enum.find_value(renders.classes, fn {class, entry} ->
      if match?({^reference, _}, entry.running),
        do: {class, update(renders, class, &%{&1 | slow: true})}
    end)
  end

  @doc "The viewers of a class: their tags and processes."
  @spec viewers(t(), class()) :: %{optional(reference()) => pid()}
  def viewers(renders, class), do: Map.get(renders.classes, class, %{viewers: %{}}).viewers

  @doc "Forgets a class that nobody has come back to."
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

  # Only the generation: a lookup would copy the tree.
  defp current?(%{table: table, generation: generation}, class),
    do: :ets.member(table, class) and :ets.lookup_element(table, class, 2) == generation

  defp update(renders, class, change) do
    entry = Map.get(renders.classes, class, %{viewers: %{}, running: nil, slow: false})
    %{renders | classes: Map.put(renders.classes, class, change.(entry))}
  end
end
