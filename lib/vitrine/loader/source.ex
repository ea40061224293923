defmodule Vitrine.Loader.Source do
  @moduledoc false
  # Reads what may be given to Vitrine.new/2: it becomes a manifest and the bytes of its modules.

  alias Vitrine.{Error, Manifest}
  alias Vitrine.Call.Options
  alias Vitrine.HTTP.Exchange
  alias Vitrine.Loader.{Ceiling, Download}
  alias Vitrine.Manifest.{Fault, Text, Wasm}
  alias Vitrine.Manifest.Content
  alias Vitrine.Text.Printable
  alias Vitrine.Time.Deadline

  @type t :: Path.t() | binary() | map() | Manifest.t() | {:module, binary()}

  # Advice for a URL that answers with a page for people instead of the file.
  @raw ~s(give the URL of the file itself, on GitHub that of its "Raw")

  @typedoc "A module's name for linking, and its bytes or text."
  @type wasm :: {name :: String.t(), binary()}

  @doc """
  Returns the manifest of a source, its modules in the manifest's order, of which one is named "main", and
  what that one is called by people, if anything: the name that it was given, or its file's. Of the
  options `:http` and `:timeout` matter, for modules that are downloaded, and `:ceiling`, for what a manifest may ask
  for.
  """
  @spec load(t(), keyword()) ::
          {:ok, Manifest.t(), [wasm()], String.t() | nil} | {:error, Error.t()}
  def load(source, options) do
    with :ok <- named(source, options[:ceiling]),
         {:ok, manifest} <- manifest(source),
         {:ok, manifest} <- Ceiling.narrow(manifest, options[:ceiling]),
         modules = Wasm.modules(manifest.wasm),
         download = download_options(options, manifest),
         {:ok, loaded} <- modules |> Enum.with_index() |> Fault.each(&module(&1, download)) do
      {"main", main} = List.keyfind!(modules, "main", 0)
      {:ok, manifest, loaded, main[:name] || file_name(main)}
    end
  end

  # A text that somebody else wrote must not be read as the name of a file.
  defp named(source, ceiling) do
    if ceiling != nil and is_binary(source) and path?(source),
      do: Ceiling.file(source, ceiling),
      else: :ok
  end

  # All downloads together have the time that a call would have, if an option or the manifest says it.
  defp download_options(options, manifest) do
    {timeout, said} =
      case {options[:timeout], manifest.timeout_ms} do
        {nil, nil} -> {Download.default_timeout(), "by default"}
        {nil, milliseconds} -> {milliseconds, "timeout_ms: #{milliseconds}"}
        {timeout, _} -> {Options.timeout!(timeout), "timeout: #{timeout}"}
      end

    %{
      deadline: Deadline.at(timeout),
      whose_time: "the #{timeout} ms that all downloads may take (#{said})",
      options:
        [hosts: Ceiling.download_hosts(options[:ceiling])] ++ Keyword.take(options, [:http])
    }
  end

  @doc "Returns the files that a source is made of, as far as they are known without a download."
  @spec files(t()) :: [Path.t()]
  def files(source) do
    own = if is_binary(source) and path?(source), do: [expand(source)], else: []

    case modules(source, own) do
      {:ok, manifest} -> Enum.uniq(own ++ for(%{path: path} <- manifest.wasm, do: expand(path)))
      {:error, _error} -> own
    end
  end

  # Only a manifest can name more files. A file with a module is known already.
  defp modules(_source, [path]) do
    with {:ok, bytes} <- File.read(path),
         kind when kind not in [:module, :unknown] <- Text.kind(bytes) do
      Manifest.new(bytes)
    else
      _no_manifest -> {:error, :none}
    end
  end

  defp modules(source, []) when is_binary(source) or is_map(source), do: manifest(source)
  defp modules(_source, []), do: {:error, :none}

  # An upload: it is a module or an error, and never anything else.
  defp manifest({:module, bytes}) when is_binary(bytes) do
    with :ok <- checked(bytes, "the source"),
         do: {:ok, %Manifest{wasm: [%{data: bytes}]}}
  end

  defp manifest(%Manifest{} = manifest), do: Manifest.new(manifest)
  defp manifest(source) when is_map(source) and not is_struct(source), do: Manifest.new(source)

  defp manifest(source) when is_binary(source) do
    if path?(source), do: from_file(source), else: from_bytes(source)
  end

  defp manifest({:module, other}) do
    advice = if match?({:ok, _}, other), do: ": match on {:ok, bytes} first", else: ""
    error("{:module, bytes} has the bytes of a module, and not #{kind(other)}#{advice}")
  end

  defp manifest(other) do
    advice = if match?({:ok, _}, other), do: ": match on {:ok, source} first", else: ""

    error(
      "a source is a path, a module's bytes or text, {:module, bytes}, a manifest or a compiled plugin, " <>
        "got: #{Printable.term(other)}#{advice}"
    )
  end

  # Nothing of an upload is shown.
  defp kind(nil), do: "nil"
  defp kind(list) when is_list(list), do: "a list"
  defp kind(tuple) when is_tuple(tuple), do: "a tuple"
  defp kind(map) when is_map(map), do: "a map"
  defp kind(number) when is_number(number), do: "a number"
  defp kind(atom) when is_atom(atom), do: "an atom"
  defp kind(_other), do: "another term"

  # A path is one line that is neither a module nor a manifest.
  defp path?(source) do
    source != "" and byte_size(source) <= 4096 and String.printable?(source) and
      not String.contains?(source, "\n") and not Content.module?(source) and
      not Content.component?(source) and not Text.manifest?(source)
  end

  defp from_bytes(bytes) do
    if Text.kind(bytes) == :unknown,
      do: not_a("the source", "module, a manifest or the path of a file", Content.find(bytes)),
      else: Manifest.new(bytes)
  end

  defp from_file(path) do
    with {:ok, bytes} <- read(path) do
      case Text.kind(bytes) do
        :module ->
          with :ok <- checked(bytes, "the file #{inspect(path)}", %{path: path}),
               do: {:ok, %Manifest{wasm: [%{data: bytes, name: file_name(%{path: path})}]}}

        :unknown ->
          not_a("the file #{inspect(path)}", "module or a manifest", Content.find(bytes))

        format ->
          with {:error, error} <- manifest_of_file(bytes, format),
               do: {:error, %{error | message: "the file #{inspect(path)}: #{error.message}"}}
      end
    else
      {:error, error} -> {:error, %{error | message: error.message <> no_path(path)}}
    end
  end

  # Messages show parts of a manifest, and nothing of a file that has another purpose.
  defp manifest_of_file(bytes, format) do
    case Text.decode(format, bytes) do
      {:ok, map} when is_map_key(map, "wasm") -> Manifest.new(map)
      {:ok, _other} -> error("it is #{Text.name(format)} and not a manifest: it has no \"wasm\"")
      {:error, _fault} -> Manifest.new(bytes)
    end
  end

  # Recognises what is often mistaken for a source.
  defp no_path("(" <> _text), do: ". WebAssembly's text begins with (module"

  defp no_path(path) do
    case Content.find(path) do
      {"is a module in " <> _ = predicate, advice, _} -> ". It #{predicate}: #{advice}"
      {"is a data: URL", advice, _} -> ". It is a data: URL: #{advice}"
      _finding -> if path =~ ~r"\Ahttps?://"i, do: downloaded(path), else: ""
    end
  end

  defp downloaded(url),
    do: ". A module is downloaded by a manifest: %{wasm: [%{url: #{inspect(url)}}]}"

  defp module({{name, source}, index}, download) do
    with {:ok, bytes} <- bytes(source, index, download),
         :ok <- verify(bytes, source[:hash], index),
         :ok <- checked(bytes, subject(source, index), source) do
      {:ok, {name, bytes}}
    end
  end

  defp subject(%{data: _}, _index), do: "the source"
  defp subject(%{url: url}, _index), do: "what #{Exchange.shown(url)} answered"

  defp subject(%{path: path}, index),
    do: "the manifest's wasm[#{index}].path: the file #{inspect(path)}"

  # The core would only name the kind of fault, and show the line that it is in.
  defp checked(bytes, subject, source \\ %{}) do
    with {:error, {predicate, advice, for_uploaders}} <- Content.check(bytes) do
      advice = if source[:url] && Content.page?(bytes), do: @raw, else: advice
      {:error, error} = not_a(subject, "module", {predicate, advice, for_uploaders})
      {:error, %{error | plugin: source[:name] || file_name(source)}}
    end
  end

  defp bytes(%{data: data}, _index, _download), do: {:ok, data}

  defp bytes(%{url: _} = source, _index, download) do
    time = [timeout: Deadline.left(download.deadline), whose_time: download.whose_time]
    Download.fetch(source, time ++ download.options)
  end

  defp bytes(%{path: path}, index, _download) do
    with {:error, error} <- read(path) do
      {:error, %{error | message: "the manifest's wasm[#{index}].path: #{error.message}"}}
    end
  end

  defp read(path) do
    path = expand(path)

    with {:error, reason} <- File.read(path) do
      exception = %File.Error{reason: reason, action: "read file", path: path}

      message =
        "the file #{inspect(path)}#{place(path)} cannot be read: #{:file.format_error(reason)}"

      {:error, %Error{reason: :file, message: message, exception: exception}}
    end
  end

  # Shells do this, and so do the paths of directories.
  defp expand("~/" <> rest = path) do
    case System.user_home() do
      nil -> path
      home -> Path.join(home, rest)
    end
  end

  defp expand(path), do: path

  # A release is started in another directory than Mix.
  defp place(path) do
    with :relative <- Path.type(path), {:ok, directory} <- File.cwd() do
      " in #{directory}"
    else
      _absolute -> ""
    end
  end

  defp verify(_bytes, nil, _index), do: :ok

  defp verify(bytes, expected, index) do
    case Base.encode16(:crypto.hash(:sha256, bytes), case: :lower) do
      ^expected ->
        :ok

      hash ->
        error(
          "hash mismatch: the sha256 of the manifest's wasm[#{index}] is #{hash}, " <>
            "expected #{expected}"
        )
    end
  end

  defp file_name(%{path: path}), do: Path.basename(path, Path.extname(path))
  defp file_name(_source), do: nil

  defp not_a(subject, expected, {predicate, advice, _for_uploaders}) do
    advice = if advice == "", do: "", else: "; #{advice}"
    message = "#{subject} is not a WebAssembly #{expected}: it #{predicate}#{advice}"
    {:error, %Error{reason: :compile, message: message}}
  end

  defp error(message), do: {:error, %Error{reason: :manifest, message: message}}
end
