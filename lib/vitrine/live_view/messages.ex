defmodule Vitrine.LiveView.Messages do
  @moduledoc false
  # Messages to viewers about errors. Vitrine puts them as flash messages, and removes them with the viewer's next
  # event, with the next answer, or after some time. Messages of the host are never touched.

  @compile {:no_warn_undefined, Phoenix.LiveView}

  alias Vitrine.Error
  alias Vitrine.LiveView.{Session, Template}

  @key :vitrine_messages

  # The longest text of a plugin, in characters.
  @longest_text 200

  @doc """
  Puts the message of an error. A refusal disappears after some time: `hide` is called for that, with a reference.
  """
  @spec put(struct(), Session.t(), Error.t(), (reference(), timeout() -> term())) :: struct()
  def put(socket, %Session{name: name, options: options}, error, hide) do
    text = text(error)
    id = make_ref()

    if error.reason == :guest_error and options.fade_after != :infinity,
      do: hide.(id, options.fade_after)

    socket
    |> Phoenix.LiveView.put_flash(:error, text)
    |> keep(Map.put(kept(socket), name, {id, text}))
  end

  @doc "Removes the message of this session, if it is still there. With a reference, it removes only that message."
  @spec clear(struct(), Session.t(), reference() | nil) :: struct()
  def clear(socket, %Session{name: name}, id \\ nil) do
    case kept(socket) do
      %{^name => {own, text}} = kept when id in [nil, own] ->
        others = Map.delete(kept, name)
        socket = keep(socket, others)

        # The host, or another plugin of the page, may have put another message since, or one of the same text.
        if socket.assigns.flash["error"] == text and
             not Enum.any?(others, &match?({_, {_, ^text}}, &1)),
           do: Phoenix.LiveView.clear_flash(socket, :error),
           else: socket

      _none ->
        socket
    end
  end

  defp kept(socket), do: Map.get(socket.private, @key, %{})
  defp keep(socket, kept), do: Phoenix.LiveView.put_private(socket, @key, kept)

  # The text is for people who use the page. It is the plugin's own text only if the plugin meant it for them.
  defp text(%Error{reason: :guest_error, message: message}),
    do: String.slice(message, 0, @longest_text)

  defp text(%Error{reason: :timeout}), do: "That took too long and was stopped."
  defp text(%Error{reason: :busy}), do: "That was too much at once."
  defp text(%Error{reason: :closed}), do: "This is not running at the moment."
  defp text(%Error{}), do: "That did not work."

  @doc """
  Renders the messages of a flash as buttons that remove them. It is for a component, whose events go to `target`, and
  for a view without a layout that would show them.
  """
  @spec to_html(map(), term()) :: iodata()
  def to_html(flash, target \\ nil) do
    for {kind, text} <- Enum.sort(flash), into: "" do
      attributes = [
        type: "button",
        class: "vitrine-message",
        "data-kind": kind,
        "phx-click": "lv:clear-flash",
        "phx-value-key": kind,
        "phx-target": target
      ]

      "<button#{Template.attributes(attributes)}>#{Template.text(text)}</button>"
    end
  end
end
