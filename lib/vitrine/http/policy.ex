defmodule Vitrine.HTTP.Policy do
  @moduledoc false
  # The requests that a plugin may make, and the client that makes them.

  alias Vitrine.HTTP.Hosts
  alias Vitrine.Options.Argument

  @max_redirects 10

  @enforce_keys [:client, :hosts, :max_response_bytes]
  defstruct [
    :client,
    :hosts,
    :max_response_bytes,
    # The origin of the request: errors name the options of plugins only for requests of plugins.
    for: :plugin,
    response_headers?: false,
    max_redirects: @max_redirects
  ]

  @type t :: %__MODULE__{
          client: {module(), keyword()} | nil,
          hosts: Hosts.t(),
          max_response_bytes: non_neg_integer(),
          for: :plugin | :download,
          response_headers?: boolean(),
          max_redirects: non_neg_integer()
        }

  @doc "Checks and compiles the option `:allowed_hosts`. Without the option, the manifest's hosts are used."
  @spec hosts!(term(), [String.t()]) :: Hosts.t()
  def hosts!(nil, hosts), do: Hosts.compile(hosts)

  def hosts!(hosts, _of_manifest) do
    unless Argument.list_of?(hosts, &pattern?/1) do
      raise ArgumentError,
            "expected :allowed_hosts to be a list of names or patterns such as " <>
              ~s("*.example.com" or {:private, "db.internal"}, got: #{inspect(hosts)})
    end

    hosts = Enum.map(hosts, &Hosts.text/1)

    for host <- hosts, fault = Hosts.fault(host) do
      raise ArgumentError,
            "expected :allowed_hosts to be names or patterns such as " <>
              ~s("*.example.com" or "[::1]", without scheme, port and path, but #{inspect(host)} #{fault})
    end

    Hosts.compile(hosts)
  end

  defp pattern?({:private, pattern}), do: Argument.text?(pattern)
  defp pattern?(pattern), do: Argument.text?(pattern)

  @doc "Checks the option `:http`, a client or `false`."
  @spec client!(term()) :: {module(), keyword()} | nil
  def client!(false), do: nil

  def client!({module, options} = client) when is_atom(module) and is_list(options) do
    cond do
      not (Code.ensure_loaded?(module) and function_exported?(module, :request, 2)) ->
        not_a_client!(client)

      function_exported?(module, :init, 1) ->
        {module, module.init(options)}

      true ->
        client
    end
  end

  def client!(module) when is_atom(module) and module not in [nil, true],
    do: client!({module, []})

  def client!(other), do: not_a_client!(other)

  defp not_a_client!(other) do
    raise ArgumentError,
          "expected :http to be a module with the behaviour Vitrine.HTTP, such a module with " <>
            "its options, or false, got: #{inspect(other)}"
  end
end
