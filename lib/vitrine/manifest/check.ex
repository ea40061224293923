defmodule Vitrine.Manifest.Check do
  @moduledoc false
  # Checks the parts of a manifest except its modules, and converts them to the form of the struct.

  import Vitrine.Options.Argument, only: [proper_list?: 1, text?: 1]
  import Vitrine.Manifest.Fault

  alias Vitrine.HTTP.Hosts
  alias Vitrine.Manifest.{Fault, Wasm}
  alias Vitrine.Options.Tables.Inside
  alias Vitrine.Text.Printable

  @keys ~w(wasm config memory allowed_hosts allowed_paths timeout_ms)
  @max_hosts 1_000

  @limits [
    {"max_pages", 1..65_536},
    {"max_http_response_bytes", 0..0xFFFF_FFFF_FFFF},
    {"max_var_bytes", 0..0xFFFF_FFFF_FFFF}
  ]
  @limit_keys Enum.map(@limits, &elem(&1, 0))

  # The longest time that a process can wait in `receive`.
  @max_timeout 0xFFFF_FFFF

  @typep checked(value) :: {:ok, value} | {:error, Fault.t()}

  @doc "Returns the limits of a manifest that sets none."
  def default_memory, do: Inside.memory().defaults

  @doc "Returns the fields of the struct, from a map with string or atom keys."
  @spec fields(term()) :: checked(map())
  def fields(map) do
    with {:ok, map} <- keys(map, @keys, []),
         {:ok, wasm} <- Wasm.sources(Map.get(map, "wasm", [])),
         {:ok, config} <- config(Map.get(map, "config", %{})),
         {:ok, memory} <- memory(Map.get(map, "memory", %{}), default_memory()),
         {:ok, hosts} <- allowed_hosts(map["allowed_hosts"]),
         {:ok, paths} <- allowed_paths(map["allowed_paths"]),
         {:ok, timeout} <- timeout(map["timeout_ms"]) do
      {:ok,
       %{
         wasm: wasm,
         config: config,
         memory: memory,
         allowed_hosts: hosts,
         allowed_paths: paths,
         timeout_ms: timeout
       }}
    end
  end

  @doc "Checks a map of texts to texts. Values are never shown, because they may be secrets."
  @spec config(term()) :: checked(%{String.t() => String.t()})
  def config(config), do: texts(config, ["config"])

  @doc "Checks limits. Missing limits are taken from `base`."
  @spec memory(term(), map()) :: checked(map())
  def memory(memory, base) do
    with {:ok, memory} <- keys(memory, @limit_keys, ["memory"]),
         {:ok, limits} <- memory |> Map.reject(&match?({_, nil}, &1)) |> each(&limit/1) do
      {:ok, Map.merge(base, Map.new(limits))}
    end
  end

  defp limit({key, value}) do
    {_, range} = List.keyfind!(@limits, key, 0)

    if is_integer(value) and value in range,
      do: {:ok, {String.to_existing_atom(key), value}},
      else: expected(["memory", key], "#{unit(key)} from #{range.first} to #{range.last}", value)
  end

  defp unit("max_pages"), do: "pages of 64 KiB,"
  defp unit(_bytes), do: "bytes,"

  @doc "Checks patterns of hosts."
  @spec allowed_hosts(term()) :: checked([String.t()])
  def allowed_hosts(nil), do: {:ok, []}

  def allowed_hosts(hosts) do
    cond do
      not proper_list?(hosts) ->
        expected(["allowed_hosts"], "a list of strings", hosts)

      # Each host is compared with each host of a ceiling.
      length(hosts) > @max_hosts ->
        {:error, {["allowed_hosts"], "has #{length(hosts)} hosts; the limit is #{@max_hosts}"}}

      true ->
        hosts |> Enum.with_index() |> each(&host/1)
    end
  end

  # The host is kept as a text, so that a manifest in JSON or TOML can contain it.
  defp host({{:private, host}, index}) when is_binary(host) do
    with {:ok, host} <- host({host, index}), do: {:ok, Hosts.text({:private, host})}
  end

  defp host({host, index}) when is_binary(host) do
    limit = Hosts.max_pattern()

    cond do
      byte_size(host) > limit ->
        {:error,
         {["allowed_hosts", index], "has #{byte_size(host)} bytes; the limit is #{limit} bytes"}}

      host != "" and text?(host) ->
        {:ok, host}

      true ->
        no_host(host, index)
    end
  end

  defp host({other, index}), do: no_host(other, index)

  defp no_host(host, index),
    do: expected(["allowed_hosts", index], "a string such as \"*.example.com\"", host)

  @doc "Checks directories of the host, and their names in the guest."
  @spec allowed_paths(term()) :: checked(%{String.t() => String.t()})
  def allowed_paths(nil), do: {:ok, %{}}

  def allowed_paths(paths) do
    with {:ok, paths} <- texts(paths, ["allowed_paths"]),
         {:ok, _} <- each(paths, &mapping/1) do
      case same_guest_path(paths) do
        nil ->
          {:ok, paths}

        {one, other, guest} ->
          {:error,
           {["allowed_paths"],
            "must give each directory a path of its own in the guest, got #{Printable.term(guest)} for both " <>
              "#{Printable.term(one)} and #{Printable.term(other)}"}}
      end
    end
  end

  @doc "Returns two directories of the host that the guest would find at one path."
  @spec same_guest_path(%{String.t() => String.t()}) ::
          {String.t(), String.t(), String.t()} | nil
  def same_guest_path(paths) do
    paths
    |> Enum.sort()
    # The paths are compared as by a guest's libc: a slash or a dot before or after them does not count.
    |> Enum.group_by(fn {_, guest} -> Path.expand("/" <> guest) end)
    |> Enum.find_value(fn
      {_, [{one, guest}, {other, _} | _]} -> {one, other, guest}
      _once -> nil
    end)
  end

  defp mapping({host, guest}) do
    cond do
      host in ["", "ro:"] -> expected(["allowed_paths"], "keyed by paths of the host", host)
      guest == "" -> expected(["allowed_paths", host], "a path in the guest", guest)
      nul?(host) -> expected(["allowed_paths"], "keyed by paths without a NUL byte", host)
      nul?(guest) -> expected(["allowed_paths", host], "a path without a NUL byte", guest)
      true -> {:ok, guest}
    end
  end

  defp nul?(path), do: String.contains?(path, <<0>>)

  @doc "Checks a number of milliseconds."
  @spec timeout(term()) :: checked(non_neg_integer() | nil)
  def timeout(nil), do: {:ok, nil}
  def timeout(ms) when is_integer(ms) and ms in 0..@max_timeout, do: {:ok, ms}

  def timeout(other),
    do: expected(["timeout_ms"], "milliseconds, from 0 to #{@max_timeout}", other)
end
