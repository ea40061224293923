defmodule Vitrine.Telemetry.Handlers do
  @moduledoc false
  # The handlers of events: the main one, which is that of `attach/1`, the configured one or `:telemetry`, and any
  # number of others. They are persistent terms, so that an event without handlers costs some nanoseconds.

  require Logger

  alias Vitrine.Telemetry

  # The term has a list of `{id, handler, failed}`, or `false` if there are no handlers. If there is no term, the
  # handlers have to be looked for.
  @key __MODULE__

  # The attached handlers: `{main, others}`. Main is `nil` if nothing was attached, and `false` after it failed.
  @attached {__MODULE__, :attached}

  @typep id :: {:main} | {:other, term()}
  # An atomic that becomes 1 when the handler fails. It may fail in many processes at the same time; one of them
  # detaches it.
  @typep failed :: :atomics.atomics_ref()
  @type t :: [{id(), Telemetry.handler() | :telemetry, failed()}, ...]

  @doc "Returns the handlers of events, or false."
  @spec current() :: t() | false
  def current do
    case :persistent_term.get(@key, nil) do
      nil -> find()
      handlers -> handlers
    end
  end

  @doc "Replaces the main handler. `nil` stands for the default handler."
  @spec put_main(Telemetry.handler() | nil) :: :ok
  def put_main(handler), do: change(fn {_main, others} -> {:ok, {handler, others}} end)

  @doc "Adds a handler to the others."
  @spec add(term(), Telemetry.handler()) :: :ok | {:error, :already_exists}
  def add(id, handler) do
    handler!(handler)

    change(fn {main, others} ->
      if List.keymember?(others, id, 0),
        do: {{:error, :already_exists}, {main, others}},
        else: {:ok, {main, others ++ [{id, handler, not_failed()}]}}
    end)
  end

  @doc "Removes a handler that was added."
  @spec remove(term()) :: :ok | {:error, :not_found}
  def remove(id) do
    change(fn {main, others} ->
      if List.keymember?(others, id, 0),
        do: {:ok, {main, List.keydelete(others, id, 0)}},
        else: {{:error, :not_found}, {main, others}}
    end)
  end

  # Changes are made one after the other, because each reads and writes a term.
  defp change(how) do
    :global.trans(
      {@attached, self()},
      fn ->
        was = attached()
        {answer, now} = how.(was)
        if now != was, do: :persistent_term.put(@attached, now)
        :persistent_term.erase(@key)
        answer
      end,
      [node()]
    )
  end

  defp attached, do: :persistent_term.get(@attached, {nil, []})

  @doc "Passes an event to all handlers."
  @spec run(t(), Telemetry.event(), map(), map()) :: :ok
  def run([{_id, :telemetry, _failed} | rest], event, measurements, metadata) do
    # With `apply` the compiler does not miss the module.
    apply(:telemetry, :execute, [event, measurements, metadata])
    run(rest, event, measurements, metadata)
  end

  def run([handler | rest], event, measurements, metadata) do
    run_own(handler, event, measurements, metadata)
    run(rest, event, measurements, metadata)
  end

  def run([], _event, _measurements, _metadata), do: :ok

  defp run_own({id, handler, failed}, event, measurements, metadata) do
    # Since the work began, the handler may have failed, or another one may have been attached.
    if there?(id, handler, failed) do
      case handler do
        {module, function} -> apply(module, function, [event, measurements, metadata])
        function -> function.(event, measurements, metadata)
      end
    end
  catch
    kind, reason ->
      # Only one process takes the lock, because thousands may fail at once.
      if :atomics.exchange(failed, 1, 1) == 0 do
        drop(id, handler)

        Logger.error(
          "the telemetry handler #{named(id, handler)} failed with #{inspect(event)} and was detached: " <>
            Exception.format(kind, reason, __STACKTRACE__)
        )
      end
  end

  defp named({:main}, handler), do: inspect(handler)
  defp named({:other, id}, _handler), do: inspect(id)

  defp not_failed, do: :atomics.new(1, [])

  defp there?(id, handler, failed) do
    :atomics.get(failed, 1) == 0 and
      case current() do
        false -> false
        handlers -> match?({_, ^handler, _}, List.keyfind(handlers, id, 0))
      end
  end

  # Detaches only this handler, and not one that was attached meanwhile.
  defp drop({:main}, handler) do
    change(fn {main, others} ->
      # The configured handler is not among the attached ones.
      if main in [nil, handler], do: {:ok, {false, others}}, else: {:ok, {main, others}}
    end)
  end

  defp drop({:other, id}, handler) do
    change(fn {main, others} ->
      {:ok, {main, Enum.reject(others, &match?({^id, ^handler, _}, &1))}}
    end)
  end

  @doc "Checks the configured handler, when the application starts."
  @spec check_configured!() :: :ok
  def check_configured! do
    handler = Application.get_env(:vitrine, :telemetry_handler)
    unless handler in [nil, false], do: handler!(handler)
    # The handler may differ from that of an earlier run of the application.
    change(&{:ok, &1})
  end

  # The handlers are looked up once, unless :telemetry is installed but has not been started yet.
  defp find do
    {main, others} = attached()
    others = for {id, handler, failed} <- others, do: {{:other, id}, handler, failed}

    case main(main) do
      :not_started -> listed(others)
      false -> keep(listed(others))
      handler -> keep([{{:main}, handler, not_failed()} | others])
    end
  end

  defp main(nil), do: configured(Application.get_env(:vitrine, :telemetry_handler))
  defp main(attached_or_false), do: attached_or_false

  defp configured(nil), do: if(Code.ensure_loaded?(:telemetry), do: if_started(), else: false)
  defp configured(false), do: false
  defp configured(handler), do: handler!(handler)

  defp if_started do
    started? = List.keymember?(Application.started_applications(), :telemetry, 0)
    if started?, do: :telemetry, else: :not_started
  end

  defp listed([]), do: false
  defp listed(handlers), do: handlers

  defp keep(handlers) do
    :persistent_term.put(@key, handlers)
    handlers
  end

  @doc "Checks whether a term can be a handler."
  @spec handler!(term()) :: Telemetry.handler()
  def handler!(handler) when is_function(handler, 3), do: handler

  def handler!({module, function} = handler) when is_atom(module) and is_atom(function),
    do: handler

  def handler!(other) do
    raise ArgumentError,
          "expected a telemetry handler to be a function of three arguments or {module, function}, " <>
            "got: #{inspect(other)}"
  end
end
