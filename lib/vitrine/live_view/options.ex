defmodule Vitrine.LiveView.Options do
  @moduledoc false
  # The options of Vitrine.LiveView.attach/3, checked where they are given.

  alias Vitrine.{HTML, Keys, Options}
  alias Vitrine.Options.Argument
  alias __MODULE__, as: Checked

  defstruct [
    :plugin,
    :viewer,
    :pubsub,
    :topic,
    :namespace,
    :timeout,
    :on_error,
    :on_answer,
    assigns: %{},
    take: [],
    html: [],
    render: "render",
    handle_event: "handle_event",
    patience: 100,
    slow_after: 250,
    max_event_bytes: 65_536,
    max_events: 16,
    fade_after: 6_000,
    temporary: false
  ]

  @type t :: %Checked{}

  @doc "The names of all options."
  @spec keys() :: [atom()]
  def keys, do: Map.keys(%Checked{}) -- [:__struct__]

  # It goes into the names of events, ids and classes, and is joined there by other characters.
  @doc "Whether a text can be a namespace."
  @spec namespace?(String.t()) :: boolean()
  def namespace?(text), do: text =~ ~r/\A(?=.{1,32}\z)[a-z][a-z0-9]*([-_][a-z0-9]+)*\z/

  @doc "The options of a view with this name."
  @spec check!(atom(), keyword()) :: t()
  def check!(name, options) do
    options = options |> Keys.validate!(keys()) |> then(&struct!(Checked, &1))

    options = %{options | namespace: options.namespace || to_string(name)}
    Enum.each(Map.from_struct(options), &check_one!/1)
    with_topic!(options)
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
  defp check_one!({:plugin, plugin}) do
    Argument.process!(
      plugin,
      "the option :plugin to be a Vitrine.Server or a Vitrine.Pool, which can be shared"
    )
  end

  defp check_one!({:namespace, namespace}) do
    unless is_binary(namespace) and namespace?(namespace),
      do: wrong(:namespace, "up to 32 of a-z and 0-9, with single - or _ between", namespace)
  end

  defp check_one!({:timeout, timeout}) when timeout != nil, do: Options.timeout!(timeout)

  defp check_one!({:assigns, assigns}) do
    unless is_map(assigns), do: wrong(:assigns, "a map", assigns)
  end

  defp check_one!({:take, keys}) do
    unless Argument.list_of?(keys, &is_binary/1),
      do: wrong(:take, "a list of strings", keys)
  end

  defp check_one!({key, function}) when key in [:render, :handle_event] do
    unless is_binary(function), do: wrong(key, "the name of a plugin function", function)
  end

  defp check_one!({key, function}) when key in [:on_error, :on_answer] do
    unless function == nil or is_function(function, 2),
      do: wrong(key, "a function of the socket and one more argument", function)
  end

  defp check_one!({key, number}) when key in [:patience, :slow_after, :max_event_bytes] do
    unless is_integer(number) and number >= 0, do: wrong(key, "an integer from 0 on", number)
  end

  defp check_one!({:fade_after, time}) do
    unless time == :infinity or (is_integer(time) and time > 0),
      do: wrong(:fade_after, "milliseconds or :infinity", time)
  end

  defp check_one!({:max_events, number}) do
    unless is_integer(number) and number > 0, do: wrong(:max_events, "a positive integer", number)
  end

  defp check_one!({:temporary, value}) do
    unless is_boolean(value), do: wrong(:temporary, "true or false", value)
  end

  defp check_one!({:topic, topic}) do
    unless topic == nil or is_binary(topic), do: wrong(:topic, "a string", topic)
  end

  defp check_one!({:html, html}) do
    unless Keyword.keyword?(html), do: wrong(:html, "options of Vitrine.HTML", html)
    # Not first in a process that renders.
    HTML.Options.policy!([namespace: "check"] ++ html)
  end

  defp check_one!(_other), do: :ok

  defp wrong(option, expected, value) do
    raise ArgumentError, "expected #{inspect(option)} to be #{expected}, got: #{inspect(value)}"
  end
end
