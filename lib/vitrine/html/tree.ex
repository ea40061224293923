defmodule Vitrine.HTML.Tree do
  @moduledoc """
  A plugin's HTML, safe, and taken apart into what stays and what changes: see
  `Vitrine.HTML.parse/2`. It is plain data, which can be kept, compared and sent to other processes.
  """

  @enforce_keys [:root]
  defstruct [:root]

  @opaque t :: %__MODULE__{root: part()}

  # Text with gaps, and the sha256 of the text. There is one more text than there are gaps.
  @typep part :: {fingerprint :: <<_::256>>, statics :: [String.t()], dynamics :: [dynamic()]}

  # A text, escaped; a part; or siblings and, for many, their keys.
  @typep dynamic :: String.t() | part() | {[dynamic()], [String.t()] | nil}

  @doc false
  @spec to_iodata(t()) :: iodata()
  def to_iodata(%__MODULE__{root: root}), do: dynamic(root)

  defp dynamic(text) when is_binary(text), do: text
  defp dynamic({_fingerprint, statics, dynamics}), do: zip(statics, dynamics)
  defp dynamic({items, _keys}), do: Enum.map(items, &dynamic/1)

  defp zip([last], []), do: [last]
  defp zip([text | texts], [gap | gaps]), do: [text, dynamic(gap) | zip(texts, gaps)]
end
