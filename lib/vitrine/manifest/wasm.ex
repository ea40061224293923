defmodule Vitrine.Manifest.Wasm do
  @moduledoc false
  # The modules of a manifest: the source of each, and its name for linking.

  import Vitrine.Options.Argument, only: [proper_list?: 1, text?: 1]
  import Vitrine.Manifest.Fault

  alias Vitrine.HTTP.Headers
  alias Vitrine.Manifest.Fault
  alias Vitrine.Manifest.Content
  alias Vitrine.Text.Printable

  @origins ~w(path data url)
  @common ~w(name hash)
  @of_url ~w(method headers)
  @max_url 16_384
  @methods ~w(GET HEAD POST PUT PATCH DELETE OPTIONS)

  # The names of the module that is called, and of Vitrine's own.
  @main "main"
  @env "extism:host/env"

  @typep checked(value) :: {:ok, value} | {:error, Fault.t()}

  @doc "Checks the sources of a manifest. Their names must not clash."
  @spec sources(term()) :: checked([map()])
  def sources([]), do: expected(["wasm"], "a list of at least one source", [])

  def sources(sources) do
    if proper_list?(sources) do
      with {:ok, sources} <- sources |> Enum.with_index() |> each(&source/1),
           {:ok, _} <- names(sources) do
        {:ok, sources}
      end
    else
      expected(["wasm"], "a list of sources", sources)
    end
  end

  @doc """
  The sources with the names they are linked by, in the manifest's order. One of them is "main",
  the module that is called: the only one, the one that is named so or not at all, or the last.
  """
  @spec modules([map()]) :: [{name :: String.t(), map()}]
  def modules(sources) do
    {:ok, names} = names(sources)
    Enum.zip(names, sources)
  end

  defp names([_]), do: {:ok, [@main]}

  defp names(sources) do
    names = Enum.map(sources, &Map.get(&1, :name, @main))
    names = if @main in names, do: names, else: List.replace_at(names, -1, @main)

    case (names -- Enum.uniq(names)) ++ Enum.filter(names, &(&1 == @env)) do
      [] ->
        {:ok, names}

      [name | _] ->
        {:error, "Duplicate module name found in Extism manifest: #{Printable.name(name)}"}
    end
  end

  defp source({source, index}) do
    path = ["wasm", index]

    with {:ok, source} <- keys(source, @origins ++ @common ++ @of_url, path),
         source = Map.reject(source, &match?({_, nil}, &1)),
         {:ok, origin} <- origin(source, path),
         {:ok, name} <- name(source["name"], path ++ ["name"]),
         {:ok, hash} <- hash(source["hash"], path ++ ["hash"]) do
      named = Map.reject(%{name: name, hash: hash}, &match?({_, nil}, &1))
      {:ok, Map.merge(origin, named)}
    end
  end

  defp origin(source, path) do
    case Enum.filter(@origins, &is_map_key(source, &1)) do
      ["url"] ->
        url(source, path)

      [origin] ->
        with {:ok, _} <- source |> Map.drop([origin | @common]) |> none_of_url(origin, path),
             do: origin(origin, source[origin], path ++ [origin])

      [] ->
        {:error,
         {path,
          "must have one of path, data and url, got: #{Printable.term(Enum.sort(Map.keys(source)))}"}}

      several ->
        origins = Enum.join(several, " and ")
        {:error, {path, "must have one of path, data and url, got: #{origins}"}}
    end
  end

  defp none_of_url(rest, _origin, _path) when rest == %{}, do: {:ok, rest}

  defp none_of_url(rest, origin, path) do
    {:error, {path, "has #{hd(Map.keys(rest))}, which only a url can have, beside #{origin}"}}
  end

  defp origin("path", path, at) do
    if is_binary(path) and path != "" and not String.contains?(path, <<0>>),
      do: {:ok, %{path: path}},
      else: expected(at, "the path of a file, without a NUL byte", path)
  end

  defp origin("data", data, at) when is_binary(data) do
    cond do
      module?(data) ->
        {:ok, %{data: data}}

      bytes = module_in_base64(data) ->
        {:ok, %{data: bytes}}

      true ->
        {predicate, advice, _} = Content.find(data)
        advice = if advice == "", do: "", else: "; #{advice}"

        {:error,
         {at,
          "must be a WebAssembly module, in binary or text, or base64 of one; it #{predicate}#{advice}"}}
    end
  end

  defp origin("data", %{} = data, at) when is_map_key(data, "ptr") or is_map_key(data, :ptr) do
    {:error,
     {at,
      "must be base64 or bytes: an address in memory is refused, since whoever writes the " <>
        "manifest could read all of the host's memory with it"}}
  end

  defp origin("data", data, at), do: expected(at, "base64, or the bytes of a module", data)

  # The base64 may contain line breaks.
  defp module_in_base64(data) do
    with {:ok, bytes} <- Base.decode64(data, ignore: :whitespace),
         true <- module?(bytes) do
      bytes
    else
      _ -> nil
    end
  end

  # A component cannot be run, but that error is reported when it is loaded.
  defp module?(bytes), do: Content.module?(bytes) or Content.component?(bytes)

  defp url(source, path) do
    with {:ok, url} <- address(source["url"], path ++ ["url"]),
         {:ok, method} <- method(Map.get(source, "method", "GET"), path ++ ["method"]),
         {:ok, headers} <- headers(Map.get(source, "headers", %{}), path ++ ["headers"]) do
      {:ok, %{url: url, method: method, headers: headers}}
    end
  end

  # The client would refuse such a URL later.
  defp address(url, at) when is_binary(url) and byte_size(url) > @max_url,
    do: {:error, {at, "has #{byte_size(url)} bytes; the limit is #{@max_url} bytes"}}

  defp address(url, at) do
    with true <- text?(url),
         {:ok, %URI{scheme: scheme, host: host}} when is_binary(scheme) <- URI.new(url),
         true <- String.downcase(scheme) in ["http", "https"] and host not in [nil, ""] do
      {:ok, url}
    else
      _ -> expected(at, "a URL of http or https", url)
    end
  end

  defp method(method, at) do
    with true <- is_binary(method) and byte_size(method) <= 10 and text?(method),
         method = String.upcase(method),
         true <- method in @methods do
      {:ok, method}
    else
      _ -> expected(at, "one of #{Enum.join(@methods, ", ")}", method)
    end
  end

  defp headers(headers, at) do
    with {:ok, headers} <- texts(headers, at),
         :ok <- few(headers, at),
         {:ok, _} <- each(headers, &header(&1, at)) do
      {:ok, headers}
    end
  end

  defp few(headers, at) do
    with {:error, why} <- Headers.size(headers), do: {:error, {at, "are too long: #{why}"}}
  end

  # A line break would begin another header.
  defp header({name, value}, at) do
    cond do
      not (name =~ ~r/\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\z/) ->
        expected(at, "keyed by names of headers", name)

      value =~ ~r/[\x00-\x08\x0A-\x1F\x7F]/ ->
        {:error, {at ++ [name], "must be a string without control characters"}}

      true ->
        {:ok, value}
    end
  end

  defp name(nil, _at), do: {:ok, nil}
  defp name(name, at), do: if(text?(name), do: {:ok, name}, else: expected(at, "a string", name))

  defp hash(nil, _at), do: {:ok, nil}

  defp hash(hash, at) do
    if is_binary(hash) and byte_size(hash) == 64 and hash =~ ~r/\A[0-9a-fA-F]{64}\z/,
      do: {:ok, String.downcase(hash)},
      else: expected(at, "a sha256 of 64 hexadecimal digits", hash)
  end
end
