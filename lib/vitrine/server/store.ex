defmodule Vitrine.Server.Store do
  @moduledoc """
  Where a `Vitrine.Server` keeps its plugin's variables, so that they survive what the server does
  not: its option `restore_vars: {module, argument}`.

      defmodule MyApp.GameStore do
        @behaviour Vitrine.Server.Store

        @impl true
        def load(game), do: MyApp.Repo.get_vars(game)

        @impl true
        def save(game, vars), do: MyApp.Repo.put_vars(game, vars)
      end

      {Vitrine.Server, source: "game.wasm", name: MyApp.Game, restore_vars: {MyApp.GameStore, 42}}

  Both run in the server, which serves nobody meanwhile.
  """

  @typedoc "A plugin's variables, see `Vitrine.vars/1`."
  @type vars :: %{optional(String.t()) => binary()}

  @doc """
  The variables that the server begins with, after its plugin was initialised. `nil` leaves those
  that it has then. If it raises, the server does not start.
  """
  @callback load(argument :: term()) :: vars() | nil

  @doc """
  Keeps the variables: after each call that changed them, before its caller has the answer and the next
  call is served, and when the server ends. If it raises, that is logged, and it is called again after the next call.
  """
  @callback save(argument :: term(), vars()) :: term()
end
