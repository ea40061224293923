defmodule Vitrine.Options do
  @moduledoc false
  # The options of plugins and calls, checked: a wrong option is a bug of the caller, and raises.

  alias Vitrine.HostFunction
  alias Vitrine.HTTP.Policy

  # What a call may take if nobody says otherwise, in milliseconds.
  @default_timeout 5_000

  # What the body of an HTTP response may have, 50 MiB.
  @default_max_http_response_bytes 52_428_800

  # The longest that a process can wait in `receive`.
  @max_timeout 0xFFFF_FFFF

  @plugin_options [
    :name,
    :host_functions,
    :wasi,
    :scheduler,
    :timeout,
    :on_trap,
    :config,
    :context,
    :http,
    :allowed_hosts,
    :http_response_headers
  ]

  @doc "The names of the options of `Vitrine.new/2`."
  def plugin_options, do: @plugin_options

  @doc "The options of `Vitrine.new/2` as a map, with their defaults."
  @spec plugin!(keyword(), Vitrine.Manifest.t()) :: map()
  def plugin!(options, manifest) do
    options =
      options
      |> Keyword.validate!(
        name: nil,
        context: nil,
        host_functions: [],
        wasi: false,
        scheduler: :auto,
        timeout: manifest.timeout_ms || @default_timeout,
        on_trap: :reset,
        config: %{},
        http: Vitrine.HTTP.Client,
        allowed_hosts: nil,
        http_response_headers: false
      )
      |> Map.new()

    one_of!(options, :wasi, [true, false])
    one_of!(options, :scheduler, [:auto, :dirty])
    one_of!(options, :on_trap, [:reset, :keep])
    one_of!(options, :http_response_headers, [true, false])
    timeout!(options.timeout)

    %{
      options
      | host_functions: HostFunction.normalize(options.host_functions),
        config: config!(options.config),
        name: name!(options.name),
        http: http(options, manifest)
    }
  end

  defp http(options, manifest) do
    %Policy{
      client: Policy.client!(options.http),
      hosts: Policy.hosts!(options.allowed_hosts || Map.get(manifest, :allowed_hosts) || []),
      max_response_bytes:
        manifest.memory[:max_http_response_bytes] || @default_max_http_response_bytes,
      response_headers?: options.http_response_headers
    }
  end

  @doc "The timeout of a call."
  @spec timeout!(term()) :: timeout()
  def timeout!(:infinity), do: :infinity
  def timeout!(timeout) when is_integer(timeout) and timeout in 0..@max_timeout, do: timeout

  def timeout!(other) do
    raise ArgumentError,
          "expected :timeout to be milliseconds, from 0 to #{@max_timeout}, or :infinity, got: " <>
            inspect(other)
  end

  @doc "The input of a call."
  @spec input!(term()) :: binary()
  def input!(input) when is_binary(input), do: input
  def input!(input) when is_list(input), do: IO.iodata_to_binary(input)

  def input!(other) do
    raise ArgumentError, "expected the input to be a binary or iodata, got: #{inspect(other)}"
  end

  defp one_of!(options, key, allowed) do
    unless Map.fetch!(options, key) in allowed do
      raise ArgumentError,
            "expected #{inspect(key)} to be one of #{inspect(allowed)}, got: " <>
              inspect(Map.fetch!(options, key))
    end
  end

  defp name!(nil), do: nil
  defp name!(name) when is_binary(name), do: name
  defp name!(name) when is_atom(name), do: name |> inspect() |> String.trim_leading(":")

  defp name!(other) do
    raise ArgumentError, "expected :name to be a string, got: #{inspect(other)}"
  end

  defp config!(config) when is_map(config) do
    Map.new(config, fn {key, value} -> {to_string(key), to_string(value)} end)
  end

  defp config!(other) do
    raise ArgumentError, "expected :config to be a map of strings, got: #{inspect(other)}"
  end
end
