defmodule GameBox.Arena.TriesTest do
  use GameBoxWeb.ConnCase, async: true

  doctest GameBoxWeb.Peer

  alias GameBox.{Arena, Limits}
  alias GameBox.Arena.Tries

  defp who(peer \\ nil), do: %{session: "s#{System.unique_integer()}", peer: peer}
  defp address, do: {10, :rand.uniform(255), :rand.uniform(255), :rand.uniform(255)}

  # Codes contain no vowels.
  defp guess(who), do: Arena.find("AAAA", who)

  describe "somebody who tries out codes" do
    test "is refused after some, also with one that there is" do
      code = arena!(["ann"])
      who = who()
      for _ <- 1..Limits.get(:tries), do: assert(guess(who) == {:error, :no_such_arena})
      assert guess(who) == {:error, :too_many_tries}
      assert Arena.find(code, who) == {:error, :too_many_tries}
      assert Arena.find(code, who()) == {:ok, code}
    end

    test "is not a new person after forgetting who they are" do
      address = address()
      for _ <- 1..Limits.get(:tries_of_address), do: guess(who(address))
      assert guess(who(address)) == {:error, :too_many_tries}
      assert guess(who(address())) == {:error, :no_such_arena}
    end

    test "is not a new person at another address of the same network" do
      network = fn last -> {0x2001, 0xDB8, :rand.uniform(0xFFFF), 1, 0, 0, 0, last} end
      {a, b, c, d, _, _, _, _} = network.(0)

      for last <- 1..Limits.get(:tries_of_address),
          do: guess(who({a, b, c, d, last, 0, 0, last}))

      assert guess(who({a, b, c, d, 7, 7, 7, 7})) == {:error, :too_many_tries}
    end

    test "gains nothing by trying many at once" do
      who = who()
      guesses = 1..100 |> Task.async_stream(fn _ -> guess(who) end) |> Enum.map(&elem(&1, 1))
      assert Enum.count(guesses, &(&1 == {:error, :no_such_arena})) == Limits.get(:tries)
    end
  end

  test "somebody who plays in an arena finds it, whatever they or others there have tried" do
    code = arena!(["ann"])
    who = %{who() | session: "ann-#{System.unique_integer()}"}
    {:ok, _} = Arena.join(code, who.session, "ANNA")
    for _ <- 1..(Limits.get(:tries) + 1), do: guess(who)
    assert Arena.find(code, who) == {:ok, code}
    assert Arena.find(arena!(["bob"]), who) == {:error, :too_many_tries}
  end

  test "nobody opens all arenas that there are" do
    who = who()
    assert Arena.open_for(who, "?") == {:error, :bad_name}
    for _ <- 1..Limits.get(:openings), do: assert({:ok, _} = Arena.open_for(who, "ANN"))
    assert Arena.open_for(who, "ANN") == {:error, :too_many_arenas}
    assert {:ok, _} = Arena.open_for(who(), "ANN")
    assert guess(who) == {:error, :no_such_arena}
  end

  test "right codes cost nothing" do
    code = arena!(["ann"])
    who = who()
    for _ <- 1..(2 * Limits.get(:tries)), do: assert(Arena.find(code, who) == {:ok, code})
    assert guess(who) == {:error, :no_such_arena}
  end

  test "counts are forgotten when their span of time is over, and no sooner" do
    who = who()
    guess(who)
    span = div(System.monotonic_time(:millisecond), Limits.get(:tries_span_ms))
    old = {{:code, :session}, "old", span - 1}
    :ets.insert(Tries, {old, 5})
    send(Tries, :forget)
    eventually(fn -> not :ets.member(Tries, old) end)
    assert :ets.member(Tries, {{:code, :session}, who.session, span})
  end

  describe "the pages" do
    defp from(id, address),
      do: Plug.Test.put_peer_data(browser(id), %{address: address, port: 1, ssl_cert: nil})

    test "count what is asked of them, by address and by browser" do
      address = address()
      code = arena!(["ann"])

      for n <- 1..Limits.get(:tries_of_address),
          do: get(from("guesser #{n}", address), "/arena/AAAA/watch")

      conn = get(from("one more", address), "/arena/#{code}/watch")
      assert redirected_to(conn) == "/"
      assert Phoenix.Flash.get(conn.assigns.flash, :error) =~ "Too many wrong codes"
      assert html_response(get(from("one more", address()), "/arena/#{code}/watch"), 200) =~ code
    end

    test "say so where codes are typed" do
      {:ok, home, _} = live(from("typist", address()), "/")
      guess = form(home, "form[phx-submit=join]", name: "bob", code: "BBBB")

      for _ <- 1..Limits.get(:tries),
          do: assert(render_submit(guess) =~ "no arena with this code")

      assert render_submit(guess) =~ "Too many wrong codes"
    end
  end
end
