defmodule Vitrine.Text.Printable do
  @moduledoc false
  # Makes text that a guest or a server chose safe for people to read, in error messages, in logs and as names.
  # Such text is shown and never obeyed: a character that would begin a line, move a cursor, turn the direction of
  # text or be invisible is written as an escape, and bytes that are not UTF-8 become U+FFFD. This takes one walk
  # over the bytes, whatever they are. The core's `text::shown` does the same.
  #
  # Text that was shown already does not change when it is shown again.

  # The most bytes of a message, and of a name (of a function, a file or an import). The core cuts at these and says
  # how much is left, so text that comes from there must not be cut again.
  @message 66 * 1024
  @name 300

  # Control characters, the soft hyphen, and characters that have no width, separate lines or turn the direction of
  # text.
  defguardp is_hidden(char)
            when char <= 0x1F or char in 0x7F..0x9F or char in [0xAD, 0x61C, 0x180E, 0xFEFF] or
                   char in 0x200B..0x200F or char in 0x2028..0x202E or char in 0x2060..0x206F or
                   char in 0xFFF9..0xFFFB or char in 0xE0000..0xE0FFF

  # Larger ones are not written in digits.
  @longest_integer Integer.pow(2, 1_024)

  @doc """
  Text in one line, of which at most `most` bytes are shown. Line feeds become `\\n`.

      iex> Vitrine.Text.Printable.text("one\\n\\e[2Jtwo \\u202Eeerht\\xFF")
      ~S(one\\n\\e[2Jtwo \\u{202E}eerht) <> "\\uFFFD"
      iex> Vitrine.Text.Printable.text("abcdef", 3)
      "abc… (3 bytes more)"
  """
  @spec text(binary(), pos_integer()) :: String.t()
  def text(text, most \\ @message) when is_binary(text),
    do: text |> cut(most) |> escaped(:plain)

  @doc """
  Text that may have several lines, such as the message of an exception. Each line but the first begins with the
  margin, so that none can be mistaken for a line of somebody else.

      iex> Vitrine.Text.Printable.block("not found\\n[error] the disk is full", "\\n  | ")
      "not found\\n  | [error] the disk is full"
  """
  @spec block(binary(), String.t(), pos_integer()) :: String.t()
  def block(text, margin, most \\ @message) when is_binary(text) do
    text
    |> cut(most)
    |> :binary.replace("\r\n", "\n", [:global])
    |> :binary.split("\n", [:global])
    |> Enum.map_intersperse(margin, &escaped(&1, :plain))
    |> IO.iodata_to_binary()
  end

  @doc """
  Returns a name in quotes, cut as one, or at `most` bytes.

      iex> Vitrine.Text.Printable.quoted(~S(say "hi"))
      ~S("say \\"hi\\"")
  """
  @spec quoted(binary(), pos_integer()) :: String.t()
  def quoted(name, most \\ @name) when is_binary(name),
    do: ~s("#{name |> cut(most) |> escaped(:quoted)}")

  @doc "Returns a name without quotes, cut like a name."
  @spec name(binary()) :: String.t()
  def name(name) when is_binary(name), do: text(name, @name)

  @doc "Returns a prefix that says whose words follow: a plugin's, and in which of its functions if that is known."
  @spec origin(String.t() | nil, String.t() | nil) :: String.t()
  def origin(nil, nil), do: ""
  def origin(nil, function), do: "function #{quoted(function)}: "
  def origin(plugin, nil), do: "plugin #{quoted(plugin)}: "
  def origin(plugin, function), do: "plugin #{quoted(plugin)}, function #{quoted(function)}: "

  @doc """
  Returns an Elixir term for a message, shortened.

      iex> Vitrine.Text.Printable.term(%{"memory" => 1..9 |> Enum.to_list()})
      ~S(%{"memory" => [1, 2, 3, 4, ...]})

  A text stays a text if it has control characters, and is not shown as numbers:

      iex> Vitrine.Text.Printable.term("/srv/data\\0")
      ~S("/srv/data\\0")
  """
  @spec term(term()) :: String.t()
  # The time to write an integer in digits grows with the square of its length.
  def term(value)
      when is_integer(value) and (value >= @longest_integer or value <= -@longest_integer),
      do: "an integer of #{byte_size(:binary.encode_unsigned(abs(value)))} bytes"

  def term(value) do
    binaries = if text?(value), do: :as_strings, else: :infer
    text = value |> inspect(limit: 5, printable_limit: 80, binaries: binaries) |> text()
    if String.length(text) > 300, do: String.slice(text, 0, 300) <> "...", else: text
  end

  # A longer binary is not looked through. Bytes of a module begin with NUL, and are not a text.
  defp text?(value),
    do:
      is_binary(value) and byte_size(value) <= @name and not match?(<<0, _::binary>>, value) and
        String.valid?(value)

  # Never cuts through a character.
  defp cut(text, most) when byte_size(text) <= most, do: text

  defp cut(text, most) do
    whole = whole(text, most, most)
    "#{binary_part(text, 0, whole)}… (#{byte_size(text) - whole} bytes more)"
  end

  # The end of the last character before `most`. A character has at most three bytes after its first.
  defp whole(text, at, most) when at > 0 and at > most - 4 do
    case :binary.at(text, at - 1) do
      byte when byte in 0x80..0xBF ->
        whole(text, at - 1, most)

      byte when byte >= 0xC0 ->
        if begun?(binary_part(text, at - 1, most - at + 1)), do: at - 1, else: most

      _ascii ->
        most
    end
  end

  defp whole(_text, _at, most), do: most

  # Whether these bytes begin a character and do not complete it.
  defp begun?(<<byte, rest::binary>>) do
    size = if byte < 0xE0, do: 2, else: if(byte < 0xF0, do: 3, else: 4)
    byte_size(rest) + 1 < size and broken(<<byte, rest::binary>>) == byte_size(rest) + 1
  end

  defp escaped(text, how), do: IO.iodata_to_binary(escape(text, text, 0, 0, how))

  # The `size` bytes from `from` on are shown unchanged.
  defp escape(<<>>, text, from, size, _how), do: binary_part(text, from, size)

  defp escape(<<char, rest::binary>>, text, from, size, :quoted) when char in [?", ?\\],
    do: [
      binary_part(text, from, size),
      ?\\,
      char,
      escape(rest, text, from + size + 1, 0, :quoted)
    ]

  defp escape(<<char, rest::binary>>, text, from, size, how) when char in 0x20..0x7E,
    do: escape(rest, text, from, size + 1, how)

  defp escape(<<char::utf8, rest::binary>>, text, from, size, how)
       when is_hidden(char) do
    next = from + size + byte_size(<<char::utf8>>)
    [binary_part(text, from, size), code(char), escape(rest, text, next, 0, how)]
  end

  defp escape(<<char::utf8, rest::binary>>, text, from, size, how),
    do: escape(rest, text, from, size + byte_size(<<char::utf8>>), how)

  defp escape(bytes, text, from, size, how) do
    length = broken(bytes)
    <<_::binary-size(length), rest::binary>> = bytes
    [binary_part(text, from, size), "\uFFFD", escape(rest, text, from + size + length, 0, how)]
  end

  defp code(?\n), do: "\\n"
  defp code(?\r), do: "\\r"
  defp code(?\t), do: "\\t"
  defp code(?\e), do: "\\e"
  defp code(char), do: ["\\u{", Integer.to_string(char, 16), ?}]

  # How many bytes become one U+FFFD: as many as begin a character, or one.
  defp broken(<<a, b, c, _::binary>>)
       when (a == 0xF0 and b in 0x90..0xBF and c in 0x80..0xBF) or
              (a in 0xF1..0xF3 and b in 0x80..0xBF and c in 0x80..0xBF) or
              (a == 0xF4 and b in 0x80..0x8F and c in 0x80..0xBF),
       do: 3

  defp broken(<<a, b, _::binary>>)
       when (a == 0xE0 and b in 0xA0..0xBF) or (a in 0xE1..0xEC and b in 0x80..0xBF) or
              (a == 0xED and b in 0x80..0x9F) or (a in 0xEE..0xEF and b in 0x80..0xBF) or
              (a == 0xF0 and b in 0x90..0xBF) or (a in 0xF1..0xF3 and b in 0x80..0xBF) or
              (a == 0xF4 and b in 0x80..0x8F),
       do: 2

  defp broken(_bytes), do: 1
end
