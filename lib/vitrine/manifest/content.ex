defmodule Vitrine.Manifest.Content do
  @moduledoc false
  # Finds out what bytes are that should be a WebAssembly module, by their beginning. None of them are shown, because
  # they may be a file that the reader of the message must not see.

  @typedoc """
  The kind of the bytes, as a predicate: `"is a zip archive"`. Also advice for a developer, and for the person who
  uploaded them.
  """
  @type finding :: {predicate :: String.t(), developer :: String.t(), uploader :: String.t()}

  # How many bytes are examined.
  @head 4_096

  @choose "choose the .wasm file that the build has made"
  @decompress "decompress it first"
  @unpack "take the .wasm file out of it"
  @text "WebAssembly's text begins with (module"
  @mark "remove the byte order mark"
  @utf8 "save it as UTF-8"
  @link "link it for wasm32 first"
  @saved "often it is a sign-in page or an error that was saved in the place of a download"

  @page "is a page of HTML"

  @signatures [
    {<<0x1F, 0x8B>>, "is compressed with gzip", "#{@decompress}, with :zlib.gunzip/1",
     @decompress},
    {<<0x28, 0xB5, 0x2F, 0xFD>>, "is compressed with zstd", @decompress, @decompress},
    {<<0xFD, "7zXZ", 0>>, "is compressed with xz", @decompress, @decompress},
    {"BZh", "is compressed with bzip2", @decompress, @decompress},
    {"PK\x03\x04", "is a zip archive", @unpack, @unpack},
    {"PK\x05\x06", "is an empty zip archive", @choose, @choose},
    {<<"7z", 0xBC, 0xAF, 0x27, 0x1C>>, "is a 7z archive", @unpack, @unpack},
    {"!<arch>\n", "is a static library", @link, @link},
    {<<0x89, "PNG">>, "is a picture (PNG)", "", @choose},
    {<<0xFF, 0xD8, 0xFF>>, "is a picture (JPEG)", "", @choose},
    {"GIF8", "is a picture (GIF)", "", @choose},
    {"%PDF", "is a document (PDF)", "", @choose},
    {<<0x7F, "ELF">>,
     "is a native program (ELF), or a module that Wasmtime compiled beforehand (.cwasm)",
     "take the .wasm file that it was made from", "choose the .wasm file that it was made from"},
    {"MZ", "is a native program of Windows", "build it for wasm32", @choose},
    {<<0xCA, 0xFE, 0xBA, 0xBE>>, "is a Java class or a native program of macOS",
     "build it for wasm32", @choose},
    {<<0xCF, 0xFA, 0xED, 0xFE>>, "is a native program of macOS", "build it for wasm32", @choose},
    {<<"BC", 0xC0, 0xDE>>, "is LLVM bitcode", @link, @link},
    {"version https://git-lfs", "is a pointer of Git LFS to a file that is kept elsewhere",
     "run git lfs pull", "git lfs pull brings the file itself"},
    {<<0xFF, 0xFE, 0, 0>>, "is a text in UTF-32", @utf8, @utf8},
    {<<0xFF, 0xFE>>, "is a text in UTF-16", @utf8, @utf8},
    {<<0xFE, 0xFF>>, "is a text in UTF-16", @utf8, @utf8},
    {<<?(, 0>>, "is a text in UTF-16", @utf8, @utf8},
    {<<0, ?(>>, "is a text in UTF-16", @utf8, @utf8},
    {"AGFzb", "is a module in base64", "decode it first, with Base.decode64!/1",
     "choose the .wasm file itself"},
    {"data:", "is a data: URL", "decode what follows its comma, with Base.decode64!/1",
     "choose the .wasm file itself"},
    {"0061736d", "is a module in hexadecimal digits",
     "decode it first, with Base.decode16!(bytes, case: :mixed)", "choose the .wasm file itself"},
    {"#!", "is a script", "compile it to WebAssembly first", @choose}
  ]

  @doc "Checks whether bytes are a module, as binary or text."
  @spec check(binary()) :: :ok | {:error, finding()}
  def check(bytes) do
    cond do
      component?(bytes) -> {:error, component()}
      module?(bytes) -> header(bytes)
      true -> {:error, find(bytes)}
    end
  end

  defp header(<<0, "asm", 1, 0, 0, 0, _::binary>>), do: :ok

  defp header(<<0, "asm", version::little-32, _::binary>>) do
    {:error,
     {"is of version #{version} of WebAssembly's binary format", "the version is 1", @choose}}
  end

  defp header(<<0, "asm", rest::binary>>) do
    {:error,
     {"ends after #{4 + byte_size(rest)} bytes, within its header", "it was cut off",
      "it was cut off"}}
  end

  defp header(_text), do: :ok

  @doc "Tells whether bytes look like a module, as binary or text."
  @spec module?(binary()) :: boolean()
  def module?(<<0, "asm", _::binary>>), do: true
  def module?(bytes), do: text?(bytes, "module")

  @doc "Tells whether bytes look like a component, as binary or text. Newer toolchains build components by default."
  @spec component?(binary()) :: boolean()
  def component?(<<0, "asm", _version::16, 1, 0, _::binary>>), do: true
  def component?(bytes), do: text?(bytes, "component")

  @doc "Finds out what bytes are that are not a module."
  @spec find(binary()) :: finding()
  def find(""), do: {"is empty", "", @choose}

  def find(bytes) do
    head = binary_part(bytes, 0, min(byte_size(bytes), @head))

    signed(head) || archived(bytes) || marked(head) || written(String.trim_leading(head)) ||
      other(head)
  end

  @doc "Tells whether they are a page for a browser, which servers send in the place of a file."
  @spec page?(binary()) :: boolean()
  def page?(bytes), do: bytes != "" and elem(find(bytes), 0) == @page

  defp component do
    advice =
      "build a core module, as the targets wasm32-unknown-unknown and wasm32-wasip1 make it, and wasm32-wasip2 does not"

    {"is a component of WebAssembly's component model", advice, advice}
  end

  defp signed(head) do
    Enum.find_value(@signatures, fn {signature, predicate, developer, uploader} ->
      if String.starts_with?(head, signature), do: {predicate, developer, uploader}
    end)
  end

  # The mark of the format stands behind the name of the first file.
  defp archived(<<_::binary-size(257), "ustar", _::binary>>),
    do: {"is a tar archive", @unpack, @unpack}

  defp archived(_bytes), do: nil

  defp marked(<<0xEF, 0xBB, 0xBF, text::binary>>) do
    {predicate, _, _} =
      if module?(text),
        do: {"is WebAssembly's text", "", ""},
        else: written(String.trim_leading(text)) || {"is a text", "", ""}

    {"#{predicate} that begins with a byte order mark", "#{@mark}, its first three bytes", @mark}
  end

  defp marked(_head), do: nil

  defp written("{" <> _), do: {"is JSON", "", @choose}
  defp written("[" <> rest), do: if(table?(rest), do: toml(), else: {"is JSON", "", @choose})
  defp written("---" <> _), do: yaml()
  defp written("<" <> _ = text), do: tagged(text |> binary_part(0, min(byte_size(text), 100)))
  defp written("(" <> _), do: {"is a text in brackets of another kind", @text, @text}

  defp written(text) do
    line = text |> content_line() |> String.trim_trailing()

    cond do
      not String.printable?(line) ->
        nil

      String.starts_with?(line, "---") ->
        yaml()

      String.starts_with?(line, "[") ->
        toml()

      line =~ ~r"\Ahttps?://\S+\z"i ->
        {"is a URL", "download it first", @choose}

      path?(text, line) ->
        {"looks like the path of a file", "read it first, with File.read/1", @choose}

      line =~ ~r/\A["'\w.-]++\s*+=/ ->
        toml()

      line =~ ~r/\A["'\w.-]++:(\s|\z)/ ->
        yaml()

      true ->
        nil
    end
  end

  defp toml, do: {"is TOML", "", @choose}
  defp yaml, do: {"is YAML", "a manifest is JSON or TOML", @choose}

  defp table?(rest), do: rest =~ ~r/\A\[?+\s*+["'\w.-]++\s*+\]/

  defp tagged(head) do
    if head =~ ~r/\A<(!doctype html|html|head|body|!--)/i,
      do: {@page, @saved, @saved},
      else: {"is XML", "", @choose}
  end

  # The first line that is not a comment of TOML or YAML.
  defp content_line(text) do
    text
    |> String.split("\n", parts: 50)
    |> Enum.find("", &(not String.starts_with?(&1, "#") and String.trim(&1) != ""))
  end

  defp path?(text, line) do
    String.trim(text) == line and
      (line =~ ~r"\A(~|\.{1,2})?/[^:]*\z" or
         String.ends_with?(line, [".wasm", ".wat", ".json", ".toml"]))
  end

  defp other(head) do
    # The examined bytes may end in the middle of a character.
    if String.printable?(head) or
         match?({:incomplete, _, _}, :unicode.characters_to_binary(head)),
       do: {"is a text of another kind", @text, @choose},
       else: {"does not begin with the bytes 00 61 73 6D", "", @choose}
  end

  # Whether a text is WebAssembly's text format: blanks and comments, then a bracket with this word.
  defp text?(<<blank, rest::binary>>, word) when blank in ' \t\r\n', do: text?(rest, word)

  defp text?(<<";;", rest::binary>>, word), do: after_line(rest, word)

  defp text?(<<"(;", rest::binary>>, word), do: after_comment(rest, 1, word)
  defp text?(<<"(", rest::binary>>, word), do: word?(rest, word)
  defp text?(_bytes, _word), do: false

  defp word?(<<blank, rest::binary>>, word) when blank in ' \t\r\n', do: word?(rest, word)

  defp word?(text, word) do
    size = byte_size(word)

    case text do
      <<^word::binary-size(size), next, _::binary>> -> next in ' \t\r\n();"$'
      <<^word::binary-size(size)>> -> true
      _other -> false
    end
  end

  defp after_line(<<?\n, rest::binary>>, word), do: text?(rest, word)
  defp after_line(<<_, rest::binary>>, word), do: after_line(rest, word)
  defp after_line(<<>>, _word), do: false

  # Comments of this kind nest.
  defp after_comment(text, 0, word), do: text?(text, word)

  defp after_comment(<<"(;", rest::binary>>, depth, word),
    do: after_comment(rest, depth + 1, word)

  defp after_comment(<<";)", rest::binary>>, depth, word),
    do: after_comment(rest, depth - 1, word)

  defp after_comment(<<_, rest::binary>>, depth, word), do: after_comment(rest, depth, word)
  defp after_comment(<<>>, _depth, _word), do: false
end
