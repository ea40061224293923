# As much of Phoenix LiveView as a socket of Vitrine.LiveView needs, for tests without it. GameBox's tests have the
# real one.
unless Code.ensure_loaded?(Phoenix.LiveView) do
  defmodule Phoenix.LiveView do
    @moduledoc "A stub."

    @callback mount(term(), map(), struct()) :: {:ok, struct()}
    @callback render(map()) :: term()

    defmacro __using__(_options) do
      quote do
        @behaviour Phoenix.LiveView
        import Phoenix.LiveView
      end
    end

    def put_private(socket, key, value), do: put_in(socket.private[key], value)
    def attach_hook(socket, _name, _stage, _function), do: socket
    def connected?(_socket), do: true
    def push_navigate(socket, to: path), do: Map.put(socket, :redirected, path)

    def put_flash(socket, kind, text),
      do: put_in(socket.assigns.flash[Atom.to_string(kind)], text)

    def clear_flash(socket, kind),
      do: update_in(socket.assigns.flash, &Map.delete(&1, Atom.to_string(kind)))
  end

  defmodule Phoenix.Component do
    @moduledoc "A stub."

    def assign(socket, name, value), do: put_in(socket.assigns[name], value)
    def assign(socket, pairs), do: update_in(socket.assigns, &Map.merge(&1, Map.new(pairs)))
  end
end

defmodule Vitrine.StubSocket do
  @moduledoc "A socket that the stub can work on."

  defstruct view: nil, private: %{}, assigns: %{flash: %{}, __changed__: %{}}, redirected: nil
end
