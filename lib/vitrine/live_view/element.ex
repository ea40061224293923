defmodule Vitrine.LiveView.Element do
  @moduledoc false
  # The element that contains a plugin's page. It is written by hand in the form to which Phoenix.Component compiles
  # templates, because Phoenix is not available when this is compiled.

  @compile {:no_warn_undefined, Phoenix.HTML}

  alias Vitrine.HTML
  alias Vitrine.LiveView.{RenderCache, View}

  @static ["<div", ">", "</div>"]
  @fingerprint :erlang.phash2({__MODULE__, @static}, 4_294_967_296)

  # Assigns that are not attributes of the element.
  @own [:__changed__, :view, :pending, :failed, :inner_block, :class, :style]

  @doc "`Vitrine.LiveView.plugin/1`"
  def render(%{view: view} = assigns) do
    previous = previous(assigns)

    dynamic = fn changed? ->
      previous = if changed?, do: previous
      [attributes(assigns, previous), content(assigns, view, previous)]
    end

    struct!(Phoenix.LiveView.Rendered,
      static: @static,
      dynamic: dynamic,
      fingerprint: @fingerprint,
      root: true
    )
  end

  # The view that the client has, or nil if that is not known. LiveView keeps the value that an assign had when the
  # page was last rendered, however often it has changed since. If the page contains another template, LiveView asks
  # for the dynamic parts as if the page were empty.
  defp previous(%{view: %View{namespace: namespace} = view} = assigns) do
    case assigns[:__changed__] do
      %{view: %View{namespace: ^namespace} = old} -> old
      %{view: _unknown} -> nil
      %{} -> view
      nil -> nil
    end
  end

  defp previous(_assigns), do: nil

  defp attributes(assigns, nil), do: attributes(assigns)

  defp attributes(assigns, previous) do
    others = Map.drop(assigns.__changed__, [:view, :pending, :failed])
    attributes = attributes(assigns)

    unless others == %{} and attributes == attributes(%{assigns | view: previous}),
      do: attributes
  end

  defp attributes(%{view: view} = assigns) do
    given = assigns |> Map.drop(@own) |> Map.to_list()
    style = Enum.join([HTML.containment() | List.wrap(assigns[:style])], "; ")
    attributes = [class: ["vitrine", assigns[:class]], style: style] ++ state(view) ++ given
    {:safe, text} = Phoenix.HTML.attributes_escape(attributes)
    IO.iodata_to_binary(text)
  end

  defp state(nil), do: []

  defp state(%View{} = view) do
    [
      {"data-vitrine", view.namespace},
      {"data-status", to_string(view.status)},
      {"aria-busy", if(view.busy, do: "true")}
    ]
  end

  defp content(assigns, view, previous) do
    case {tree(view), previous && previous.tree} do
      {nil, _} -> text(assigns, view)
      {same, same} -> nil
      {tree, old} -> to_live(HTML.to_rendered(tree, old))
    end
  end

  defp tree(nil), do: nil

  defp tree(%View{tree: nil, source: {table, class, _}}) do
    with {:ok, tree} <- RenderCache.fetch(table, class), do: tree, else: (_ -> nil)
  end

  defp tree(%View{tree: tree}), do: tree

  defp to_live({:safe, iodata}), do: iodata
  defp to_live(rendered), do: rendered

  defp text(assigns, %View{status: :failed}), do: escaped(assigns[:failed] || "")
  defp text(assigns, _view), do: escaped(assigns[:pending] || "")

  defp escaped(text) do
    {:safe, safe} = Phoenix.HTML.html_escape(text)
    safe
  end
end
