defmodule Vitrine.LiveView.View do
  @moduledoc """
  A plugin's view in a page, as templates see it. It is the assign that `Vitrine.LiveView.attach/3` makes.

    * `name` - the name that the host gave it
    * `status` - `:pending` until there is something to show, then `:ready`, or `:failed` if the last render failed.
      The page then stays as it was
    * `busy` - whether the plugin has been working on something for longer than usual
    * `answer` - the values in the plugin's last answers under the keys of the option `:take`, with strings as keys
    * `error` - the `Vitrine.Error` of the last render, if it failed

  All other fields are private.
  """

  @type t :: %__MODULE__{
          name: atom(),
          namespace: String.t(),
          status: :pending | :ready | :failed,
          busy: boolean(),
          answer: %{optional(String.t()) => term()},
          error: Vitrine.Error.t() | nil,
          tree: term(),
          source: {:ets.tid(), term(), reference()} | nil
        }

  # `tree` is the tree. With the option `:temporary`, `source` says where the tree is fetched from when the page is
  # rendered. It has a reference that differs each time, because equal values are not rendered again.
  @derive {Inspect, only: [:name, :status, :busy, :answer, :error]}
  defstruct [
    :name,
    :namespace,
    :error,
    :tree,
    :source,
    status: :pending,
    busy: false,
    answer: %{}
  ]

  alias Vitrine.Error
  alias __MODULE__

  @doc false
  # The view after a render.
  @spec rendered(t(), {:ok, term()} | {:error, Error.t()}) :: t()
  def rendered(%View{} = view, {:ok, tree}),
    do: %{view | status: :ready, busy: false, error: nil, tree: tree}

  # A server that is not running may be about to be restarted. Its view is rendered again then.
  def rendered(%View{} = view, {:error, %Error{reason: :closed} = error}) do
    status = if view.status == :ready, do: :ready, else: :pending
    %{view | status: status, busy: true, error: error}
  end

  def rendered(%View{} = view, {:error, error}),
    do: %{view | status: :failed, busy: false, error: error}

  @doc false
  # The view after an answer. It keeps the keys that the host chose, and no others.
  @spec answered(t(), map(), [String.t()]) :: t()
  def answered(%View{} = view, answer, take),
    do: %{view | answer: Map.merge(view.answer, Map.take(answer, take))}
end
