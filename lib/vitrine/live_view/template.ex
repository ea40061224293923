defmodule Vitrine.LiveView.Template do
  @moduledoc false
  # The structs that `~H` makes of a template: static text with gaps, of which LiveView sends only the changed ones. They
  # are made by hand, because Phoenix is not there when Vitrine is compiled.

  @compile {:no_warn_undefined, Phoenix.HTML}

  @fingerprints 4_294_967_296

  @doc """
  The `Phoenix.LiveView.Rendered` of a module. `static` has one text more than there are gaps. `gaps` gets `true` if the
  client has this template already, so that unchanged gaps may be `nil`, and otherwise `false`.
  """
  @spec render(module(), [String.t()], (boolean() -> [iodata() | struct() | nil])) :: struct()
  def render(module, static, gaps) do
    struct!(Phoenix.LiveView.Rendered,
      static: static,
      dynamic: gaps,
      fingerprint: :erlang.phash2({module, static}, @fingerprints),
      root: true
    )
  end

  @doc """
  The content of a gap, or `nil` if none of these assigns is among the changed ones. `nil` for `changed` means all.
  """
  @spec gap(map() | nil, [atom()], (() -> content)) :: content | nil when content: term()
  def gap(nil, _assigns, content), do: content.()

  def gap(changed, assigns, content),
    do: if(Enum.any?(assigns, &is_map_key(changed, &1)), do: content.())

  @doc "Attributes of an element, escaped."
  @spec attributes(keyword() | [{term(), term()}]) :: String.t()
  def attributes(attributes) do
    {:safe, text} = Phoenix.HTML.attributes_escape(attributes)
    IO.iodata_to_binary(text)
  end

  @doc "A text, escaped."
  @spec text(String.t()) :: iodata()
  def text(text) do
    {:safe, safe} = Phoenix.HTML.html_escape(text)
    safe
  end
end
