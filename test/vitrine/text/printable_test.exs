defmodule Vitrine.Text.PrintableTest do
  use ExUnit.Case, async: true

  import Vitrine.Property

  alias Vitrine.Text.Printable

  doctest Printable, import: true

  test "text that a person can read is shown as it is" do
    for text <- ["", "hello", "tab-less, \"quoted\" \\ back", "Größe 大きさ 👍🏽 é"] do
      assert Printable.text(text) == text
    end
  end

  test "a character that begins a line, moves a cursor, turns text or has no width is an escape" do
    shown = %{
      "\0" => "\\u{0}",
      "\a" => "\\u{7}",
      "\t" => "\\t",
      "\n" => "\\n",
      "\r" => "\\r",
      "\e" => "\\e",
      "\d" => "\\u{7F}",
      "\u0085" => "\\u{85}",
      "\u009B" => "\\u{9B}",
      "\u00AD" => "\\u{AD}",
      "\u061C" => "\\u{61C}",
      "\u200B" => "\\u{200B}",
      "\u200F" => "\\u{200F}",
      "\u2028" => "\\u{2028}",
      "\u2029" => "\\u{2029}",
      "\u202E" => "\\u{202E}",
      "\u2066" => "\\u{2066}",
      "\uFEFF" => "\\u{FEFF}",
      "\u{E0041}" => "\\u{E0041}"
    }

    for {char, escape} <- shown do
      assert Printable.text("a#{char}b") == "a#{escape}b"
      assert Printable.text(char) == escape
    end
  end

  test "a text that is not UTF-8 has one U+FFFD for each beginning of a character" do
    for bytes <- [<<0xFF>>, <<0xE2, 0x82>>, <<0xF0, 0x9F, 0x91>>, <<0xC3>>] do
      assert Printable.text("a" <> bytes) == "a\uFFFD"
      assert Printable.text(bytes <> "b") == "\uFFFDb"
    end

    # A surrogate, and an overlong slash.
    assert Printable.text(<<0xED, 0xA0, 0x80>>) == "\uFFFD\uFFFD\uFFFD"
    assert Printable.text(<<0xC0, 0xAF>>) == "\uFFFD\uFFFD"

    assert Printable.text(String.duplicate("a", 79) <> <<0xE9>>) ==
             String.duplicate("a", 79) <> "\uFFFD"
  end

  test "whatever the bytes are, the result is one line of text and is not changed by a second time" do
    pieces = [
      <<0>>,
      "\n",
      "\e",
      "A",
      <<0xC3>>,
      <<0xA9>>,
      <<0xE2>>,
      <<0x80>>,
      <<0xAE>>,
      <<0xF0>>,
      <<0x9F>>,
      <<0xFF>>
    ]

    draw = fn -> IO.iodata_to_binary(list(fn -> Enum.random(pieces) end, 40)) end

    forall(draw, 500, fn bytes ->
      text = Printable.text(bytes)
      assert String.valid?(text)
      refute text =~ ~r/[\x{0}-\x{1F}\x{7F}-\x{9F}\x{2028}-\x{202E}]/u
      assert Printable.text(text) == text
      cut = Printable.text(bytes, 5)
      assert String.valid?(cut)
    end)
  end

  test "a long text is cut between characters" do
    assert Printable.text("abcd", 3) == "abc… (1 bytes more)"
    assert Printable.text("aéé", 4) == "aé… (2 bytes more)"
    assert Printable.text("aéé", 3) == "aé… (2 bytes more)"
    assert Printable.text(<<0xFF, "a👍">>, 5) == "\uFFFDa… (4 bytes more)"

    assert Printable.text(String.duplicate(<<0x80>>, 9), 5) ==
             "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD… (4 bytes more)"

    assert byte_size(Printable.name(String.duplicate("x", 100_000))) < 400
  end

  test "an integer whose digits would take long to compute is told by its size" do
    large = Integer.pow(2, 800_000)

    for value <- [large, -large],
        do: assert(Printable.term(value) == "an integer of 100001 bytes")

    assert Printable.term(Integer.pow(2, 64)) == "18446744073709551616"
  end

  test "each line of a block but the first begins with the margin" do
    assert Printable.block("a\r\nb\n\e[31mc", "\n| ") == "a\n| b\n| \\e[31mc"
  end

  test "the work for a megabyte of escapes grows with their number, not with its square" do
    for text <- ["\u202E", "\n", <<0xFF>>, "a\u200B"] do
      long = String.duplicate(text, div(1_000_000, byte_size(text)))
      {reductions, shown} = Vitrine.Usage.reductions(fn -> Printable.text(long, 2_000_000) end)
      assert byte_size(shown) >= 1_000_000
      assert reductions < 100_000_000
    end
  end
end
