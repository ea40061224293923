defmodule Vitrine.HTML.Options do
  @moduledoc false
  # The options of Vitrine.HTML, checked.

  import Vitrine.Options.Argument, only: [list_of?: 2, proper_list?: 1, text?: 1]

  alias Vitrine.{Keys, Native}
  alias Vitrine.Text.Nearest

  @events ~w(blur change click focus keydown keyup submit)
  @more_events ~w(click-away window-blur window-focus window-keydown window-keyup)

  @defaults [
    namespace: nil,
    events: @events,
    target: nil,
    classes: [],
    schemes: ~w(https http mailto),
    images: [],
    own_hosts: [],
    tags: [],
    attributes: [],
    properties: [],
    contained: false,
    max_bytes: 256 * 1024,
    max_depth: 64
  ]

  # What they name is run, or shows what it likes in the place of the page.
  @bad_schemes ~w(javascript data vbscript blob file filesystem about view-source)

  @doc "The options as the NIF takes them."
  @spec policy!(keyword()) :: map()
  def policy!(options) do
    policy = options |> Keys.validate!(@defaults) |> Map.new()
    Enum.each(policy, &check!/1)
    policy = %{policy | target: policy.target && to_string(policy.target)}

    if policy.tags != [] or policy.attributes != [] do
      fault = Native.html_fault(policy)
      if fault, do: raise(ArgumentError, fault)
    end

    policy
  end

  @doc "The namespace, checked."
  @spec namespace!(term()) :: String.t()
  def namespace!(namespace) do
    unless is_binary(namespace) and byte_size(namespace) <= 64 and namespace?(namespace) do
      wrong!(
        :namespace,
        "letters and digits with single hyphens or underscores between them, at most 64",
        namespace
      )
    end

    namespace
  end

  defp namespace?(text), do: text =~ ~r/\A[A-Za-z][A-Za-z0-9]*([-_][A-Za-z0-9]+)*\z/

  defp check!({:namespace, namespace}), do: namespace!(namespace)

  defp check!({:events, events}) do
    known = @events ++ @more_events

    unless list_of?(events, &(&1 in known)),
      do: wrong!(:events, "a list of #{Enum.join(known, ", ")}", events, known)
  end

  defp check!({:target, target}) do
    unless target == nil or is_integer(target) or text?(target),
      do: wrong!(:target, "an integer or a selector", target)
  end

  defp check!({:schemes, schemes}) do
    unless list_of?(schemes, &(text?(&1) and &1 =~ ~r/\A[a-z][a-z0-9+.-]*\z/)),
      do: wrong!(:schemes, "a list of schemes in lower case", schemes)

    case Enum.filter(schemes, &(&1 in @bad_schemes)) do
      [] -> :ok
      [bad | _] -> raise ArgumentError, "the scheme #{inspect(bad)} cannot be allowed"
    end
  end

  defp check!({:own_hosts, hosts}) do
    unless list_of?(hosts, &(text?(&1) and &1 =~ ~r/\A[a-z0-9]([a-z0-9.-]*[a-z0-9])?\z/)),
      do: wrong!(:own_hosts, "a list of names of hosts, in lower case and without a port", hosts)
  end

  defp check!({key, value}) when key in [:classes, :images, :tags, :properties] do
    unless list_of?(value, &text?/1), do: wrong!(key, "a list of strings", value)
  end

  defp check!({:attributes, attributes}) do
    pair? = &(match?({_, _}, &1) and text?(elem(&1, 0)) and text?(elem(&1, 1)))

    unless list_of?(attributes, pair?),
      do: wrong!(:attributes, "a list of {element, attribute}", attributes)
  end

  defp check!({:contained, contained}) do
    unless is_boolean(contained), do: wrong!(:contained, "a boolean", contained)
  end

  defp check!({:max_bytes, bytes}) do
    unless is_integer(bytes) and bytes in 1..0x1000_0000,
      do: wrong!(:max_bytes, "a number of bytes up to 256 MiB", bytes)
  end

  defp check!({:max_depth, depth}) do
    unless is_integer(depth) and depth in 1..256,
      do: wrong!(:max_depth, "a number from 1 to 256", depth)
  end

  # Of a list, what is wrong in it is compared with what is known.
  defp wrong!(key, expected, got, known \\ []) do
    wrong = if proper_list?(got), do: Enum.find(got, &(&1 not in known)), else: got

    raise ArgumentError,
          "expected #{inspect(key)} to be #{expected}, got: #{inspect(got)}" <>
            Nearest.advice(wrong, known)
  end
end
