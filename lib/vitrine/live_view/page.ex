defmodule Vitrine.LiveView.Page do
  @moduledoc false
  # The view that `use Vitrine.LiveView` makes of a module. It shows a plugin and nothing else. It must therefore say
  # itself that there is nothing to show yet, or nothing any more, and what failed.

  @compile {:no_warn_undefined, [Phoenix.Component]}

  alias Vitrine.LiveView.{Element, Messages, Options, Socket, Template}

  @static [
    "<div class=\"vitrine-view\"><div class=\"vitrine-messages\" aria-live=\"polite\">",
    "</div>",
    "</div>"
  ]

  @texts %{pending: "Loading …", failed: "This cannot be shown at the moment."}

  @doc "Applies the answer of `plugin/3` to the socket. `flash?` says whether the view shows its messages itself."
  @spec mount({:ok, keyword()} | {:error, struct()}, struct(), boolean()) :: struct()
  def mount({:error, socket}, _socket, _flash?), do: socket

  def mount({:ok, options}, socket, flash?) do
    {element, options} = Options.with_element!(options)
    element = @texts |> Map.merge(Map.new(element)) |> Map.put_new(:id, "vitrine")

    socket
    |> Phoenix.Component.assign(vitrine_element: element, vitrine_flash?: flash?)
    |> Socket.attach(:vitrine, options)
  end

  @doc "Renders the page."
  @spec render(map()) :: struct()
  def render(assigns) do
    Template.render(__MODULE__, @static, fn track? ->
      changed = if track?, do: assigns[:__changed__]

      [
        Template.gap(changed, [:flash], fn -> messages(assigns) end),
        Template.gap(changed, [:vitrine, :vitrine_element], fn -> element(assigns, changed) end)
      ]
    end)
  end

  defp messages(%{vitrine_flash?: true, flash: flash}), do: Messages.to_html(flash)
  defp messages(_assigns), do: ""

  # If plugin/3 redirects, there is no view.
  defp element(assigns, changed) do
    old =
      case changed do
        %{vitrine_element: _} -> nil
        %{vitrine: old} -> %{view: old}
        nil -> nil
      end

    (assigns[:vitrine_element] || %{})
    |> Map.merge(%{view: assigns[:vitrine], __changed__: old})
    |> Element.render()
  end
end
