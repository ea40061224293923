defmodule Vitrine.Compiled do
  @moduledoc """
  A plugin that is compiled and linked, with its options, as returned by `Vitrine.compile/2`. Nothing of it has run, except for a snapshot.

  `Vitrine.new/2`, `Vitrine.run/4`, `Vitrine.Server` and `Vitrine.Pool` take it as a source. They make instances of it in a fraction
  of a millisecond:

      iex> {:ok, compiled} = Vitrine.compile(~S|(module (func (export "run")))|, name: "p")
      iex> {:ok, plugin} = Vitrine.new(compiled)
      iex> Vitrine.call(plugin, "run")
      {:ok, ""}

  A compiled plugin can be sent to other processes of the same node. All instances share its code. The code is
  dropped when the last compiled plugin and the last instance of it are gone.
  """

  @typedoc "A compiled plugin. Its fields are private, except for `name`, and `hash` of its main module."
  @type t :: %__MODULE__{
          name: String.t(),
          hash: String.t(),
          ref: reference(),
          interface: Vitrine.Loader.Surface.t(),
          manifest: Vitrine.Manifest.t(),
          options: keyword(),
          settings: map(),
          vars: %{optional(String.t()) => binary()}
        }

  # `options` are the options as they were given, `settings` the checked ones. The manifest has no modules, and `vars`
  # has the variables of a snapshot.
  @enforce_keys [:name, :hash, :ref, :interface, :manifest, :options, :settings]
  defstruct @enforce_keys ++ [vars: %{}]

  defimpl Inspect do
    def inspect(%{name: name, hash: hash}, _options) do
      short = String.slice(hash, 0, 12)

      if name == short,
        do: "#Vitrine.Compiled<#{Vitrine.Text.Printable.name(name)}>",
        else: "#Vitrine.Compiled<#{Vitrine.Text.Printable.name(name)} #{short}>"
    end
  end
end
