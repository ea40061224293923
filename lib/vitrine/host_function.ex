defmodule Vitrine.HostFunction do
  @moduledoc """
  An Elixir function that a plugin can import and call.

  The short form is a map from names to functions that take and return bytes. They are in the namespace
  `extism:host/user`, where the Extism PDKs look for host functions:

      host_functions: %{"greet" => fn name -> "hello " <> name end}

  A function with several arguments is for an import with as many parameters. A plugin that imports it with another
  number of parameters cannot be linked.

  Structs made by `new/5` declare types and the namespace:

      host_functions: [
        Vitrine.HostFunction.new("add", [:i64, :i64], :i64, fn a, b -> a + b end, namespace: "env")
      ]

  A type can be a `Vitrine.Codec`. To the guest it is an `i64` handle of bytes. The bytes are decoded for the
  function, or encoded from its result:

      Vitrine.HostFunction.new("find_user", [:json], :json, fn %{"id" => id} -> users[id] end)

  Numbers are WebAssembly's own types here: `:i64` is an `i64`, and not the codec for eight bytes.

  ## How it runs

  A host function runs in the process that called the plugin: `self()`, the process dictionary, `$callers`, Logger
  metadata and an Ecto sandbox are those of the caller. It may send, receive, and call other plugins. A call of the
  plugin that is waiting for it returns `:busy`. The call's timeout continues to run, and is noticed when the function
  returns.

  A function with one more argument than the import has parameters receives the call's `:context` as its last
  argument, see `Vitrine.call/4`.

  ## What it returns

    * A value of the result's type: a binary or iodata for `:binary`, with `nil` for none; an integer for `:i32` and
      `:i64`, signed or unsigned; a number for `:f32` and `:f64`, or one of `:nan`, `:infinity`, `:neg_infinity`
    * A list of values, if several results are declared. If no result is declared, the value is ignored
    * `{:error, text}`, which the guest sees as a failed call: the text is set as the plugin's error, and the result
      is zero. Unless the guest clears the error, its own call ends with it

  If the function raises, throws, exits or returns another value, the guest traps and the caller gets
  `{:error, %Vitrine.Error{reason: :host_function}}` with the original `exception` and `stacktrace`.

  If the guest passed bytes that the codec cannot decode, the fault is the guest's: the function is not called, the
  guest is stopped, and the reason is `:codec`.

  `Vitrine.Test.call_host_function/4` calls a host function as a plugin does, for tests.
  """

  import Vitrine.Options.Argument, only: [proper_list?: 1, text?: 1]

  alias Vitrine.Error
  alias Vitrine.HostFunction.Types
  alias Vitrine.Options.Names
  alias Vitrine.Text.Printable

  @typedoc "The type of a parameter or a result. `:binary` and codecs are `i64` handles to the guest."
  @type type :: :i32 | :i64 | :f32 | :f64 | :binary | Vitrine.Codec.t()

  @typedoc "A host function, made by `new/5`. All fields except those that `new/5` takes are private."
  @type t :: %__MODULE__{
          name: String.t(),
          namespace: String.t(),
          params: [type()] | nil,
          results: [type()] | nil,
          function: function(),
          types: nil | {params :: list(), results :: list()}
        }

  @enforce_keys [:name, :namespace, :function]
  # `types` are the declared types, with their codecs resolved.
  defstruct [:name, :namespace, :params, :results, :function, :types]

  @default_namespace "extism:host/user"

  @doc """
  A host function with declared types.

  `params` is a list of types. `results` is a type, a list of types, or `nil` for none. `function` takes as many
  arguments as there are parameters, or one more for the context. The only option is `:namespace`, by default
  `"extism:host/user"`.

      iex> function = Vitrine.HostFunction.new("add", [:i64, :i64], :i64, fn a, b -> a + b end)
      iex> {function.namespace, function.name, function.results}
      {"extism:host/user", "add", [:i64]}

  Raises `ArgumentError` if a type is unknown or the arity does not fit.
  """
  @spec new(String.t(), [type()], type() | [type()] | nil, function(), keyword()) :: t()
  def new(name, params, results, function, options \\ []) do
    options = Names.validate!(options, namespace: @default_namespace)
    names!(name, options[:namespace])
    results = List.wrap(results)

    for {what, types} <- [parameters: params, results: results], not proper_list?(types) do
      raise ArgumentError,
            "host function #{inspect(name)}: expected its #{what} to be a list of types, got: " <>
              inspect(types)
    end

    types = {Types.resolve!(name, params), Types.resolve!(name, results)}

    unless is_function(function, length(params)) or is_function(function, length(params) + 1) do
      raise ArgumentError,
            "host function #{inspect(name)} has #{parameters(length(params))}: expected a function " <>
              "of as many arguments, or one more for the context, got: #{inspect(function)}"
    end

    %__MODULE__{
      name: name,
      namespace: options[:namespace],
      params: params,
      results: results,
      function: function,
      types: types
    }
  end

  defp names!(name, namespace) do
    for {what, text} <- [name: name, namespace: namespace], not text?(text) do
      raise ArgumentError,
            "expected the #{what} of a host function to be a string, got: #{inspect(text)}"
    end
  end

  @doc false
  # Returns the option `host_functions`, and the plugin's `own` functions, as a list of structs. The order depends
  # only on the names. Of two functions with the same name the first counts.
  def normalize(functions, own \\ []) do
    (own ++ structs(functions))
    |> Enum.uniq_by(&{&1.namespace, &1.name})
    |> Enum.sort_by(&{&1.namespace, &1.name})
  end

  defp structs(functions) when is_map(functions) and not is_struct(functions) do
    for {name, function} <- functions do
      unless text?(name) and is_function(function) do
        raise ArgumentError,
              "expected :host_functions to map strings to functions, got: " <>
                inspect({name, function})
      end

      %__MODULE__{name: name, namespace: @default_namespace, function: function}
    end
  end

  defp structs(functions) do
    if proper_list?(functions), do: Enum.flat_map(functions, &listed/1), else: invalid(functions)
  end

  defp listed(%__MODULE__{} = function) do
    names!(function.name, function.namespace)
    [function]
  end

  defp listed({name, function}), do: structs(%{name => function})
  defp listed(other), do: invalid(other)

  defp invalid(other) do
    raise ArgumentError,
          "expected :host_functions to be a map of functions or a list of " <>
            "Vitrine.HostFunction structs, got: #{inspect(other)}"
  end

  @typedoc false
  # Returns how many parameters a plugin's imports have.
  @type wanted :: %{
          required(:arities) => [
            {{namespace :: String.t(), name :: String.t()}, non_neg_integer()}
          ],
          optional(atom()) => term()
        }

  @doc false
  # Whether each of a plugin's imports has a function of its arity, or of one more for the context. Functions with
  # declared types are known to fit.
  @spec check([t()], wanted(), String.t()) :: :ok | {:error, Error.t()}
  def check(functions, wanted, plugin) do
    case faults(functions, wanted) do
      [] -> :ok
      [fault | _] -> {:error, %Error{reason: :link, message: fault, plugin: plugin}}
    end
  end

  @doc false
  # Returns why functions cannot be called for their imports.
  @spec faults([t()], wanted()) :: [String.t()]
  def faults(functions, wanted) do
    untyped = for %{types: nil} = f <- functions, into: %{}, do: {{f.namespace, f.name}, f}

    for {import, params} <- wanted.arities,
        function = untyped[import],
        not is_function(function.function, params),
        not is_function(function.function, params + 1) do
      {:arity, arity} = Function.info(function.function, :arity)

      "the plugin imports the host function #{inspect(function.name)} with #{parameters(params)}; its function " <>
        "has #{arguments(arity)}, and #{params} or #{params + 1} (with the context) would be right"
    end
  end

  defp arguments(1), do: "1 argument"
  defp arguments(count), do: "#{count} arguments"

  defp parameters(1), do: "1 parameter"
  defp parameters(count), do: "#{count} parameters"

  @doc false
  # Runs the function for an import with this number of results. Returns the reply for the guest, and the fields of the
  # error if the function failed.
  def run(%__MODULE__{} = host_function, args, results, context) do
    case arguments(host_function, args) do
      {:ok, args} ->
        result = apply_function(host_function.function, args, context)
        {reply(host_function.name, result_types(host_function, results), result), []}

      {:error, error} ->
        {:failed, [reason: error.reason, message: error.message, raw: error.raw]}
    end
  catch
    :error, reason ->
      exception = Exception.normalize(:error, reason, __STACKTRACE__)
      failure = [kind: :error, exception: exception, stacktrace: __STACKTRACE__]
      {:failed, no_context(host_function, args, context, exception) ++ failure}

    kind, reason ->
      {:failed, [kind: kind, exception: reason, stacktrace: __STACKTRACE__]}
  end

  # A function that failed because it got no context. The error says so.
  defp no_context(%{function: function} = host_function, args, nil, exception)
       when not is_function(function, length(args)) do
    if of_nil?(exception, function) do
      %{namespace: namespace, name: name} = host_function
      import = "#{Printable.name(namespace)}::#{Printable.name(name)}"

      [
        message:
          "the host function #{import} failed; its last argument, the context, is nil: no context: … was given to " <>
            "the call, or to Vitrine.new/2 for what runs while the plugin is made"
      ]
    else
      []
    end
  end

  defp no_context(_host_function, _args, _context, _exception), do: []

  defp of_nil?(%exception{term: nil}, _function)
       when exception in [KeyError, BadMapError, MatchError],
       do: true

  defp of_nil?(%UndefinedFunctionError{module: nil}, _function), do: true

  defp of_nil?(%FunctionClauseError{} = exception, function) do
    called = Map.take(exception, [:module, :function, :arity])

    called ==
      Map.new([:module, :name, :arity], fn key ->
        {key, value} = Function.info(function, key)
        {if(key == :name, do: :function, else: key), value}
      end)
  end

  defp of_nil?(_exception, _function), do: false

  defp arguments(%{types: nil}, args), do: {:ok, args}
  defp arguments(%{name: name, types: {types, _}}, args), do: arguments(name, types, args, 1)

  defp arguments(_name, [], [], _position), do: {:ok, []}

  defp arguments(name, [type | types], [arg | args], position) do
    with {:ok, value} <- Types.decode(name, type, arg, position),
         {:ok, values} <- arguments(name, types, args, position + 1),
         do: {:ok, [value | values]}
  end

  defp result_types(%{types: {_, types}}, _results), do: types
  defp result_types(_untyped, 1), do: [:binary]
  defp result_types(_untyped, results), do: List.duplicate(:binary, results)

  defp apply_function(function, args, context) do
    if is_function(function, length(args)) do
      apply(function, args)
    else
      apply(function, args ++ [context])
    end
  end

  # For guests, an empty text means that there is no error.
  defp reply(name, _types, {:error, ""}),
    do: {:error, "the host function #{inspect(name)} failed"}

  defp reply(_name, _types, {:error, text}) when is_binary(text), do: {:error, text}
  defp reply(_name, [], _result), do: {:values, []}
  defp reply(name, [type], result), do: {:values, [Types.encode!(name, type, result)]}

  defp reply(name, types, results) when is_list(results) and length(results) == length(types) do
    {:values, Enum.zip_with(types, results, &Types.encode!(name, &1, &2))}
  end

  defp reply(name, types, other) do
    raise ArgumentError,
          "host function #{inspect(name)} must return a list of #{length(types)} values, " <>
            "returned: #{inspect(other)}"
  end
end
