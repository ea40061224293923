defmodule Vitrine.HTML.Options do
  @moduledoc false
  # The options of Vitrine.HTML, checked.

  alias Vitrine.Native
  alias Vitrine.Options.Tables.HTML, as: Table
  alias Vitrine.Options.Validation

  # A URL with one of these schemes is run as code, or shows what it likes in the place of the page.
  @bad_schemes ~w(javascript data vbscript blob file filesystem about view-source)

  @doc "The options as the NIF takes them."
  @spec policy!(keyword()) :: map()
  def policy!(options) do
    policy = Validation.validate!(options, Table.schema())
    schemes!(policy.schemes)
    policy = %{policy | target: policy.target && to_string(policy.target)}

    if policy.tags != [] or policy.attributes != [] do
      fault = Native.html_fault(policy)
      if fault, do: raise(ArgumentError, fault)
    end

    policy
  end

  @doc "The namespace, checked."
  @spec namespace!(term()) :: String.t()
  def namespace!(namespace), do: Validation.value!(Table.schema(), :namespace, namespace)

  defp schemes!(schemes) do
    with [bad | _] <- Enum.filter(schemes, &(&1 in @bad_schemes)),
         do: raise(ArgumentError, "the scheme #{inspect(bad)} cannot be allowed")
  end
end
