defmodule Vitrine.Server.Store do
  @moduledoc """
  The behaviour of stores in which a `Vitrine.Server` keeps its plugin's variables, so that they outlive the server.
  It is used by the option `restore_vars: {module, argument}`:

      defmodule MyApp.GameStore do
        @behaviour Vitrine.Server.Store

        @impl true
        def load(game), do: MyApp.Repo.get_vars(game)

        @impl true
        def save(game, vars), do: MyApp.Repo.put_vars(game, vars)
      end

      {Vitrine.Server, source: "game.wasm", name: MyApp.Game, restore_vars: {MyApp.GameStore, 42}}

  Both functions run in the server, which serves no calls meanwhile.
  """

  @typedoc "A plugin's variables, see `Vitrine.vars/1`."
  @type vars :: %{optional(String.t()) => binary()}

  @doc """
  Returns the variables that the server begins with, after its plugin was initialised. `nil` keeps the variables of the
  initialisation. If the function raises, the server does not start.
  """
  @callback load(argument :: term()) :: vars() | nil

  @doc """
  Stores the variables. It is called after each call that changed them, before its caller gets the answer and before
  the   the next call is served. It is also called when the server ends.

  `:ok` and `{:ok, term}` mean that the variables are stored. If it returns anything else, or raises, that is logged,
  and it is called again after the next call.
  """
  @callback save(argument :: term(), vars()) :: :ok | {:ok, term()} | {:error, term()}
end
