defmodule Vitrine.LiveView.Options do
  @moduledoc false
  # The options of Vitrine.LiveView.attach/3, checked where they are given.

  alias Vitrine.HTML
  alias Vitrine.Options.{Argument, Schema, Validation}
  alias Vitrine.Options.Tables.LiveView, as: Table
  alias Vitrine.Process.Callable
  alias __MODULE__, as: Checked

  @keys Schema.names(Table.schema())

  defstruct @keys

  @type t :: %Checked{}

  @doc "The names of all options."
  @spec keys() :: [atom()]
  def keys, do: @keys

  @doc "Whether a term can be a namespace."
  @spec namespace?(term()) :: boolean()
  defdelegate namespace?(text), to: Table

  @doc "The options of a view with this name."
  @spec check!(atom(), keyword()) :: t()
  def check!(name, options) do
    options = Validation.validate!(options, Table.schema())
    namespace = options.namespace || to_string(name)
    Validation.value!(Table.schema(), :namespace, namespace)
    plugin!(options.plugin)
    html!(options.html)
    with_topic!(struct!(Checked, %{options | namespace: namespace}))
  end

  @doc "The attributes of the element, and the other options, of a view that is a plugin and nothing else."
  @spec with_element!(keyword()) :: {keyword(), keyword()}
  def with_element!(options) do
    {element, options} = options |> Argument.keyword!() |> Keyword.pop(:element, [])
    {Argument.keyword!(element, "the option :element"), options}
  end

  @doc "The topic of a plugin, if it is not given: its name, which is the same on all nodes."
  @spec topic!(term(), String.t() | nil) :: String.t()
  def topic!(plugin, nil) when is_pid(plugin) do
    raise ArgumentError,
          "expected the option :topic together with :pubsub, as a pid is written differently on each node"
  end

  def topic!(plugin, nil), do: "vitrine:" <> inspect(plugin, limit: :infinity)
  def topic!(_plugin, topic), do: topic

  defp with_topic!(%{pubsub: nil} = options), do: options
  defp with_topic!(options), do: %{options | topic: topic!(options.plugin, options.topic)}

  # Events and renders are called by processes of their own, at the same time.
  defp plugin!(plugin) do
    Callable.process!(
      plugin,
      "the option :plugin to be a Vitrine.Server or a Vitrine.Pool, which can be shared"
    )
  end

  # A wrong one is not to be found first in a process that renders.
  defp html!(html) do
    unless Keyword.keyword?(html), do: Validation.wrong!(Table.schema(), :html, html)
    HTML.Options.policy!([namespace: "check"] ++ html)
  end
end
