defmodule Vitrine.LiveViewModel do
  @moduledoc """
  A model of what Phoenix LiveView does with rendered content, as far as Vitrine needs it: the server, which
  remembers what the browser has and finds what to send, and the browser, which puts it together. The
  server is a small one of our own, or the real one where it is there.
  """

  defmodule Rendered do
    @moduledoc "As `Phoenix.LiveView.Rendered`."
    defstruct [:static, :dynamic, :fingerprint, :root, caller: :not_available]
  end

  defmodule Comprehension do
    @moduledoc "As `Phoenix.LiveView.Comprehension` since LiveView 1.1."
    defstruct [:static, :has_key?, :entries, :fingerprint, :stream]
  end

  @doc "The structs that `Vitrine.HTML.Renderer` makes for a LiveView with or without keyed comprehensions."
  def structs(:keyed), do: {%Rendered{}, %Comprehension{}}
  def structs(:plain), do: {%Rendered{}, nil}

  @doc "Returns the diff that is sent for rendered content, and what the server remembers of the content then."
  def diff(%Rendered{fingerprint: fingerprint} = rendered, {fingerprint, children}) do
    {diff, children} = gaps(rendered.dynamic.(true), children)
    {diff, {fingerprint, children}}
  end

  def diff(%Rendered{} = rendered, _other) do
    {diff, children} = gaps(rendered.dynamic.(false), %{})
    diff = if rendered.root, do: Map.put(diff, :r, 1), else: diff
    {Map.put(diff, :s, rendered.static), {rendered.fingerprint, children}}
  end

  def diff(%Comprehension{fingerprint: fingerprint} = list, {fingerprint, entries}) do
    {diff, entries} = entries(list.entries, entries)
    {if(diff == nil, do: %{}, else: %{k: diff}), {fingerprint, entries}}
  end

  def diff(%Comprehension{} = list, _other) do
    {diff, entries} = entries(list.entries, %{})
    {%{s: list.static, k: diff}, {list.fingerprint, entries}}
  end

  def diff(nil, remembered), do: {nil, remembered}
  def diff(text, _remembered), do: {IO.iodata_to_binary(text), nil}

  defp gaps(gaps, children) do
    gaps
    |> Enum.with_index()
    |> Enum.reduce({%{}, children}, fn {gap, index}, {diff, children} ->
      {sent, remembered} = diff(gap, Map.get(children, index))
      diff = if sent in [nil, %{}], do: diff, else: Map.put(diff, index, sent)

      children =
        if remembered, do: Map.put(children, index, remembered), else: Map.delete(children, index)

      {diff, children}
    end)
  end

  defp entries(entries, before) do
    keys = Enum.map(entries, &elem(&1, 0))
    ^keys = Enum.uniq(keys)

    {diff, now} =
      entries
      |> Enum.with_index()
      |> Enum.reduce({%{}, %{}}, fn {{key, vars, render}, index}, {diff, now} ->
        {sent, children} = entry(before[key], vars, render)
        now = Map.put(now, key, %{index: index, vars: vars, children: children})

        case before[key] do
          %{index: ^index} when sent == %{} ->
            {diff, now}

          %{index: moved} when moved != index and sent == %{} ->
            {Map.put(diff, index, moved), now}

          %{index: moved} when moved != index ->
            {Map.put(diff, index, [moved, sent]), now}

          _same_or_new ->
            {Map.put(diff, index, sent), now}
        end
      end)

    if diff == %{} and map_size(before) == length(entries) and entries != [],
      do: {nil, now},
      else: {Map.put(diff, :kc, length(entries)), now}
  end

  defp entry(nil, _vars, render), do: gaps(render.(%{}, false), %{})

  defp entry(before, vars, render) do
    changed = for {name, value} <- before.vars, vars[name] != value, into: %{}, do: {name, value}
    gaps(render.(changed, true), before.children)
  end

  @doc "Returns the browser's content after a diff was sent."
  def merge(has, sent), do: merge_resolved(has, resolve(sent, %{}))

  # Text between gaps may be sent once and be referred to by number.
  defp resolve(%{} = sent, texts) do
    {own, sent} = Map.pop(sent, :p, %{})
    texts = if own == %{}, do: texts, else: own

    Map.new(sent, fn
      {:s, number} when is_integer(number) -> {:s, Map.fetch!(texts, number)}
      {:d, rows} -> {:d, Enum.map(rows, fn row -> Enum.map(row, &resolve(&1, texts)) end)}
      {key, value} -> {key, resolve(value, texts)}
    end)
  end

  defp resolve([from, sent], texts) when is_integer(from), do: [from, resolve(sent, texts)]
  defp resolve(other, _texts), do: other

  defp merge_resolved(_has, %{s: _} = sent), do: sent

  defp merge_resolved(%{} = has, %{} = sent) do
    Map.merge(has, sent, fn
      :k, has, sent -> merge_entries(has, sent)
      _key, has, sent -> merge_resolved(has, sent)
    end)
  end

  defp merge_resolved(_has, sent), do: sent

  defp merge_entries(has, sent) do
    {count, sent} = Map.pop!(sent, :kc)
    sent = Map.delete(sent, :km)

    moved =
      for {index, value} <- sent, into: %{} do
        case value do
          from when is_integer(from) -> {index, Map.fetch!(has, from)}
          [from, diff] -> {index, merge_resolved(Map.fetch!(has, from), diff)}
          diff -> {index, merge_resolved(Map.get(has, index, %{}), diff)}
        end
      end

    has |> Map.merge(moved) |> Map.take(Enum.to_list(0..(count - 1)//1)) |> Map.put(:kc, count)
  end

  @doc "Returns the text that the browser shows."
  def show(text) when is_binary(text), do: text
  def show(%{s: statics, k: %{kc: 0}}) when is_list(statics), do: ""

  def show(%{s: statics, k: %{kc: count} = entries}),
    do: Enum.map_join(0..(count - 1), &show(Map.put(Map.fetch!(entries, &1), :s, statics)))

  def show(%{s: [first | statics]} = has) do
    statics
    |> Enum.with_index()
    |> Enum.reduce(first, fn {text, index}, shown ->
      shown <> show(Map.fetch!(has, index)) <> text
    end)
  end

  @doc "How many bytes it takes to send, as JSON."
  def bytes(sent) do
    {:ok, json} = Vitrine.Codec.encode(:json, sent)
    byte_size(json)
  end
end
