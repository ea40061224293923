defmodule Vitrine.Loader.Ceiling do
  @moduledoc false
  # The option `:ceiling` says the most that a manifest may ask for. A manifest that asks for more is refused, and what
  # it leaves out is limited to that. Other options come from whoever loads the plugin, and the ceiling does not limit
  # them.

  alias Vitrine.{Error, Manifest}
  alias Vitrine.HTTP.{Exchange, Policy, URL}
  alias Vitrine.Manifest.{Check, Fault}
  alias Vitrine.Options.{Argument, Validation}
  alias Vitrine.Options.Tables.{Inside, Plugin}
  alias Vitrine.Text.Printable

  @typep host :: String.t() | {:private, String.t()}

  @type t :: %{
          allowed_hosts: [host()],
          allowed_paths: [String.t()],
          memory: map(),
          timeout: timeout(),
          sources: [:data | :path | :url | {:url, [host()]}]
        }

  @doc "Returns the checked option."
  @spec options!(term()) :: t() | nil
  def options!(nil), do: nil

  def options!(options) do
    ceiling = Validation.validate!(options, Inside.ceiling(), of: :ceiling)
    Policy.hosts!(ceiling.allowed_hosts, [])
    sources!(ceiling.sources)
    %{ceiling | memory: memory!(ceiling.memory)}
  end

  defp sources!(sources) do
    known? = fn
      {:url, hosts} -> is_list(Policy.hosts!(hosts, []))
      kind -> kind in [:data, :path, :url]
    end

    unless Argument.list_of?(sources, known?),
      do: Validation.wrong!(Inside.ceiling(), :sources, sources, :ceiling)
  end

  defp memory!(limits) do
    limits = if Keyword.keyword?(limits), do: Map.new(limits), else: limits

    case Check.memory(limits, Check.default_memory()) do
      {:ok, memory} -> memory
      {:error, {path, text}} -> raise ArgumentError, "in :ceiling: #{Fault.path(path)} #{text}"
    end
  end

  @doc """
  Returns the hosts that modules may be downloaded from: `:all` without a ceiling, otherwise patterns. A manifest of
  somebody else reaches no private network because any URL will do.
  """
  @spec download_hosts(term()) :: :all | [host()]
  def download_hosts(nil), do: :all

  def download_hosts(options) do
    sources = options!(options).sources
    any = if :url in sources, do: ["*"], else: []
    any ++ for({:url, hosts} <- sources, host <- hosts, do: host)
  end

  @doc "Returns the manifest, if it asks for no more than the option allows, with what it leaves out limited to that."
  @spec narrow(Manifest.t(), term()) :: {:ok, Manifest.t()} | {:error, Error.t()}
  def narrow(manifest, nil), do: {:ok, manifest}

  def narrow(manifest, options) do
    ceiling = options!(options)

    with :ok <- all(Enum.with_index(manifest.wasm), &source(&1, ceiling.sources)),
         :ok <- all(manifest.allowed_hosts, &host(&1, ceiling.allowed_hosts)),
         :ok <- all(manifest.allowed_paths, &path(&1, ceiling.allowed_paths)),
         :ok <- all(manifest.memory, &limit(&1, ceiling.memory)),
         :ok <- timeout(manifest.timeout_ms, ceiling.timeout) do
      memory =
        Map.merge(manifest.memory, ceiling.memory, fn _, asked, most -> min(asked, most) end)

      # An atom is more than any number.
      timeout = min(manifest.timeout_ms || Plugin.timeout(), ceiling.timeout)
      {:ok, %{manifest | memory: memory, timeout_ms: timeout}}
    end
  end

  @doc "Tells whether a source may be the path of a file instead of a manifest."
  @spec file(Path.t(), term()) :: :ok | {:error, Error.t()}
  def file(path, options) do
    if :path in options!(options).sources do
      :ok
    else
      message =
        "the source is the path #{Printable.term(path)}, and with the option :ceiling it must be a manifest or a module " <>
          "itself; read the file first, with File.read/1, or give ceiling: [sources: [:path]]"

      {:error, %Error{reason: :manifest, message: message}}
    end
  end

  defp all(elements, check), do: Enum.find_value(elements, :ok, &(check.(&1) || nil))

  defp source({%{url: url}, index}, sources) do
    unless Enum.any?(sources, &url?(&1, url)),
      do: refused("wasm[#{index}]", "a url, #{Exchange.shown(url)}", :sources, sources)
  end

  defp source({%{path: path}, index}, sources) do
    unless :path in sources,
      do: refused("wasm[#{index}]", "a path, #{Printable.term(path)}", :sources, sources)
  end

  # The bytes are in the manifest itself, or are all that was given.
  defp source({%{data: _}, _index}, _sources), do: nil

  defp url?(:url, _url), do: true

  defp url?({:url, hosts}, url) do
    with {:ok, %{host: host}} <- URL.parse(url), do: within?(host, hosts), else: (_ -> false)
  end

  defp url?(_other, _url), do: false

  defp host(host, hosts) do
    unless within?(host, hosts),
      do:
        refused("allowed_hosts", Printable.term(host), :allowed_hosts, hosts, advice(host, hosts))
  end

  # A pattern seems to allow it, and does not.
  defp advice(host, hosts) do
    if Enum.any?(hosts, &(&1 |> text() |> String.downcase() |> pattern?(String.downcase(host)))),
      do: "; an address, and a name that may have a private address, must itself be listed",
      else: ""
  end

  defp path({host, _guest}, most) do
    {mode, directory} = directory(host)
    paths = Enum.map(most, &directory/1)

    unless {:write, directory} in paths or (mode == :read and {:read, directory} in paths),
      do: refused("allowed_paths", Printable.term(host), :allowed_paths, most)
  end

  # Only listed directories are allowed, and not those below: a plugin may put links into a directory that it can write
  # to.
  defp directory("ro:" <> path), do: {:read, Path.expand(path)}
  defp directory(path), do: {:write, Path.expand(path)}

  defp limit({key, asked}, most) do
    limit = Map.fetch!(most, key)
    # A limit that the manifest leaves out has the default.
    unless asked <= limit or asked == Check.default_memory()[key],
      do: refused("memory.#{key}", asked, :memory, [{key, limit}])
  end

  defp timeout(asked, most) do
    if asked == nil or asked <= most, do: :ok, else: refused("timeout_ms", asked, :timeout, most)
  end

  defp refused(key, asked, option, most, advice \\ "") do
    most = inspect([{option, most}], limit: 20, printable_limit: 300)

    message =
      "the manifest's #{key} is #{asked}, which is more than it may ask for; the most is ceiling: #{most}" <>
        advice

    {:error, %Error{reason: :manifest, message: message}}
  end

  @doc """
  Tells whether these patterns allow all that another pattern allows. What leads into the own network, such as an
  address, is where it is listed itself: a pattern of names does not allow it.
  """
  @spec within?(String.t(), [host()]) :: boolean()
  def within?(host, hosts) do
    host = String.downcase(host)
    Enum.any?(hosts, &(&1 |> text() |> String.downcase() |> covers?(host)))
  end

  # Hosts are written as in manifests.
  defp text({:private, host}), do: "private:" <> host
  defp text(host), do: host

  defp covers?(same, same), do: true
  defp covers?("private:" <> allowed, "private:" <> host), do: pattern?(allowed, host)
  defp covers?("private:" <> allowed, host), do: allowed == host or pattern?(allowed, host)
  defp covers?(allowed, host), do: public?(host) and pattern?(allowed, host)

  # Patterns may also be of addresses.
  defp public?(host) do
    not String.contains?(host, ":") and host != "localhost" and not (host =~ ~r/\A[^a-z]*\z/) and
      not match?({:ok, _}, host |> String.to_charlist() |> :inet.parse_address())
  end

  # Only `*` covers a pattern that has a `*` or a set of characters itself. A set is one character, so a part between
  # two stars is not looked for within it.
  defp pattern?(allowed, host) do
    [_first | parts] = String.split(allowed, "*")
    between? = parts |> Enum.drop(-1) |> Enum.any?(&(&1 != ""))

    parts != [] and not String.contains?(allowed, ["[", "]", "?"]) and
      not (between? and String.contains?(host, "[")) and fits?(String.split(allowed, "*"), host)
  end

  # Finds the parts between stars, each as early as possible.
  defp fits?([first | rest], host) do
    case host do
      <<^first::binary-size(byte_size(first)), host::binary>> -> rest?(rest, host)
      _other -> false
    end
  end

  defp rest?([last], host), do: String.ends_with?(host, last)
  defp rest?(["" | rest], host), do: rest?(rest, host)

  defp rest?([part | rest], host) do
    case :binary.split(host, part) do
      [_before, host] -> rest?(rest, host)
      [_nowhere] -> false
    end
  end
end
