defmodule Vitrine.Build.Library do
  @moduledoc """
  Puts the native library where it belongs.

  A running VM may have the library of the last build mapped, and a second Mix may look at it
  right now. So it is never written in place: the new one is written beside it and renamed.
  """

  # The NIF names the module that it is for.
  @module "Elixir.Vitrine.Native"

  @doc "Whether a library can be put there, before minutes are spent on making one."
  @spec check_target(Path.t()) :: :ok | {:error, String.t()}
  def check_target(target) do
    directory = Path.dirname(target)
    probe = Path.join(directory, ".writable-#{System.pid()}")

    with :ok <- File.mkdir_p(directory),
         :ok <- File.mkdir(probe),
         :ok <- File.rmdir(probe) do
      :ok
    else
      {:error, reason} -> {:error, unwritable(target, reason)}
    end
  end

  # Mix links `priv` of the build to that of the sources.
  defp unwritable(target, reason) do
    """
    The native library is put into #{real(Path.dirname(target))}, where nothing can be written: #{:file.format_error(reason)}.

    Mix makes `priv` of a build a link to that of the sources, so the directory of Vitrine's sources must be
    writable while it is compiled. Copy it to a place that is, and name that in your mix.exs.
    """
  end

  # The target of a path, with its own links and those of the directories above it followed.
  defp real(path) do
    path
    |> Path.split()
    |> Enum.reduce(fn part, above ->
      path = Path.join(above, part)

      case File.read_link(path) do
        {:ok, to} -> real(Path.expand(to, above))
        {:error, _reason} -> path
      end
    end)
  end

  @doc "Whether a file that somebody gave is Vitrine's native library, as far as its bytes tell."
  @spec check_prebuilt(Path.t()) :: :ok | {:error, String.t()}
  def check_prebuilt(path) do
    with :absolute <- Path.type(path),
         {:ok, bytes} <- File.read(path) do
      cond do
        not object?(bytes) -> {:error, "this file is not a shared library"}
        cut_off?(bytes) -> {:error, "this file is cut off: it ends before its code does"}
        :binary.match(bytes, @module) == :nomatch -> {:error, "this is not Vitrine's library"}
        true -> :ok
      end
    else
      {:error, :eisdir} -> {:error, "this is a directory; give the path of the library in it"}
      {:error, :enoent} -> {:error, "there is no such file"}
      {:error, reason} -> {:error, "#{:file.format_error(reason)}"}
      _relative -> {:error, "this is not an absolute path"}
    end
  end

  # ELF, and Mach-O of one processor or of several.
  defp object?(<<0x7F, "ELF", _::binary>>), do: true
  defp object?(<<magic::32, _::binary>>), do: magic in [0xCFFAEDFE, 0xCAFEBABE]
  defp object?(_bytes), do: false

  # The VM that loads such a file dies without a word, when it reads what is not there. All systems that are supported
  # and have ELF are of 64 bits, with the low byte first.
  defp cut_off?(
         <<0x7F, "ELF", 2, 1, _::binary-size(26), at::little-64, _::binary-size(14),
           size::little-16, count::little-16, _::binary>> = bytes
       ) do
    Enum.any?(0..(count - 1)//1, fn n -> segment_end(bytes, at + n * size) > byte_size(bytes) end)
  end

  defp cut_off?(<<0x7F, "ELF", _::binary>> = bytes), do: byte_size(bytes) < 64
  defp cut_off?(_bytes), do: false

  # The end of a loaded segment in the file.
  defp segment_end(bytes, at) do
    case bytes do
      <<_::binary-size(at), 1::little-32, _flags::32, offset::little-64, _addresses::128,
        size::little-64, _::binary>> ->
        offset + size

      <<_::binary-size(at), _another::binary-size(40), _::binary>> ->
        0

      _shorter ->
        at + 40
    end
  end

  @doc "Puts a copy of `source` at `target`, unless an equal one is there."
  @spec install(Path.t(), Path.t()) :: :ok | {:error, String.t()}
  def install(source, target) do
    if same?(source, target), do: :ok, else: replace(source, target)
  end

  defp same?(source, target) do
    with {:ok, %{size: size}} <- File.stat(source),
         {:ok, %{size: ^size, type: :regular}} <- File.lstat(target),
         {:ok, bytes} <- File.read(source) do
      File.read(target) == {:ok, bytes}
    else
      _ -> false
    end
  end

  defp replace(source, target) do
    temporary = "#{target}.#{System.pid()}"

    with :ok <- File.mkdir_p(Path.dirname(target)),
         :ok <- File.cp(source, temporary),
         :ok <- File.rename(temporary, target) do
      :ok
    else
      {:error, reason} ->
        File.rm(temporary)
        {:error, "Could not copy #{source} to #{target}: #{:file.format_error(reason)}"}
    end
  end
end
