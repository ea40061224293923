defmodule Vitrine.Source do
  @moduledoc false
  # What may be given to Vitrine.new/2, made into a manifest and the bytes of its module.

  alias Vitrine.{Error, Manifest}

  @type t :: Path.t() | binary() | map() | Manifest.t()

  @doc "The manifest of a source, and the bytes of its modules by their names, the main one last."
  @spec load(t()) :: {:ok, Manifest.t(), [{String.t(), binary()}]} | {:error, Error.t()}
  def load(source) do
    with {:ok, manifest} <- manifest(source),
         [wasm] = manifest.wasm,
         {:ok, bytes} <- bytes(wasm),
         :ok <- verify(bytes, wasm[:hash]) do
      {:ok, manifest, [{"main", bytes}]}
    end
  end

  @doc "What to call a plugin of this manifest, if it says."
  @spec name(Manifest.t()) :: String.t() | nil
  def name(manifest), do: List.last(manifest.wasm)[:name]

  defp manifest(source) when is_map(source), do: Manifest.new(source)

  defp manifest(source) when is_binary(source) do
    cond do
      module?(source) -> {:ok, %Manifest{wasm: [%{data: source}]}}
      json?(source) -> Manifest.new(source)
      path?(source) -> from_file(source)
      true -> compile_error()
    end
  end

  defp manifest(other) do
    error(
      :manifest,
      "a source is a path, a module's bytes or text, or a manifest, got: #{inspect(other)}"
    )
  end

  # A file may hold a manifest, too.
  defp from_file(path) do
    with {:ok, bytes} <- read(path) do
      if json?(bytes) do
        Manifest.new(bytes)
      else
        {:ok, %Manifest{wasm: [%{data: bytes, name: Path.basename(path, Path.extname(path))}]}}
      end
    end
  end

  defp bytes(%{data: data}), do: {:ok, data}
  defp bytes(%{path: path}), do: read(path)

  defp read(path) do
    with {:error, reason} <- File.read(path) do
      error(:manifest, "cannot read #{inspect(path)}: #{:file.format_error(reason)}")
    end
  end

  defp verify(_bytes, nil), do: :ok

  defp verify(bytes, expected) do
    hash = Base.encode16(:crypto.hash(:sha256, bytes), case: :lower)
    if hash == String.downcase(expected), do: :ok, else: mismatch(hash, expected)
  end

  defp mismatch(hash, expected) do
    error(:manifest, "hash mismatch: the module's sha256 is #{hash}, expected #{expected}")
  end

  @doc "Whether bytes look like a module, binary or text."
  @spec module?(binary()) :: boolean()
  def module?(<<0, "asm", _::binary>>), do: true
  def module?(bytes), do: Regex.match?(~r/\A\s*(\(\s*module\b|\(;|;;)/, bytes)

  defp json?(bytes), do: Regex.match?(~r/\A\s*[\{\[]/, bytes)

  defp path?(source) do
    source != "" and byte_size(source) <= 4096 and String.printable?(source) and
      not String.contains?(source, "\n")
  end

  defp compile_error do
    error(
      :compile,
      "the source is no WebAssembly module, in binary or text, no manifest and no path of a file"
    )
  end

  defp error(reason, message), do: {:error, %Error{reason: reason, message: message}}
end
