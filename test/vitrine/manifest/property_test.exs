defmodule Vitrine.Manifest.PropertyTest do
  use ExUnit.Case, async: true

  import Vitrine.Property

  alias Vitrine.{Codec, Error, Manifest}
  alias Vitrine.Manifest.Fault

  test "any term is a manifest or an error that says what is wrong with it" do
    forall(fn -> term(4) end, 5_000, &loads_or_tells/1)
    forall(&almost_manifest/0, 5_000, &loads_or_tells/1)
  end

  test "a valid manifest comes back from a map, from JSON and from TOML" do
    forall(&manifest/0, 1_000, fn map ->
      assert {:ok, manifest} = Manifest.new(map)
      assert Manifest.new(manifest) == {:ok, manifest}
      assert Manifest.new(Manifest.to_map(manifest)) == {:ok, manifest}
      {:ok, json} = Codec.encode(:json, Manifest.to_map(manifest))
      assert Manifest.new(json) == {:ok, manifest}
      assert Manifest.new(toml(Manifest.to_map(manifest))) == {:ok, manifest}
      assert is_binary(inspect(manifest))
    end)
  end

  test "a manifest with one value changed is valid, or its error leads to that value" do
    forall(
      fn ->
        {:ok, manifest} = Manifest.new(manifest())
        mutate(Manifest.to_map(manifest), [])
      end,
      5_000,
      fn {map, path} ->
        with {:error, error} <- Manifest.new(map) do
          assert error.reason == :manifest
          assert Enum.any?(places(path), &String.contains?(error.message, &1))
        end
      end
    )
  end

  test "any text is a manifest or an error that says what is wrong with it" do
    forall(fn -> bytes(100) end, 2_000, &loads_or_tells/1)
    forall(fn -> text(100) end, 2_000, &loads_or_tells/1)

    forall(
      fn ->
        {:ok, manifest} = Manifest.new(manifest())
        map = Manifest.to_map(manifest)
        {:ok, json} = Codec.encode(:json, map)
        change(Enum.random([json, toml(map)]))
      end,
      3_000,
      &loads_or_tells/1
    )
  end

  defp loads_or_tells(source) do
    case Manifest.new(source) do
      {:ok, manifest} ->
        assert %Manifest{} = manifest
        assert Manifest.new(manifest) == {:ok, manifest}

      {:error, error} ->
        assert %Error{reason: :manifest, message: message} = error
        assert message =~ ~r/manifest/i
        assert byte_size(message) < 3_000
        assert String.valid?(message)
    end
  end

  # The places that an error may point to for a value at this path: the value, or something around it.
  defp places([]), do: ["the manifest", "Extism manifest"]

  defp places(path) do
    at_least = if match?(["wasm", _ | _], path), do: 2, else: 1
    around = for length <- length(path)..at_least//-1, do: Fault.path(Enum.take(path, length))
    if hd(path) == "wasm", do: ["Extism manifest" | around], else: around
  end

  ## Valid manifests

  defp manifest do
    %{
      wasm: sources(),
      config: map(&text/0, &text/0, 3),
      memory:
        some(
          max_pages: integer(1, 65_536),
          max_http_response_bytes: integer(0, 1_000),
          max_var_bytes: integer(0, 1_000)
        ),
      allowed_hosts: Enum.random([nil, list(fn -> "host#{integer(0, 9)}.*" end, 3)]),
      allowed_paths:
        Enum.random([
          nil,
          map(
            fn -> "ro:/" <> path() end,
            fn -> "/#{path()}#{:rand.uniform(1_000_000_000)}" end,
            3
          )
        ]),
      timeout_ms: Enum.random([nil, integer(0, 10_000)])
    }
    |> Enum.shuffle()
    |> Enum.reject(fn {key, value} -> value == nil and Enum.random([true, key == :wasm]) end)
    |> Map.new(fn {field, value} -> {field_key(field), value} end)
  end

  defp sources do
    others = for n <- 1..(:rand.uniform(3) - 1)//1, do: Map.put(source(), :name, "#{text()}#{n}")
    Enum.shuffle([source() | others])
  end

  defp source do
    origin =
      Enum.random([
        %{path: "/" <> key_text()},
        %{data: "(module #{integer(0, 9)})"},
        %{data: Base.encode64(<<0, "asm", bytes()::binary>>)},
        %{
          url: "https://example.com/#{integer(0, 9)}",
          headers: map(fn -> "X-#{integer(0, 9)}" end, &key_text/0, 2)
        },
        %{url: "http://[::1]:8080", method: Enum.random(["get", "POST", nil])}
      ])

    Map.merge(
      origin,
      some(hash: Base.encode16(:rand.bytes(32), case: Enum.random([:upper, :lower])))
    )
  end

  # Some of these, with strings or atoms as keys.
  defp some(fields) do
    fields = Enum.filter(fields, fn _ -> :rand.uniform(2) == 1 end)

    if :rand.uniform(2) == 1,
      do: Map.new(fields),
      else: Map.new(fields, fn {k, v} -> {"#{k}", v} end)
  end

  defp field_key(field), do: Enum.random([field, Atom.to_string(field)])
  defp key_text, do: list(fn -> Enum.random(?a..?z) end, 8) |> List.to_string()
  defp integer(first, last), do: Enum.random(first..last)

  # A NUL byte ends a path, and two directories cannot have one in the guest.
  defp path, do: String.replace(text(), "\0", "")

  ## Terms that are not

  @keys ~w(wasm config memory timeout_ms allowed_hosts allowed_paths path data url name hash
           method headers max_pages max_var_bytes max_http_response_bytes ptr len)

  defp term(0) do
    one_of([
      fn -> Enum.random([nil, true, :atom, 0, -1, 1.5, {}, self(), 7 ** 99, ~D[2026-11-21]]) end,
      &text/0,
      &bytes/0,
      fn -> Enum.random(["(module)", "https://example.com", "KG1vZHVsZSk=", "main"]) end
    ])
  end

  defp term(depth) do
    one_of([
      fn -> list(fn -> term(depth - 1) end, 3) end,
      fn -> map(&any_key/0, fn -> term(depth - 1) end, 4) end,
      fn -> [term(0) | term(0)] end,
      fn -> term(0) end
    ])
  end

  defp any_key do
    one_of([
      fn -> Enum.random(@keys) end,
      fn -> @keys |> Enum.random() |> String.to_existing_atom() end,
      fn -> term(0) end
    ])
  end

  defp almost_manifest do
    fields = Enum.take_random(~w(config memory timeout_ms allowed_hosts allowed_paths), 2)
    source = map(&any_key/0, fn -> term(1) end, 2)
    Map.new([{"wasm", [source, %{path: "p"}]} | Enum.map(fields, &{&1, term(3)})])
  end

  # A value somewhere in a map or list is changed, taken away, or put beside the others.
  defp mutate(map, path) when is_map(map) and map_size(map) > 0 do
    key = map |> Map.keys() |> Enum.random()

    case :rand.uniform(6) do
      1 ->
        {Map.delete(map, key), path}

      2 ->
        {Map.put(map, term(0), term(1)), path}

      _ ->
        {value, path} = mutate(map[key], path ++ [key])
        {Map.put(map, key, value), path}
    end
  end

  defp mutate([_ | _] = list, path) do
    index = :rand.uniform(length(list)) - 1

    case :rand.uniform(6) do
      1 ->
        {List.delete_at(list, index), path}

      2 ->
        {List.insert_at(list, index, term(2)), path}

      _ ->
        {value, path} = mutate(Enum.at(list, index), path ++ [index])
        {List.replace_at(list, index, value), path}
    end
  end

  defp mutate(_value, path), do: {term(2), path}

  defp change(text) do
    at = :rand.uniform(byte_size(text)) - 1
    before = binary_part(text, 0, at)
    <<byte, rest::binary>> = binary_part(text, at, byte_size(text) - at)

    case :rand.uniform(4) do
      1 -> before
      2 -> before <> rest
      3 -> before <> <<Enum.random(~c([]{}"',=.\n0)), byte>> <> rest
      4 -> before <> <<:rand.uniform(256) - 1>> <> rest
    end
  end

  ## TOML

  defp toml(map) when is_map(map),
    do: Enum.map_join(map, "\n", &"#{string(elem(&1, 0))} = #{value(elem(&1, 1))}")

  defp value(integer) when is_integer(integer), do: Integer.to_string(integer)
  defp value(text) when is_binary(text), do: string(text)
  defp value(list) when is_list(list), do: "[#{Enum.map_join(list, ", ", &value/1)}]"

  defp value(map),
    do: "{#{Enum.map_join(map, ", ", fn {k, v} -> "#{string(k)} = #{value(v)}" end)}}"

  defp string(text) do
    letters =
      for <<letter::utf8 <- text>>,
        do: "\\U" <> String.pad_leading(Integer.to_string(letter, 16), 8, "0")

    ~s("#{letters}")
  end
end
