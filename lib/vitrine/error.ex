defmodule Vitrine.Error do
  @moduledoc """
  An error, as data. Every function of Vitrine that can fail returns `{:error, %Vitrine.Error{}}`.

  ## Reasons

    * `:guest_error` - the plugin reported an error, or returned a code other than 0. `message` has the text, `code`
      the return code
    * `:trap` - the guest crashed, broke the rules of the ABI, or reached a limit that has no reason of its own. `trap`
      has the kind of trap, `backtrace` its place
    * `:exit` - the guest ended itself with the exit code in `code`
    * `:timeout` - the call ran past its deadline. The message says how the time was spent, how much was allowed, and
      which option set the limit
    * `:cancelled` - `Vitrine.cancel/1`, `Vitrine.close/1`, or the end of the server or the pool stopped the call
    * `:out_of_memory` - the plugin needs more memory than its limit
    * `:fuel` - the plugin used up its fuel, see the option `:fuel` of `Vitrine.new/2`
    * `:output_too_large` - the output is larger than its limit
    * `:host_function` - a host function raised, threw, exited or returned a value that is not allowed. `kind`,
      `exception` and `stacktrace` have the original
    * `:codec` - an input, an output, or a value that a plugin passed to a host function, cannot be encoded or decoded
      by its `Vitrine.Codec`. `raw` has the bytes that could not be decoded, if they are at most 64 KiB
    * `:answer` - the plugin's answer is not allowed, or makes no sense where it was asked for, see `Vitrine.Plug`
    * `:html` - the plugin's HTML cannot be made safe, see `Vitrine.HTML`
    * `:http` - an HTTP request of the plugin was refused or failed. `exception` has what the client returned; if the
      client raised, `kind`, `exception` and `stacktrace` have the original
    * `:function_not_found` - the plugin has no such function, or it is not a plugin function. A plugin function takes
      no parameters and has no result or an i32
    * `:link` - an import of the plugin cannot be satisfied, or its host function takes another number of arguments
    * `:contract` - the plugin lacks a required export, or imports something that is not allowed, see the option
      `:requires` of `Vitrine.new/2`
    * `:manifest` - the source or the manifest is malformed, or asks for more than the option `:ceiling` of
      `Vitrine.new/2` allows. A download that fails, and a directory that cannot be opened, are this error, too
    * `:file` - a file of the source cannot be read. `exception` is a `File.Error`
    * `:compile` - the bytes are not a WebAssembly module, or the module cannot be compiled
    * `:snapshot` - the plugin has state that a snapshot would lose, see the option `:snapshot` of `Vitrine.compile/2`
    * `:vars` - the variables given to `Vitrine.put_vars/2` exceed their limit
    * `:busy` - the plugin is in the middle of a call
    * `:pool_full` - no instance of the `Vitrine.Pool` is free, and its queue is full
    * `:queue_full` - the queue of the `Vitrine.Server` is full
    * `:closed` - the plugin was closed, or the server or pool is not running

  ## As an exception

  An error is also an exception. `Vitrine.call!/4` raises it, and `Exception.message/1` describes it. The field
  `message` has the text as the plugin gave it. `Exception.message/1` puts this text in one line, and shows line
  feeds, escape sequences and similar characters as `\\n`, `\\e`, `\\u{202E}`:

      iex> error = %Vitrine.Error{reason: :guest_error, message: "no such user", code: 1,
      ...>                        plugin: "users", function: "find"}
      iex> Exception.message(error)
      ~s(plugin "users", function "find": no such user)
  """

  @typedoc "The kind of failure, see above."
  @type reason ::
          :guest_error
          | :trap
          | :exit
          | :timeout
          | :cancelled
          | :out_of_memory
          | :fuel
          | :output_too_large
          | :host_function
          | :codec
          | :answer
          | :html
          | :http
          | :function_not_found
          | :link
          | :contract
          | :manifest
          | :file
          | :compile
          | :snapshot
          | :vars
          | :busy
          | :pool_full
          | :queue_full
          | :closed

  @typedoc """
  A frame of a Wasm backtrace. A backtrace is a list of them, the innermost first.

    * `offset` is the offset of the instruction in the module as it was compiled. After a bulk instruction that was
      rewritten it differs slightly from the offset in the file
    * `file` and `line` are those of the source. They need a plugin with debug information, and the option
      `:debug_info`
    * `repeated` stands in the last frame of a recursion, which is listed once. It has the number of frames that
      repeat, and how many more times they repeat, within the twenty frames of a backtrace

  Names of Rust are demangled.
  """
  @type frame :: %{
          function: String.t() | nil,
          index: non_neg_integer(),
          offset: non_neg_integer() | nil,
          file: String.t() | nil,
          line: pos_integer() | nil,
          repeated: {pos_integer(), pos_integer()} | nil
        }

  @typedoc """
  An error. `reason` and `message` are always set. `plugin` and `function` are set if they are known, and the other
  fields as the reasons above say.
  """
  @type t :: %__MODULE__{
          reason: reason(),
          message: String.t(),
          plugin: String.t() | nil,
          function: String.t() | nil,
          code: integer() | nil,
          trap: String.t() | nil,
          raw: binary() | nil,
          backtrace: [frame()],
          kind: :error | :throw | :exit | nil,
          exception: term(),
          stacktrace: Exception.stacktrace()
        }

  alias Vitrine.Text.Printable

  # The modules that call the host's code: in a stack trace, the frames before theirs are the host's. They are names and
  # not aliases, because all modules stand on this one.
  @callers [
    :"Elixir.Vitrine.Call.Loop",
    :"Elixir.Vitrine.Codec",
    :"Elixir.Vitrine.HostFunction",
    :"Elixir.Vitrine.HostFunction.Types",
    :"Elixir.Vitrine.HTTP.Exchange"
  ]

  # The modules between whoever asked for a call and `raise!/1`.
  @raising [__MODULE__, :"Elixir.Vitrine"]

  # Begins each line of an exception's message but the first.
  @margin "\n    | "

  # Logs and consoles leave out the fields that are not set.
  @derive {Inspect,
           optional: [
             :plugin,
             :function,
             :code,
             :trap,
             :raw,
             :kind,
             :exception,
             :backtrace,
             :stacktrace
           ]}
  defexception [
    :reason,
    :message,
    :plugin,
    :function,
    :code,
    :trap,
    :raw,
    :kind,
    :exception,
    backtrace: [],
    stacktrace: []
  ]

  @impl true
  def message(%__MODULE__{} = error) do
    Enum.join([where(error), text(error), cause(error), line(error), backtrace(error.backtrace)])
  end

  # An error that other code made may have no message.
  defp text(%{message: nil, reason: nil}), do: "unknown error"

  defp text(%{message: nil} = error),
    do: Enum.join([inspect(error.reason), trap(error), code(error, ""), thrown(error)])

  defp text(%{message: message} = error) do
    text = shown(message)
    text <> code(error, text)
  end

  # A plugin returns 1 to say that there is a text, and 0 to say nothing.
  defp code(%{code: code}, _text) when code in [nil, 0, 1], do: ""

  defp code(%{code: code}, text),
    do: if(text =~ Integer.to_string(code), do: "", else: " (code #{code})")

  defp trap(%{trap: nil}), do: ""
  defp trap(%{trap: trap}), do: ": #{shown(trap)}"

  defp thrown(%{kind: nil, exception: exception}) when is_exception(exception),
    do: ": #{exception |> Exception.message() |> shown()}"

  defp thrown(%{kind: nil, exception: other}) when other != nil,
    do: ": #{inspect(other, limit: 20, printable_limit: 200)}"

  defp thrown(_error), do: ""

  # The message of an error that other code made may be any term.
  defp shown(text) when is_binary(text), do: Printable.text(text)
  defp shown(other), do: inspect(other)

  defp where(error), do: Printable.origin(name(error.plugin), name(error.function))

  defp name(name) when is_binary(name) or name == nil, do: name
  defp name(other), do: inspect(other)

  defp cause(%{kind: nil}), do: ""

  defp cause(error) do
    banner = Exception.format_banner(error.kind, error.exception, error.stacktrace)
    ": " <> Printable.block(banner, @margin)
  end

  # The line of the host's code that failed.
  defp line(error) do
    case own_frames(error) do
      [frame | _] -> "\n    at " <> Printable.text(Exception.format_stacktrace_entry(frame))
      [] -> ""
    end
  end

  # The frames of the host function or the client. They stand before those of Vitrine, which called it.
  defp own_frames(%{stacktrace: stacktrace}) when is_list(stacktrace),
    do: Enum.take_while(stacktrace, &(elem(&1, 0) not in @callers))

  defp own_frames(_error), do: []

  @doc false
  # Raises the error, with a stack trace in which the failed lines were called by the code that made the call.
  @spec raise!(t()) :: no_return()
  def raise!(error) do
    {:current_stacktrace, [_info | asked]} = Process.info(self(), :current_stacktrace)
    asked = Enum.drop_while(asked, &(elem(&1, 0) in @raising))
    reraise error, own_frames(error) ++ asked
  end

  defp backtrace([]), do: ""

  defp backtrace(frames) do
    lines =
      for frame <- frames do
        "\n    at #{function(frame)}#{offset(frame.offset)}#{source(frame)}#{repeated(frame)}"
      end

    Enum.join(lines)
  end

  defp function(%{function: nil, index: index}), do: "function #{index}"
  defp function(%{function: name}), do: Printable.name(name)

  defp source(%{file: file, line: line}) when file != nil,
    do: " #{Printable.name(file)}:#{line}"

  defp source(_frame), do: ""

  defp repeated(%{repeated: {1, times}}), do: "\n    … repeated #{times} times"

  defp repeated(%{repeated: {frames, times}}),
    do: "\n    … these #{frames} repeated #{times} times"

  defp repeated(_frame), do: ""

  defp offset(nil), do: ""
  defp offset(offset), do: " (0x#{Integer.to_string(offset, 16)})"
end
