defmodule GameBoxWeb.ConnCase do
  @moduledoc "The case for tests of pages, with browsers of several people."

  use ExUnit.CaseTemplate

  alias GameBox.Arena

  using do
    quote do
      @endpoint GameBoxWeb.Endpoint

      import Phoenix.ConnTest
      import Phoenix.LiveViewTest
      import GameBoxWeb.ConnCase
      import GameBox.TestGames
    end
  end

  @doc "Returns the connection of a person's browser."
  def browser(player_id) do
    Phoenix.ConnTest.build_conn() |> Plug.Test.init_test_session(%{"player_id" => player_id})
  end

  @doc "Opens an arena with these people, who are known by these ids. The first of them is the host."
  def arena!([host | others]) do
    {:ok, code} = Arena.open(host, name(host))
    for id <- others, do: {:ok, _} = Arena.join(code, id, name(id))
    code
  end

  @doc "Returns the name of the person with this id."
  def name(id), do: id |> String.slice(0, 12) |> String.upcase()

  @doc "Waits until `condition` holds."
  def eventually(condition, tries \\ 1_000) do
    cond do
      condition.() -> :ok
      tries == 0 -> ExUnit.Assertions.flunk("the condition did not come to hold")
      true -> Process.sleep(10) && eventually(condition, tries - 1)
    end
  end
end
