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
  # LiveView has these (since 1.1), so that one more does not send all again. A browser leaves alone those
  # that are roots and have nothing new in them; the core says which are roots.

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
  def render(%Tree{root: root, shapes: shapes}, previous, {rendered, comprehension}),
    do: part(root, previous && previous.root, false, {rendered, comprehension, shapes})

  defp part({fingerprint, dynamics}, previous, root?, {_, _, shapes} = how) do
    before =
      case previous do
        {^fingerprint, before} -> before
        _other -> nil
      end

    # An item is one element, so that it can be a root. A document need not be.
    %{
      rendered(:binary.decode_unsigned(fingerprint), shapes[fingerprint], how)
      | root: root?,
        dynamic: fn track? -> gaps(dynamics, if(track?, do: before), false, how) end
    }
  end

  defp rendered(fingerprint, statics, {rendered, _, _}),
    do: %{rendered | static: statics, fingerprint: fingerprint, root: false}

  # `roots?` is whether parts among them are roots.
  defp gaps(dynamics, nil, roots?, how), do: Enum.map(dynamics, &gap(&1, nil, roots?, how))
  defp gaps([], [], _roots?, _how), do: []

  defp gaps([same | now], [same | before], roots?, how),
    do: [nil | gaps(now, before, roots?, how)]

  defp gaps([now | nows], [before | befores], roots?, how),
    do: [gap(now, before, roots?, how) | gaps(nows, befores, roots?, how)]

  defp gap(text, _before, _roots?, _how) when is_binary(text), do: text

  defp gap({fingerprint, _} = part, before, roots?, how) when is_binary(fingerprint),
    do: part(part, before, roots?, how)

  defp gap({items, keys, roots?}, _before, _, {_, %{} = comprehension, _} = how)
       when keys != nil do
    %{
      comprehension
      | static: ["", ""],
        fingerprint: @keyed_fingerprint,
        has_key?: true,
        entries: Enum.zip_with(keys, items, &entry(&1, &2, roots?, how))
    }
  end

  defp gap({items, _keys, roots?}, before, _, how) do
    count = length(items)

    before =
      case before do
        {before, _keys, _roots?} when length(before) == count -> before
        _other -> nil
      end

    %{
      rendered(count, List.duplicate("", count + 1), how)
      | dynamic: fn track? -> gaps(items, if(track?, do: before), roots?, how) end
    }
  end

  # LiveView itself remembers the variables of entries, and tells what a map was before it changed.
  defp entry(key, item, roots?, how) do
    render = fn
      changed, true when not is_map_key(changed, :item) -> [nil]
      %{item: %{item: before}}, true -> gaps([item], [before], roots?, how)
      _changed, _track? -> gaps([item], nil, roots?, how)
    end

    {key, %{item: %{item: item}}, render}
  end
end
