defmodule Vitrine.HTML.Tree do
  @moduledoc """
  A plugin's HTML, made safe and split into parts that stay and parts that change, see `Vitrine.HTML.parse/2`. A tree
  is plain data, which can be kept, compared and sent to other processes.
  """

  @enforce_keys [:root, :shapes]
  defstruct [:root, :shapes]

  @typedoc "A document that was parsed and made safe. Its fields are private."
  @type t :: %__MODULE__{root: part(), shapes: %{fingerprint() => statics()}}

  @typedoc false
  @type fingerprint :: <<_::256>>

  # Text with gaps: one more piece of text than there are gaps, and the sha256 of these pieces. Parts have only the
  # sha256, because a term that is copied to another process shares nothing within itself.
  @typedoc false
  @type statics :: [String.t()]
  @typedoc false
  @type part :: {fingerprint(), dynamics :: [slot()]}

  # An escaped text, a part, or siblings. Siblings have keys if there are many, and say whether the browser is told
  # of each sibling without changes.
  @typedoc false
  @type slot :: String.t() | part() | {[slot()], [String.t()] | nil, roots :: boolean()}

  @doc false
  @spec to_iodata(t()) :: iodata()
  def to_iodata(%__MODULE__{root: root, shapes: shapes}), do: dynamic(root, shapes)

  defp dynamic(text, _shapes) when is_binary(text), do: text

  defp dynamic({fingerprint, dynamics}, shapes) when is_binary(fingerprint),
    do: shapes |> Map.fetch!(fingerprint) |> zip(dynamics, shapes)

  defp dynamic({items, _keys, _roots}, shapes), do: Enum.map(items, &dynamic(&1, shapes))

  defp zip([last], [], _shapes), do: [last]

  defp zip([text | texts], [gap | gaps], shapes),
    do: [text, dynamic(gap, shapes) | zip(texts, gaps, shapes)]
end
