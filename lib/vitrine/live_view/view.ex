defmodule Vitrine.LiveView.View do
  @moduledoc """
  A plugin's place in a page, as templates see it: the assign that `Vitrine.LiveView.attach/3` makes.

    * `name` - what the host calls it
    * `status` - `:pending` until there is something to show, `:ready`, or `:failed` if the last render
      failed. What was shown before stays in the page then
    * `busy` - whether the plugin works on something for longer than usual
    * `answer` - what the plugin's last answers said under the keys of the option `:take`, with strings
      as keys
    * `error` - the `Vitrine.Error` of the last render, if that failed

  The other fields are Vitrine's own.
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

  # The tree, or with the option `:temporary` where it is fetched from when the page is rendered,
  # with a reference that is another one each time: what is equal is not rendered again.
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
  # What a render came to.
  @spec rendered(t(), {:ok, term()} | {:error, Error.t()}) :: t()
  def rendered(%View{} = view, {:ok, tree}),
    do: %{view | status: :ready, busy: false, error: nil, tree: tree}

  # A server that is not running may be about to be restarted; then it is rendered again.
  def rendered(%View{} = view, {:error, %Error{reason: :closed} = error}) do
    status = if view.status == :ready, do: :ready, else: :pending
    %{view | status: status, busy: true, error: error}
  end

  def rendered(%View{} = view, {:error, error}),
    do: %{view | status: :failed, busy: false, error: error}

  @doc false
  # What an answer leaves in the page: the keys that the host chose, and no other.
  @spec answered(t(), map(), [String.t()]) :: t()
  def answered(%View{} = view, answer, take),
    do: %{view | answer: Map.merge(view.answer, Map.take(answer, take))}
end
