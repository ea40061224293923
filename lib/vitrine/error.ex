defmodule Vitrine.Error do
  @moduledoc """
  What went wrong, as data: every function of Vitrine that can fail answers
  `{:error, %Vitrine.Error{}}`.

  ## Reasons

    * `:guest_error` - the plugin reported an error, or returned a code other than 0. The text is
      in `message`, the return code in `code`
    * `:trap` - the guest trapped, or used the host's functions against their rules. `trap` has
      the kind of trap, `backtrace` where it was
    * `:exit` - the guest ended itself with the exit code in `code`
    * `:timeout` - the call ran past its deadline. The message says in what the time went, how much there was, and which
      option that is
    * `:cancelled` - `Vitrine.cancel/1` or `Vitrine.close/1` stopped the call
    * `:out_of_memory` - the plugin needs more memory than its limit
    * `:fuel` - the plugin used up its fuel, see the option `:fuel` of `Vitrine.new/2`
    * `:output_too_large` - the output is larger than its limit
    * `:host_function` - a host function raised, threw, exited or returned what it must not.
      `kind`, `exception` and `stacktrace` have the original
    * `:codec` - an input, output, or what a plugin passed to a host function, cannot be encoded or
      decoded by its `Vitrine.Codec`. `raw` has the bytes that could not be decoded, if they are at
      most 64 KiB
    * `:answer` - the plugin answered what it must not, or what makes no sense where it was asked,
      see `Vitrine.Plug`
    * `:html` - what a plugin gave as HTML cannot be made safe, see `Vitrine.HTML`
    * `:http` - an HTTP request of the plugin was refused or failed; `exception` has what the client
      answered, or `kind`, `exception` and `stacktrace` how it failed
    * `:function_not_found` - the plugin has no such function, or it is not a plugin function: one that takes no parameters and has no
      result or an i32
    * `:link` - an import of the plugin cannot be satisfied, or its host function takes another number of
      arguments
    * `:contract` - the plugin does not export what it must, or imports what it must not, see the
      option `:requires` of `Vitrine.new/2`
    * `:manifest` - the source or the manifest is not as it must be, or asks for more than the option `:ceiling` of
      `Vitrine.new/2` allows
    * `:file` - a file that the plugin is to be made of cannot be read; `exception` is a `File.Error`
    * `:compile` - the bytes are not a WebAssembly module, or one that cannot be compiled
    * `:snapshot` - the plugin has state that a snapshot would lose, see the option `:snapshot` of
      `Vitrine.compile/2`
    * `:vars` - variables given by `Vitrine.put_vars/2` do not fit into their limit
    * `:busy` - the plugin is in the middle of a call
    * `:pool_full` - no instance of the `Vitrine.Pool` is free, and as many callers wait as may
    * `:queue_full` - as many calls wait for the `Vitrine.Server` as may
    * `:closed` - the plugin was closed, or the server or pool is not running

  An error is an exception too, so that `Vitrine.call!/4` can raise it and
  `Exception.message/1` describes it. `message` is the text as the plugin gave it; there it is in one line, with
  line feeds, escape sequences and the like shown as `\\n`, `\\e`, `\\u{202E}`:

      iex> error = %Vitrine.Error{reason: :guest_error, message: "no such user", code: 1,
      ...>                        plugin: "users", function: "find"}
      iex> Exception.message(error)
      ~s(plugin "users", function "find": no such user)
  """

  @typedoc "What kind of failure it was, see above."
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
  A frame of a Wasm backtrace, the innermost first in a list of them. `offset` is that of the
  instruction in the module as it was compiled: behind a bulk instruction that was rewritten it is
  not quite that of the file. `file` and `line` are those of the source, where the plugin has
  debug information and the option `:debug_info` asks for it. Names of Rust are demangled. A recursion is there
  once: in its last frame `repeated` has the number of frames that come again and again, and how often they come
  once more, as far as a backtrace goes, which is twenty frames.
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
  An error. `reason` and `message` are always there, `plugin` and `function` where they are known, the other
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

  alias Vitrine.Call.Deadline
  alias Vitrine.Text.Printable

  # What runs the host's code: in a stack trace, whatever is before them is the host's.
  @callers [
    Vitrine.Call.Loop,
    Vitrine.Codec,
    Vitrine.HostFunction,
    Vitrine.HostFunction.Types,
    Vitrine.HTTP.Exchange
  ]

  # Before each line of an exception's message but the first.
  @margin "\n    | "

  # In logs and consoles what it does not have is left out.
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

  # One that somebody else made may have no message.
  defp text(%{message: nil, reason: nil}), do: "unknown error"

  defp text(%{message: nil} = error),
    do: Enum.join([inspect(error.reason), trap(error), code(error, ""), thrown(error)])

  defp text(%{message: message} = error) do
    text = shown(message)
    text <> code(error, text)
  end

  # With 1 plugins say that there is a text, and with 0 they say nothing.
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

  # A message that somebody else made may be any term.
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

  # Those of the host function or the client, before those of Vitrine, which called it.
  defp own_frames(%{stacktrace: stacktrace}) when is_list(stacktrace),
    do: Enum.take_while(stacktrace, &(elem(&1, 0) not in @callers))

  defp own_frames(_error), do: []

  @doc false
  # Raises the error, as if the lines that failed had been called by those that asked for the call.
  @spec raise!(t()) :: no_return()
  def raise!(error) do
    {:current_stacktrace, [_info | asked]} = Process.info(self(), :current_stacktrace)
    asked = Enum.drop_while(asked, &(elem(&1, 0) in [__MODULE__, Vitrine]))
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

  @doc false
  # From what the NIF gives, and what is known beside. That may be another reason for the failure
  # of a host function, but not for what ended the call before the failure could.
  def from_native({reason, message, code, trap, backtrace}, context \\ []) do
    {functions, context} = Keyword.pop(context, :host_functions, {})

    context =
      if reason == :host_function,
        do: context,
        else: Keyword.drop(context, [:reason, :message, :raw])

    frames =
      for {function, index, offset, file, line, repeated} <- backtrace do
        %{
          function: function,
          index: index,
          offset: offset,
          file: file,
          line: line,
          repeated: repeated
        }
      end

    struct!(
      %__MODULE__{
        reason: reason,
        message: text(message, functions),
        code: code,
        trap: trap,
        backtrace: frames
      },
      context
    )
  end

  # Of a call that ran out of time.
  defp text({message, spent}, functions), do: Deadline.message(message, spent, functions)
  defp text(message, _functions), do: message
end
