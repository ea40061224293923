defmodule Vitrine.Options.Tables.Test do
  @moduledoc false
  # The options of Vitrine.Test.

  alias Vitrine.Options.{Argument, Schema, Type}

  # The most results that a function of a module can have.
  @max_results 1_000

  @stub Schema.new([
          {nil,
           [
             as: [
               type: {:checked, "a codec, or a pair of codecs"},
               default: :raw,
               doc: """
               The codec of inputs and outputs, or one for each, like that of `Vitrine.call/4`. It applies to all functions
               that have no codec of their own. `:raw` is bytes.
               """
             ],
             name: [
               type: {:checked, "a string"},
               default: "stub",
               doc: """
               The plugin's name in errors and log lines, unless it gets another `:name` when it is loaded.
               """
             ]
           ]}
        ])

  @host_function Schema.new([
                   {nil,
                    [
                      context: [
                        type: :any,
                        type_doc: "any term",
                        default_doc: "`nil`",
                        doc: "The context of the call, as in `Vitrine.call/4`."
                      ],
                      timeout: [
                        type: Type.timeout(),
                        default_doc: "the timeout of a plugin",
                        doc: "The time that the call may take, as in `Vitrine.call/4`."
                      ],
                      namespace: [
                        type: {:is, &Argument.text?/1, "a string"},
                        default: "extism:host/user",
                        doc: "The function's namespace."
                      ],
                      results: [
                        type: {:integer, 0, to: @max_results},
                        default: 1,
                        doc: """
                        How many results the plugin expects of a function without declared types. They are bytes. `0` is for
                        a function whose value is not used.
                        """
                      ]
                    ]}
                 ])

  @doc "Of `Vitrine.Test.stub/2`."
  @spec stub() :: Schema.t()
  def stub, do: @stub

  @doc "Of `Vitrine.Test.call_host_function/4`."
  @spec host_function() :: Schema.t()
  def host_function, do: @host_function
end
