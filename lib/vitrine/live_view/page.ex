defmodule Vitrine.LiveView.Page do
  @moduledoc false
  # The view that `use Vitrine.LiveView` makes of a module. It shows a plugin and nothing else. It must therefore say
  # itself that there is nothing to show yet, or nothing any more, and what failed.

  @compile {:no_warn_undefined, [Phoenix.Component]}

  alias Vitrine.LiveView.{Element, Messages, Options, Socket}

  @static [
    "<div class=\"vitrine-view\"><div class=\"vitrine-messages\" aria-live=\"polite\">",
    "</div>",
    "</div>"
  ]
  @fingerprint :erlang.phash2({__MODULE__, @static}, 4_294_967_296)

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
    dynamic = fn track? ->
      changed = if track?, do: assigns[:__changed__]
      [messages(assigns, changed), element(assigns, changed)]
    end

    struct!(Phoenix.LiveView.Rendered,
      static: @static,
      dynamic: dynamic,
      fingerprint: @fingerprint,
      root: true
    )
  end

  defp messages(_assigns, changed) when changed != nil and not is_map_key(changed, :flash),
    do: nil

  defp messages(%{vitrine_flash?: true, flash: flash}, _changed), do: Messages.to_html(flash)
  defp messages(_assigns, _changed), do: ""

  defp element(_assigns, changed)
       when changed != nil and not is_map_key(changed, :vitrine) and
              not is_map_key(changed, :vitrine_element),
       do: nil

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
