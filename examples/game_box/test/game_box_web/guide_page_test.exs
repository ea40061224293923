defmodule GameBoxWeb.GuidePageTest do
  # Runs the code of the page in the guide "Plugins in Phoenix".
  use GameBoxWeb.ConnCase, async: true

  @guide File.read!(
           Path.join(Mix.Project.deps_paths()[:vitrine], "guides/integrations/phoenix.md")
         )

  test "the page that the guide makes from nothing counts clicks for all who look on" do
    Code.compile_string("""
    defmodule MyAppWeb do
      defmacro __using__(:live_view), do: quote(do: use(Phoenix.LiveView))
    end
    """)

    for file <- ["lib/my_app/counter.ex", "lib/my_app_web/live/counter_live.ex"] do
      [_, code] = Regex.run(~r/```elixir\n# #{file}\n(.*?)```/s, @guide)
      Code.compile_string(code)
    end

    start_supervised!({DynamicSupervisor, name: MyApp.Counters})
    start_supervised!({Phoenix.PubSub, name: MyApp.PubSub})
    page = Module.concat(["MyAppWeb", "CounterLive"])

    [one, two] =
      for _ <- 1..2 do
        {:ok, view, _html} =
          live_isolated(build_conn(), GameBoxWeb.GuidePageTest.Mount, session: %{"page" => page})

        view
      end

    eventually(fn -> has_element?(one, "#board button", "Clicks: 0000") end)
    one |> element("#board button") |> render_click()

    for view <- [one, two],
        do: eventually(fn -> has_element?(view, "#board button", "Clicks: 0001") end)
  end

  # live_isolated passes no parameters of a route.
  defmodule Mount do
    use Phoenix.LiveView

    def mount(_params, %{"page" => page}, socket) do
      {:ok, socket} = page.mount(%{"id" => "1"}, %{}, socket)
      {:ok, assign(socket, page: page)}
    end

    def render(assigns), do: assigns.page.render(assigns)
  end
end
