defmodule Vitrine.Source do
  @moduledoc false
  # What may be given to Vitrine.new/2, made into a manifest and the bytes of its modules.

  alias Vitrine.{Download, Error, Manifest}
  alias Vitrine.Manifest.{Fault, Text, Wasm}

  @type t :: Path.t() | binary() | map() | Manifest.t()

  @typedoc "A module's name for linking, and its bytes or text."
  @type wasm :: {name :: String.t(), binary()}

  @doc """
  The manifest of a source, its modules in the manifest's order, of which one is named "main", and
  what that one is called by people, if anything: the name that it was given, or its file's. Of the
  options `:http` matters, for modules that are downloaded.
  """
  @spec load(t(), keyword()) ::
          {:ok, Manifest.t(), [wasm()], String.t() | nil} | {:error, Error.t()}
  def load(source, options) do
    with {:ok, manifest} <- manifest(source),
         modules = Wasm.modules(manifest.wasm),
         {:ok, loaded} <- modules |> Enum.with_index() |> Fault.each(&module(&1, options)) do
      {"main", main} = List.keyfind!(modules, "main", 0)
      {:ok, manifest, loaded, main[:name] || file_name(main)}
    end
  end

  @doc "The files that a source is made of, as far as they are known without downloading anything."
  @spec files(t()) :: [Path.t()]
  def files(source) do
    own = if is_binary(source) and path?(source), do: [source], else: []

    case modules(source, own) do
      {:ok, manifest} -> Enum.uniq(own ++ for(%{path: path} <- manifest.wasm, do: path))
      {:error, _error} -> own
    end
  end

  # Not what a module is: a file with one is known.
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

  defp manifest(%Manifest{} = manifest), do: Manifest.new(manifest)
  defp manifest(source) when is_map(source) and not is_struct(source), do: Manifest.new(source)

  defp manifest(source) when is_binary(source) do
    if path?(source), do: from_file(source), else: from_bytes(source)
  end

  defp manifest(other) do
    advice = if match?({:ok, _}, other), do: ": match on {:ok, source} first", else: ""

    error(
      "a source is a path, a module's bytes or text, or a manifest, got: #{Fault.show(other)}#{advice}"
    )
  end

  # One line that is no module and no manifest.
  defp path?(source) do
    source != "" and byte_size(source) <= 4096 and String.printable?(source) and
      not String.contains?(source, "\n") and not Text.module?(source) and
      not Text.manifest?(source)
  end

  defp from_bytes(bytes) do
    if Text.kind(bytes) == :unknown do
      no_module("the source is no WebAssembly module, no manifest and no path of a file")
    else
      Manifest.new(bytes)
    end
  end

  defp from_file(path) do
    with {:ok, bytes} <- read(path) do
      case Text.kind(bytes) do
        :module ->
          {:ok, %Manifest{wasm: [%{data: bytes, name: file_name(%{path: path})}]}}

        :unknown ->
          no_module("#{inspect(path)} holds neither a WebAssembly module nor a manifest")

        _manifest ->
          with {:error, error} <- Manifest.new(bytes),
               do: {:error, %{error | message: "#{inspect(path)}: #{error.message}"}}
      end
    else
      {:error, error} -> {:error, %{error | message: error.message <> no_path(path)}}
    end
  end

  # What is often given in the belief that it is a source.
  defp no_path("(" <> _text), do: ". WebAssembly's text begins with (module"

  defp no_path(path) do
    if path =~ ~r"\Ahttps?://"i,
      do: ". A module is downloaded by a manifest: %{wasm: [%{url: #{inspect(path)}}]}",
      else: ""
  end

  defp module({{name, source}, index}, options) do
    with {:ok, bytes} <- bytes(source, index, options),
         :ok <- verify(bytes, source[:hash], index),
         :ok <- module_not_component(bytes, source) do
      {:ok, {name, bytes}}
    end
  end

  defp bytes(%{data: data}, _index, _options), do: {:ok, data}

  defp bytes(%{url: _} = source, _index, options),
    do: Download.fetch(source, Keyword.take(options, [:http]))

  defp bytes(%{path: path}, index, _options) do
    with {:error, error} <- read(path) do
      {:error, %{error | message: "the manifest's wasm[#{index}].path: #{error.message}"}}
    end
  end

  defp read(path) do
    with {:error, reason} <- File.read(path) do
      error("cannot read #{inspect(path)}#{place(path)}: #{:file.format_error(reason)}")
    end
  end

  # A release is started somewhere else than Mix is.
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

  # What newer toolchains build by default. The core would say only that it is one.
  defp module_not_component(<<0, "asm", _version::16, 1, 0, _::binary>>, source) do
    message =
      "the source is a component of WebAssembly's component model, and a plugin is a core module, as the targets " <>
        "wasm32-unknown-unknown and wasm32-wasip1 make it, and wasm32-wasip2 does not"

    {:error,
     %Error{reason: :compile, message: message, plugin: source[:name] || file_name(source)}}
  end

  defp module_not_component(_bytes, _source), do: :ok

  defp file_name(%{path: path}), do: Path.basename(path, Path.extname(path))
  defp file_name(_source), do: nil

  defp no_module(message), do: {:error, %Error{reason: :compile, message: message}}
  defp error(message), do: {:error, %Error{reason: :manifest, message: message}}
end
