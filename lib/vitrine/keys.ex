defmodule Vitrine.Keys do
  @moduledoc false
  # The names of options. `Keyword.validate!/2` shows all that was given when one is wrong, and that may
  # be a module or a secret of the configuration.

  alias Vitrine.Options.Argument
  alias Vitrine.Text.Nearest

  # Where options stand that are often looked for elsewhere, and how they are written there.
  @places %{
    max_pages: {:memory, "memory: [max_pages: …]"},
    max_http_response_bytes: {:memory, "memory: [max_http_response_bytes: …]"},
    max_var_bytes: {:memory, "memory: [max_var_bytes: …]"},
    output_bytes: {:limits, "limits: [output_bytes: …]"},
    table_elements: {:limits, "limits: [table_elements: …]"},
    args: {:wasi, "wasi: [args: …]"},
    env: {:wasi, "wasi: [env: …]"},
    stdout: {:wasi, "wasi: [stdout: …]"},
    stderr: {:wasi, "wasi: [stderr: …]"},
    exports: {:requires, "requires: [exports: …]"},
    imports: {:requires, "requires: [imports: …]"},
    abi: {:requires, "requires: [abi: …]"},
    sources: {:ceiling, "ceiling: [sources: …]"},
    source: {nil, "source: … of Vitrine.Pool and Vitrine.Server"},
    timeout_ms: {nil, "timeout: …"},
    max_events: {nil, "max_events: … of Vitrine.trace/4"},
    as: {nil, "as: … of Vitrine.call/4"},
    trace: {nil, "trace: … of Vitrine.call/4"},
    size: {nil, "size: … of Vitrine.Pool"},
    overflow: {nil, "overflow: … of Vitrine.Pool"},
    max_queue: {nil, "max_queue: … of Vitrine.Pool and Vitrine.Server"},
    vars: {nil, "vars: … of Vitrine.Pool"},
    watch: {nil, "watch: … of Vitrine.Server"},
    restore_vars: {nil, "restore_vars: … of Vitrine.Server"},
    plugin_name: {nil, "plugin_name: … of Vitrine.Pool and Vitrine.Server"}
  }

  # Those of `Vitrine.new/2`, where a call is given one.
  @of_plugins ~w(host_functions wasi memory limits config allowed_hosts allowed_paths fuel scheduler on_trap log_level)a

  @all @of_plugins |> Map.new(&{&1, {nil, "#{&1}: … of Vitrine.new/2"}}) |> Map.merge(@places)

  @doc """
  The options, with defaults as in `Keyword.validate!/2`. Raises if one is unknown, and says which are known. `of` is the
  option that these are in, if they are in one.
  """
  @spec validate!(keyword(), [atom() | {atom(), term()}], atom()) :: keyword()
  def validate!(options, known, of \\ nil) do
    what = if of, do: inspect(of), else: "the options"

    case options |> Argument.keyword!(what) |> Keyword.validate(known) do
      {:ok, options} -> options
      {:error, wrong} -> raise ArgumentError, describe(wrong, names(known), of)
    end
  end

  defp names(known) do
    Enum.map(known, fn
      {name, _default} -> name
      name -> name
    end)
  end

  defp describe(wrong, known, of) do
    where = if of, do: " of #{inspect(of)}", else: ""

    case Enum.uniq(wrong) -- known do
      [] ->
        "#{options(Enum.uniq(wrong))}#{where} given twice"

      unknown ->
        known = known |> Enum.uniq() |> Enum.sort()
        told = Enum.map_join(unknown, ", ", &(inspect(&1) <> hint(&1, known, of)))
        plural = if match?([_], unknown), do: "", else: "s"
        "unknown option#{plural}#{where}: #{told}. The options are #{list(known)}"
    end
  end

  defp options([_] = names), do: "the option #{list(names)} is"
  defp options(names), do: "the options #{list(names)} are"

  defp list(names), do: Enum.map_join(names, ", ", &inspect/1)

  defp hint(name, known, of) do
    case advice(name, known, of) do
      nil -> ""
      advice -> " (#{advice})"
    end
  end

  @doc """
  What would be right in the place of an unknown name: the same name elsewhere, the nearest one here, or the nearest
  one elsewhere. Names are atoms, or strings.
  """
  @spec advice(term(), [name], atom()) :: String.t() | nil when name: atom() | String.t()
  def advice(name, known, of \\ nil) do
    nearest = Nearest.find(name, known)

    cond do
      place = place(elsewhere(name), of) -> "it belongs in #{place}"
      nearest != nil -> "did you mean #{inspect(nearest)}?"
      place = place(Nearest.find(name, Map.keys(@all)), of) -> "did you mean #{place}?"
      true -> nil
    end
  end

  defp elsewhere(name) when is_binary(name),
    do: Enum.find(Map.keys(@all), &(to_string(&1) == name))

  defp elsewhere(name), do: name

  # Not where it was looked for just now.
  defp place(name, of) do
    case @all do
      %{^name => {inside, place}} when inside == nil or inside != of -> place
      _none -> nil
    end
  end
end
