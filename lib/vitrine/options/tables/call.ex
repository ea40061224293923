defmodule Vitrine.Options.Tables.Call do
  @moduledoc false
  # The options of Vitrine.call/4.

  alias Vitrine.Options.{Schema, Type}

  @schema Schema.new([
            {nil,
             [
               as: [
                 type: {:checked, "a codec, or a pair of codecs"},
                 default_doc: "the input and the output are bytes",
                 doc: """
                 The codec that makes bytes of the input and a term of the output, such as `:json`, or one for each, such as
                 `{:string, :json}`. See `Vitrine.Codec`.
                 """
               ],
               timeout: [
                 type: Type.timeout(),
                 default_doc: "the plugin's timeout, see `new/2`",
                 doc:
                   "The time that the call may take. A longer call is stopped, and the error is `:timeout`."
               ],
               context: [
                 type: :any,
                 type_doc: "any term",
                 default_doc: "`nil`",
                 doc: """
                 The context of the call. A host function with one more argument than the import has parameters gets it as
                 its last argument.
                 """
               ],
               trace: [
                 type: {:checked, "a function of one argument"},
                 default_doc: "no trace",
                 doc: "A function that gets each event of the call. See `trace/4`."
               ],
               stdin: [
                 type: {:checked, "a binary or iodata"},
                 default_doc: "what `:stdin` of `:wasi` says",
                 doc: """
                 The bytes that the function reads from its standard input, instead of the input of its instance. The
                 option needs a plugin with WASI, see `Vitrine.Wasi`.
                 """
               ]
             ]}
          ])

  @doc "The table."
  @spec schema() :: Schema.t()
  def schema, do: @schema
end
