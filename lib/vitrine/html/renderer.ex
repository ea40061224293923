defmodule Vitrine.HTML.Renderer do
  @moduledoc false
  # A tree as Phoenix LiveView's structs, which are made without knowing LiveView when this is compiled.
  #
  # LiveView asks a Rendered for its dynamic parts with `true` if the browser has a Rendered of the same
  # fingerprint in this place. What equals the tree that was rendered there before is then `nil`, which
  # is not sent. Otherwise it asks with `false`, and gets everything.
  #
  # Siblings are a Rendered of one gap for each, whose fingerprint is their number: a change of
  # one is found by its place, in the fewest bytes. Many siblings are a Comprehension with keys where
  # LiveView has these (since 1.1), so that one more does not send all again.

  alias Vitrine.HTML.Tree

  @typedoc "An empty `Phoenix.LiveView.Rendered`, and a `Comprehension` if it can have keys."
  @type structs :: {rendered :: struct(), comprehension :: struct() | nil}

  # Of comprehensions, whose text is always the same. Siblings are at least two.
  @keyed_fingerprint 0

  @doc "The structs of the LiveView that is there, if any."
  @spec structs() :: structs() | nil
  def structs do
    if Code.ensure_loaded?(Phoenix.LiveView.Rendered) do
      comprehension = struct(Phoenix.LiveView.Comprehension)
      keyed = if is_map_key(comprehension, :entries), do: comprehension
      {struct(Phoenix.LiveView.Rendered), keyed}
    end
  end

  @doc "A tree where the previous one was, or nothing."
  @spec render(Tree.t(), Tree.t() | nil, structs()) :: struct()
  def render(%Tree{root: root}, previous, structs),
    do: rendered(root, previous && previous.root, structs)

  defp rendered({fingerprint, statics, dynamics}, previous, {rendered, _} = structs) do
    before =
      case previous do
        {^fingerprint, _statics, before} -> before
        _other -> nil
      end

    %{
      rendered
      | static: statics,
        fingerprint: :binary.decode_unsigned(fingerprint),
        root: false,
        dynamic: fn track? -> gaps(dynamics, if(track?, do: before), structs) end
    }
  end

  defp gaps(dynamics, nil, structs), do: Enum.map(dynamics, &gap(&1, nil, structs))
  defp gaps([], [], _structs), do: []
  defp gaps([same | now], [same | before], structs), do: [nil | gaps(now, before, structs)]

  defp gaps([now | nows], [before | befores], structs),
    do: [gap(now, before, structs) | gaps(nows, befores, structs)]

  defp gap(text, _before, _structs) when is_binary(text), do: text

  # One element, which the browser leaves alone if it is told so: nothing in it is new.
  defp gap({_, _, _} = part, before, structs),
    do: %{rendered(part, before, structs) | root: true}

  defp gap({items, keys}, _before, {_, %{} = comprehension} = structs) when keys != nil do
    %{
      comprehension
      | static: ["", ""],
        fingerprint: @keyed_fingerprint,
        has_key?: true,
        entries: Enum.zip_with(keys, items, &entry(&1, &2, structs))
    }
  end

  defp gap({items, _keys}, before, {rendered, _} = structs) do
    count = length(items)

    before =
      case before do
        {before, _keys} when length(before) == count -> before
        _other -> nil
      end

    %{
      rendered
      | static: List.duplicate("", count + 1),
        fingerprint: count,
        root: false,
        dynamic: fn track? -> gaps(items, if(track?, do: before), structs) end
    }
  end

  # LiveView itself remembers the variables of entries, and tells what a map was before it changed.
  defp entry(key, item, structs) do
    render = fn
      changed, true when not is_map_key(changed, :item) -> [nil]
      %{item: %{item: before}}, true -> gaps([item], [before], structs)
      _changed, _track? -> gaps([item], nil, structs)
    end

    {key, %{item: %{item: item}}, render}
  end
end
