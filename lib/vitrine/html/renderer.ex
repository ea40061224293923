defmodule Vitrine.HTML.Renderer do
  @moduledoc false
  # Converts a tree to Phoenix LiveView's structs. LiveView need not be available when this is compiled.
  #
  # LiveView asks a Rendered for its dynamic parts with `true` if the browser has a Rendered of the same fingerprint
  # in this place. Parts that equal the tree that was rendered there before are then `nil`, and are not sent.
  # Otherwise LiveView asks with `false`, and gets everything.
  #
  # Siblings are a Rendered with one gap for each, whose fingerprint is their number. A change of one sibling is then
  # found by its place, in the fewest bytes. Many siblings are a Comprehension with keys, if LiveView has them (since
  # 1.1), so that an additional sibling does not send all of them again. A browser skips siblings that are roots and
  # have no changes. The core says which siblings are roots.

  alias Vitrine.HTML.Tree

  @typedoc "An empty `Phoenix.LiveView.Rendered`, and a `Comprehension` if it can have keys."
  @type structs :: {rendered :: struct(), comprehension :: struct() | nil}

  # The fingerprint of comprehensions, whose text is always the same. There are at least two siblings.
  @keyed_fingerprint 0

  @doc "Returns the structs of the installed LiveView, if there is one."
  @spec structs() :: structs() | nil
  def structs do
    if Code.ensure_loaded?(Phoenix.LiveView.Rendered) do
      comprehension = struct(Phoenix.LiveView.Comprehension)
      keyed = if is_map_key(comprehension, :entries), do: comprehension
      {struct(Phoenix.LiveView.Rendered), keyed}
    end
  end

  @doc "Renders a tree in a place where the previous tree was, or nothing."
  @spec render(Tree.t(), Tree.t() | nil, structs()) :: struct()
  def render(%Tree{root: root, shapes: shapes}, previous, {rendered, comprehension}),
    do: part(root, previous && previous.root, false, {rendered, comprehension, shapes})

  defp part({fingerprint, dynamics}, previous, root?, {_, _, shapes} = how) do
    before =
      case previous do
        {^fingerprint, before} -> before
        _other -> nil
      end

    # An item is one element, so it can be a root. A document need not be one element.
    %{
      rendered(:binary.decode_unsigned(fingerprint), shapes[fingerprint], how)
      | root: root?,
        dynamic: fn track? -> gaps(dynamics, if(track?, do: before), false, how) end
    }
  end

  defp rendered(fingerprint, statics, {rendered, _, _}),
    do: %{rendered | static: statics, fingerprint: fingerprint, root: false}

  # `roots?` says whether parts among them are roots.
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

  # LiveView itself remembers the variables of entries, and says what a map was before it changed.
  defp entry(key, item, roots?, how) do
    render = fn
      changed, true when not is_map_key(changed, :item) -> [nil]
      %{item: %{item: before}}, true -> gaps([item], [before], roots?, how)
      _changed, _track? -> gaps([item], nil, roots?, how)
    end

    {key, %{item: %{item: item}}, render}
  end
end
