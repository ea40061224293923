defmodule Vitrine.Property do
  @moduledoc """
  Properties of random terms. Terms are drawn from the process's generator, which is seeded by
  ExUnit's seed and the number of the try, so that `mix test --seed` repeats a failure.
  """

  @doc "Draws a term so many times and checks each; a failure tells the term."
  def forall(draw, tries, check) do
    seed = ExUnit.configuration()[:seed]

    for try <- 1..tries do
      :rand.seed(:exsss, {seed, try, 0})
      drawn = draw.()

      try do
        check.(drawn)
      catch
        kind, reason ->
          message = Exception.format(kind, reason, __STACKTRACE__)
          drawn = inspect(drawn, limit: :infinity, printable_limit: :infinity)
          ExUnit.Assertions.flunk("for try #{try} with seed #{seed}, #{drawn}:\n#{message}")
      end
    end

    :ok
  end

  @doc "One of these functions' terms."
  def one_of(draws), do: Enum.random(draws).()

  @doc "A list of at most `most` terms."
  def list(draw, most), do: times(:rand.uniform(most + 1) - 1, draw)

  @doc "A map of at most `most` entries."
  def map(key, value, most), do: Map.new(list(fn -> {key.(), value.()} end, most))

  @doc "A text, of letters of all lengths and of those that formats escape."
  def text(most \\ 12) do
    letters = [
      ?a..?z,
      ?\s..?~,
      0..31,
      0x80..0x7FF,
      0x800..0xD7FF,
      0xE000..0xFFFF,
      0x1_0000..0x10_FFFF
    ]

    list(fn -> letters |> Enum.random() |> Enum.random() end, most) |> List.to_string()
  end

  @doc "Bytes, most of them no text."
  def bytes(most \\ 12), do: :rand.bytes(:rand.uniform(most + 1) - 1)

  @doc "An integer of so many bits, of all sizes and often near a power of two."
  def integer(bits) do
    power = Integer.pow(2, :rand.uniform(bits) - 1)
    value = Enum.random([power - 1, power, -power, :rand.uniform(power)])
    if :rand.uniform(4) == 1, do: -value, else: value
  end

  @doc "A float of any bits that are a number."
  def float do
    case :rand.bytes(8) do
      <<float::float>> -> float
      _infinity_or_nan -> float()
    end
  end

  defp times(0, _draw), do: []
  defp times(count, draw), do: for(_ <- 1..count, do: draw.())
end
