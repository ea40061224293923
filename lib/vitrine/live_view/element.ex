defmodule Vitrine.LiveView.Element do
  @moduledoc false
  # The element that contains a plugin's page.

  alias Vitrine.HTML
  alias Vitrine.LiveView.{RenderCache, Template, View}

  @static ["<div", ">", "</div>"]

  # Assigns that are not attributes of the element.
  @own [:__changed__, :view, :pending, :failed, :inner_block, :class, :style]

  @doc "`Vitrine.LiveView.plugin/1`"
  @spec render(map()) :: struct()
  def render(%{view: view} = assigns) do
    previous = previous(assigns)

    Template.render(__MODULE__, @static, fn track? ->
      previous = if track?, do: previous
      [attributes(assigns, previous), content(assigns, view, previous)]
    end)
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
    Template.attributes(attributes)
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

  defp text(assigns, %View{status: :failed}), do: Template.text(assigns[:failed] || "")
  defp text(assigns, _view), do: Template.text(assigns[:pending] || "")
end
