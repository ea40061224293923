defmodule Vitrine.Options.Tables.HTTPClient do
  @moduledoc false
  # The options of Vitrine.HTTP.Client.

  alias Vitrine.Options.{Schema, Type}

  @schema Schema.new([
            {nil,
             [
               ssl: [
                 type: :keyword,
                 default: [],
                 doc: """
                 Options of `:ssl.connect/3`, which replace the defaults: `:cacerts` or `:cacertfile`, `:certfile` and
                 `:keyfile`, `:versions`, … Files are checked when the plugin is made, and a file that cannot be used raises
                 `ArgumentError`.
                 """
               ],
               connect_timeout: [
                 type: Type.timeout(1),
                 default: 5_000,
                 doc: """
                 How long connecting may take, including the TLS handshake. If it takes longer, the request fails with the
                 error `:http`. The timeout of the call always applies as well.
                 """
               ],
               max_header_bytes: [
                 type: {:integer, 1, unit: "bytes"},
                 default: 65_536,
                 doc: """
                 How long the status line and the headers of a response may be, together with those of interim responses.
                 If they are longer, the request fails with the error `:http`.
                 """
               ]
             ]}
          ])

  @doc "The table."
  @spec schema() :: Schema.t()
  def schema, do: @schema
end
