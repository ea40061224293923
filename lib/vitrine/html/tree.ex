defmodule Vitrine.HTML.Tree do
  @moduledoc """
  A plugin's HTML, safe, and taken apart into what stays and what changes: see
  `Vitrine.HTML.parse/2`. It is plain data, which can be kept, compared and sent to other processes.
  """

  @enforce_keys [:root, :shapes]
  defstruct [:root, :shapes]

  @typedoc "A document that was parsed and made safe."
  @opaque t :: %__MODULE__{root: part(), shapes: %{fingerprint() => statics()}}

  @typep fingerprint :: <<_::256>>

  # Text with gaps: one more piece of text than there are gaps, and the sha256 of it. Parts have only that,
  # because a term that is copied to another process shares nothing within itself.
  @typep statics :: [String.t()]
  @typep part :: {fingerprint(), dynamics :: [gap()]}

  # A text, escaped; a part; or siblings, for many their keys, and whether the browser is told of each that has
  # nothing new in it.
  @typep gap :: String.t() | part() | {[gap()], [String.t()] | nil, roots :: boolean()}

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
