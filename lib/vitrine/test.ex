defmodule Vitrine.Test do
  @moduledoc ~S"""
  Helpers for tests of applications that use Vitrine: plugins whose functions are written in Elixir, so that no test
  needs a `.wasm` file, and calls of host functions as plugins make them.

      test "thumbnails are stored" do
        plugin = Vitrine.Test.stub(%{"resize" => fn image -> "small " <> image end})
        start_supervised!({Vitrine.Pool, source: plugin, name: MyApp.Thumbnails})

        assert MyApp.store_thumbnail("image") == {:ok, "small image"}
      end

  A stub is a real plugin. It consists of a few lines of WebAssembly, whose exports pass their input to a host
  function, which is yours. It is therefore loaded, limited, timed out, pooled, upgraded and closed like any other
  plugin, and fails with the same errors.

  See the guide [Testing](testing.md).
  """

  import Vitrine.Options.Argument, only: [proper_list?: 1, text?: 1]

  alias Vitrine.{Codec, Error, HostFunction, Manifest}
  alias Vitrine.HostFunction.Types
  alias Vitrine.Options.{Argument, Docs, Names, Tables, Validation}
  alias __MODULE__.Text

  @typedoc """
  A stub's function. It takes nothing, the input, or the input and the call's `:context`, which is `nil` if there is
  none.
  """
  @type answerer ::
          (() -> term())
          | (input :: term() -> term())
          | (input :: term(), context :: term() -> term())

  @typedoc "A codec, or one for the input and one for the output, like the option `:as` of `Vitrine.call/4`."
  @type codec :: Codec.t() | {Codec.t(), Codec.t()}

  @namespace Text.namespace()
  @failures Text.failures() |> Enum.with_index(1) |> Map.new()

  @doc """
  Makes a plugin whose functions are written in Elixir. It is a source for `Vitrine.new/2`, `Vitrine.compile/2`,
  `Vitrine.Server`, `Vitrine.Pool` and their upgrades.

  `functions` is a map from the names of the plugin's functions to functions, or to `{function, as: codec}`. They run in
  the process that calls the plugin, like host functions. A function returns

    * the output: a binary or iodata, or with a codec a term that it can encode
    * `{:error, text}` - the plugin reports an error: the caller gets `:guest_error`, with the code 1
    * `{:fail, reason}` - the plugin fails as plugins do: `:trap` crashes, `:timeout` loops until the call's timeout or
      its end, `:out_of_memory` asks for 4 GiB

  If a codec cannot decode an input, the plugin reports an error, as plugins do. Any other failure, such as an
  exception, is a `:host_function` error with the original.

  All options of a plugin can be given with a stub, including `:host_functions` and `:requires`. Only one thing reveals
  that it is a stub: each call counts as a call of a host function in traces, telemetry and `Vitrine.stats/1`.

  ## Options

  #{Docs.markdown(Tables.Test.stub())}
  Raises `ArgumentError` if `functions` is not such a map.

      iex> functions = %{
      ...>   "shout" => &String.upcase/1,
      ...>   "whose" => fn _input, context -> context.user end,
      ...>   "count" => {fn text -> %{count: String.length(text)} end, as: {:string, :json}},
      ...>   "refuse" => fn _input -> {:error, "no more cheese"} end,
      ...>   "crash" => fn -> {:fail, :trap} end
      ...> }
      iex> {:ok, plugin} = Vitrine.new(Vitrine.Test.stub(functions))
      iex> Vitrine.functions(plugin)
      {:ok, ["count", "crash", "refuse", "shout", "whose"]}
      iex> Vitrine.call(plugin, "shout", "hello")
      {:ok, "HELLO"}
      iex> Vitrine.call(plugin, "whose", "", context: %{user: "Joe"})
      {:ok, "Joe"}
      iex> Vitrine.call(plugin, "count", "hello", as: {:string, :json})
      {:ok, %{"count" => 5}}
      iex> {:error, error} = Vitrine.call(plugin, "refuse")
      iex> {error.reason, error.message}
      {:guest_error, "no more cheese"}
      iex> {:error, error} = Vitrine.call(plugin, "crash")
      iex> error.reason
      :trap
  """
  @spec stub(%{String.t() => answerer() | {answerer(), as: codec()}}, keyword()) :: Manifest.t()
  def stub(functions, options \\ []) do
    options = Validation.validate!(options, Tables.Test.stub())
    functions = Argument.pairs!(functions, "a map from names to a stub's functions")
    host_functions = for pair <- functions, do: host_function(pair, options.as)
    text = functions |> Enum.map(&elem(&1, 0)) |> Text.stub()
    %{Manifest.from_data(text, name: options.name) | host_functions: host_functions}
  end

  defp host_function({name, {function, options}}, _as) when is_list(options),
    do: host_function({name, function}, Names.validate!(options, as: :raw)[:as])

  defp host_function({name, function}, as) do
    unless text?(name) and Enum.any?(0..2, &is_function(function, &1)) do
      raise ArgumentError,
            "expected a stub's functions to map strings to functions of at most two arguments, or to " <>
              "{function, as: codec}, got: #{inspect({name, function})}"
    end

    {decoder, encoder} = Codec.pair!(as)

    answer = fn input, context ->
      case arguments(function, decoder, input, context) do
        {:ok, arguments} -> function |> apply(arguments) |> answer(encoder)
        {:error, error} -> {:error, error.message}
      end
    end

    HostFunction.new(name, [:binary], [:i32, :binary], answer, namespace: @namespace)
  end

  defp arguments(function, _, _, _) when is_function(function, 0), do: {:ok, []}

  defp arguments(function, decoder, input, context) do
    with {:ok, input} <- Codec.read(decoder, input, "the input"),
         do: {:ok, if(is_function(function, 1), do: [input], else: [input, context])}
  end

  defp answer({:error, text}, _encoder) when is_binary(text), do: {:error, text}

  defp answer({:fail, reason}, _encoder) when is_map_key(@failures, reason),
    do: [@failures[reason], ""]

  defp answer(output, encoder) do
    case Codec.write(encoder, output, "what the stub's function returned") do
      {:ok, bytes} -> [0, bytes]
      {:error, error} -> raise ArgumentError, error.message <> advice(output)
    end
  end

  defp advice({:fail, _reason}) do
    reasons = @failures |> Map.keys() |> Enum.sort() |> Enum.map_join(", ", &inspect/1)
    "; {:fail, reason} has one of the reasons #{reasons}"
  end

  defp advice(_output), do: ""

  @doc """
  Calls one of an application's host functions as a plugin does. It makes a plugin that imports the function and passes
  `args` to it.

  `functions` is the value of the option `:host_functions` of `Vitrine.new/2`. The test therefore covers every step of a
  plugin's call: the function's name, its number of arguments, types and codecs, its context, and the conversion of an
  exception to an error.

  Returns `{:ok, result}`. The result is bytes, a number, or the term that a codec in the function's results decodes.
  It is `nil` if there are no results, and a list if there are several. Errors are those of loading and calling:
  `:link` for an unknown name or a wrong number of arguments, `:guest_error` for `{:error, text}`, `:host_function`
  for an exception.

  ## Options

  #{Docs.markdown(Tables.Test.host_function())}
  Arguments that do not fit the declared types raise `ArgumentError`.

      iex> functions = %{"greet" => fn name, context -> [context.greeting, " ", name] end}
      iex> Vitrine.Test.call_host_function(functions, "greet", ["Joe"], context: %{greeting: "hello"})
      {:ok, "hello Joe"}
      iex> {:error, error} = Vitrine.Test.call_host_function(functions, "greet", ["a", "b", "c"])
      iex> error.reason
      :link

      iex> add = Vitrine.HostFunction.new("add", [:i64, :i64], :i64, fn a, b -> a + b end)
      iex> Vitrine.Test.call_host_function([add], "add", [40, 2])
      {:ok, 42}
  """
  @spec call_host_function(map() | list(), String.t(), [term()], keyword()) ::
          {:ok, term()} | {:error, Error.t()}
  def call_host_function(functions, name, args, options \\ []) do
    own = Validation.validate!(options, Tables.Test.host_function())
    call = Keyword.take(options, [:context, :timeout])
    check!(name, args)
    functions = HostFunction.normalize(functions)
    import = {own.namespace, name}
    {params, results} = types(functions, import, args, own.results)
    text = Text.caller(import, params, results)
    functions = [passing(args, params) | functions]

    with {:ok, plugin} <- Vitrine.new(text, name: "test", host_functions: functions) do
      case Vitrine.trace(plugin, "call", "", call) do
        {{:ok, _}, [_passed, %{reply: {:ok, values}}, _]} -> {:ok, decode(results, values)}
        {_failed, [%{reply: :failed}, _]} -> wrong_arguments!(name, params, args)
        {error, _events} -> error
      end
    end
  end

  defp check!(name, args) do
    unless text?(name) and proper_list?(args) do
      raise ArgumentError,
            "expected the name of a host function and a list of arguments, got: #{inspect({name, args})}"
    end
  end

  defp passing(args, types),
    do: HostFunction.new("arguments", [], types, fn -> unwrap(args) end, namespace: @namespace)

  defp types(functions, import, args, results) do
    case Enum.find(functions, &({&1.namespace, &1.name} == import)) do
      %{params: params} when params != nil and length(params) != length(args) ->
        wrong_arguments!(elem(import, 1), params, args)

      %{params: params, results: results} when params != nil ->
        {params, results}

      _untyped_or_none ->
        {Enum.map(args, fn _ -> :binary end), List.duplicate(:binary, results)}
    end
  end

  defp wrong_arguments!(name, params, args) do
    raise ArgumentError,
          "expected arguments of the types #{inspect(params)} for the host function " <>
            "#{inspect(name)}, got: #{inspect(args)}"
  end

  defp decode(types, values), do: types |> Enum.zip_with(values, &decode_one/2) |> unwrap()

  defp decode_one(type, value) do
    if Types.wasm(type) == type, do: value, else: elem(Codec.decode(type, value), 1)
  end

  defp unwrap([]), do: nil
  defp unwrap([one]), do: one
  defp unwrap(several), do: several
end
