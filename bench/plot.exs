# Plots as SVG, into bench/results: readable on a light and on a dark page.

defmodule Bench.Plot do
  @width 720
  @height 400
  # Left, right, top, bottom of what is drawn.
  @left 80
  @right 20
  @top 70
  @bottom 50
  @colours ~w(#3b82c4 #d9822b #3f9c5a #b0508f #8a7a2f #6b6fb5)

  @doc """
  Lines through `{x, y}` points. An axis is `{label, :linear | :log}`, a series `{name, points}`.
  """
  def lines(file, title, {x_label, x_scale}, {y_label, y_scale}, series) do
    points = Enum.flat_map(series, &elem(&1, 1))
    x = axis(x_scale, Enum.map(points, &elem(&1, 0)), @left, @width - @right)
    y = axis(y_scale, Enum.map(points, &elem(&1, 1)), @height - @bottom, @top)

    drawn =
      for {{_name, points}, colour} <- coloured(series) do
        at = for {px, py} <- points, do: {place(x, px), place(y, py)}
        path = Enum.map_join(at, " ", fn {px, py} -> "#{px},#{py}" end)
        dots = for {px, py} <- at, do: ~s(<circle cx="#{px}" cy="#{py}" r="3" fill="#{colour}"/>)
        [~s(<polyline points="#{path}" fill="none" stroke="#{colour}" stroke-width="2"/>), dots]
      end

    write(file, title, [grid(x, :x, x_label), grid(y, :y, y_label), legend(series), drawn])
  end

  @doc "Bars for `{name, value}` rows, with the values beside them."
  def bars(file, title, {label, scale}, rows) do
    left = 12 + 7 * (rows |> Enum.map(&String.length(elem(&1, 0))) |> Enum.max())
    # The values stand at the bars' ends.
    x = axis(scale, Enum.map(rows, &elem(&1, 1)), left, @width - 90)
    height = div(@height - @top - @bottom, length(rows))

    drawn =
      for {{name, value}, row} <- Enum.with_index(rows) do
        y = @top + row * height
        middle = y + div(height, 2) + 4
        width = max(place(x, value) - left, 1)

        [
          text(left - 8, middle, name, "end"),
          ~s(<rect x="#{left}" y="#{y + 3}" width="#{width}" height="#{height - 6}" fill="#{hd(@colours)}"/>),
          text(left + width + 6, middle, number(value), "start")
        ]
      end

    write(file, title, [grid(x, :x, label), drawn])
  end

  defp axis(scale, values, from, to) do
    {low, high} = Enum.min_max(values)

    {low, high} =
      case scale do
        :log -> {:math.pow(10, floor(log(low))), :math.pow(10, ceil(log(high)))}
        :linear -> {0, high * 1.1 + 1.0e-9}
      end

    # A single decade has two ends all the same.
    high = if high == low, do: low * 10, else: high
    %{scale: scale, low: low, high: high, from: from, to: to}
  end

  defp place(%{low: low, high: high, from: from, to: to} = axis, value) do
    share =
      case axis.scale do
        :log -> (log(value) - log(low)) / (log(high) - log(low))
        :linear -> (value - low) / (high - low)
      end

    Float.round(from + share * (to - from), 1)
  end

  defp log(value), do: :math.log10(max(value, 1.0e-9))

  defp ticks(%{scale: :log, low: low, high: high}),
    do: for(power <- round(log(low))..round(log(high)), do: :math.pow(10, power))

  defp ticks(%{high: high}) do
    rough = high / 5
    unit = :math.pow(10, floor(log(rough)))
    step = Enum.find([1, 2, 5, 10], &(&1 * unit >= rough)) * unit
    for n <- 0..floor(high / step), do: n * step
  end

  defp grid(axis, :x, label) do
    bottom = @height - @bottom

    lines =
      for tick <- ticks(axis), x = place(axis, tick) do
        [line(x, @top, x, bottom), text(x, bottom + 18, number(tick), "middle")]
      end

    [lines, text(div(axis.from + axis.to, 2), @height - 10, label, "middle")]
  end

  defp grid(axis, :y, label) do
    lines =
      for tick <- ticks(axis), y = place(axis, tick) do
        [line(@left, y, @width - @right, y), text(@left - 8, y + 4, number(tick), "end")]
      end

    [lines, text(@left - 8, @top - 12, label, "end")]
  end

  defp legend(series) do
    for {{{name, _}, colour}, index} <- Enum.with_index(coloured(series)) do
      x = @left + rem(index, 3) * 215
      y = 44 + div(index, 3) * 16

      [
        ~s(<rect x="#{x}" y="#{y - 9}" width="10" height="10" fill="#{colour}"/>),
        text(x + 15, y, name, "start")
      ]
    end
  end

  defp coloured(series), do: Enum.zip(series, Stream.cycle(@colours))

  defp line(x1, y1, x2, y2),
    do: ~s(<line x1="#{x1}" y1="#{y1}" x2="#{x2}" y2="#{y2}" stroke="#888" stroke-opacity="0.3"/>)

  defp text(x, y, text, anchor),
    do: ~s(<text x="#{x}" y="#{y}" text-anchor="#{anchor}">#{escape(text)}</text>)

  defp escape(text), do: text |> String.replace("&", "&amp;") |> String.replace("<", "&lt;")

  defp number(value) when value >= 1_000_000, do: short(value / 1_000_000) <> " M"
  defp number(value) when value >= 10_000, do: short(value / 1_000) <> " k"
  defp number(value), do: short(value / 1)

  defp short(value) do
    decimals = if value >= 100 or value == trunc(value), do: 0, else: 2
    :erlang.float_to_binary(value, decimals: decimals)
  end

  defp write(file, title, drawn) do
    # Grey in the middle reads on white and on black.
    svg = [
      ~s(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 #{@width} #{@height}" ),
      ~s(font-family="sans-serif" font-size="12" fill="#808080">\n),
      ~s(<text x="#{@left}" y="22" font-size="16" font-weight="bold">#{escape(title)}</text>\n),
      drawn |> List.flatten() |> Enum.map(&[&1, "\n"]),
      "</svg>\n"
    ]

    File.write!(Bench.result(file <> ".svg"), svg)
  end
end
