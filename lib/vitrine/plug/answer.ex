defmodule Vitrine.Plug.Answer do
  @moduledoc false
  # Checks a plugin's answer against its grants. The answer is accepted or refused as a whole.

  alias Vitrine.HTTP.Headers
  alias Vitrine.Plug.Options

  defstruct action: :continue,
            set_headers: [],
            remove_headers: [],
            set_response_headers: [],
            remove_response_headers: [],
            assign: %{},
            path: nil,
            query: nil,
            status: nil,
            headers: [],
            body: ""

  @type t :: %__MODULE__{
          action: :continue | :respond,
          set_headers: Headers.t(),
          remove_headers: [String.t()],
          set_response_headers: Headers.t(),
          remove_response_headers: [String.t()],
          assign: %{optional(String.t()) => term()},
          path: String.t() | nil,
          query: String.t() | nil,
          status: 200..599 | nil,
          headers: Headers.t(),
          body: binary()
        }

  @type phase :: :request | :response

  @response_changes ~w(set_response_headers remove_response_headers)
  @fields %{
    {"continue", :request} =>
      ~w(set_headers remove_headers assign path query) ++ @response_changes,
    {"continue", :response} => @response_changes,
    {"respond", :request} => ~w(status headers body body_base64),
    {"respond", :response} => ~w(status headers body body_base64)
  }

  # The longest path and query that servers accept, in bytes.
  @max_target 16_384

  # Responses with these statuses have no body. A body would be taken for the next response.

  @no_content [204, 205, 304]

  @doc "Checks a decoded answer. The error says what is wrong, for the plugin's author."
  @spec read(term(), phase(), Options.change()) :: {:ok, t()} | {:error, String.t()}
  def read(%{"action" => action} = answer, phase, change)
      when is_map_key(@fields, {action, phase}) do
    # An optional field of a typed language is often null.
    fields = answer |> Map.delete("action") |> Map.reject(fn {_, value} -> value == nil end)

    with :ok <- may(action, change),
         :ok <- known(Map.keys(fields), @fields[{action, phase}], action),
         :ok <- one_body(fields),
         {:ok, answer} <- fields |> Map.to_list() |> collect(start(action), change),
         do: complete(answer)
  end

  def read(%{"action" => action}, _phase, _change),
    do: {:error, ~s("action" must be "continue" or "respond", and is #{shown(action)})}

  def read(other, _phase, _change),
    do: {:error, ~s(it must be an object with a field "action", and is #{shown(other)})}

  defp may("respond", %{respond: false}), do: {:error, "the plugin may not respond"}
  defp may(_action, _change), do: :ok

  defp known(names, fields, action) do
    case names -- fields do
      [] ->
        :ok

      [name | _] ->
        {:error,
         "#{shown(name)} is not a field of #{action} here; the fields are #{Enum.join(fields, ", ")}"}
    end
  end

  defp one_body(%{"body" => _, "body_base64" => _}),
    do: {:error, "only one of body and body_base64 can be given"}

  defp one_body(_fields), do: :ok

  defp start("continue"), do: %__MODULE__{}
  defp start("respond"), do: %__MODULE__{action: :respond, status: 200}

  defp collect([], answer, _change), do: {:ok, answer}

  defp collect([{name, value} | fields], answer, change) do
    case field(name, value, change) do
      {:ok, key, value} -> collect(fields, Map.replace!(answer, key, value), change)
      {:error, message} -> {:error, "#{name}: #{message}"}
    end
  end

  defp complete(%{status: status, body: body}) when status in @no_content and body != "",
    do: {:error, "a response with the status #{status} has no body"}

  defp complete(answer), do: {:ok, answer}

  for {name, key, grant} <- [
        {"set_headers", :set_headers, :request_headers},
        {"set_response_headers", :set_response_headers, :response_headers},
        {"headers", :headers, :response_headers}
      ] do
    defp field(unquote(name), headers, %{unquote(grant) => granted}) do
      with {:ok, headers} <- headers(headers, granted), do: {:ok, unquote(key), headers}
    end
  end

  for {name, key, grant} <- [
        {"remove_headers", :remove_headers, :request_headers},
        {"remove_response_headers", :remove_response_headers, :response_headers}
      ] do
    defp field(unquote(name), names, %{unquote(grant) => granted}) do
      with {:ok, names} <- names(names, granted), do: {:ok, unquote(key), names}
    end
  end

  defp field("assign", assigns, change) when is_map(assigns) do
    with :ok <- granted(Map.keys(assigns), change.assigns), do: {:ok, :assign, assigns}
  end

  defp field("path", _path, %{path: false}), do: {:error, "the plugin may not change it"}
  defp field("query", _query, %{query: false}), do: {:error, "the plugin may not change it"}

  defp field(name, target, _change)
       when name in ["path", "query"] and is_binary(target) and byte_size(target) > @max_target,
       do: {:error, "it has #{byte_size(target)} bytes; the limit is #{@max_target} bytes"}

  defp field("path", path, change) when is_binary(path) do
    cond do
      not path?(path) ->
        {:error, "#{shown(path)} is not a path, with a slash first and no dots as segments"}

      not below?(path, change.mount) ->
        {:error, "#{shown(path)} is not below #{change.mount}"}

      true ->
        {:ok, :path, path}
    end
  end

  defp field("query", query, _change) when is_binary(query) do
    # Printable ASCII, except for spaces, quotes, # and angle brackets.
    if query =~ ~r/\A[!$-;=?-~]*\z/,
      do: {:ok, :query, query},
      else: {:error, "#{shown(query)} is not a query"}
  end

  defp field("status", status, _change) when is_integer(status) and status in 200..599,
    do: {:ok, :status, status}

  defp field("body", body, _change) when is_binary(body), do: {:ok, :body, body}

  defp field("body_base64", text, _change) when is_binary(text) do
    case Base.decode64(text) do
      {:ok, body} -> {:ok, :body, body}
      :error -> {:error, "it is not base64"}
    end
  end

  defp field(_name, value, _change),
    do: {:error, "#{shown(value)} is not a value that it can have"}

  # An object, or a list of pairs, in which a name can stand more than once.
  defp headers(headers, granted) when is_map(headers),
    do: headers |> Enum.map(&Tuple.to_list/1) |> headers(granted)

  defp headers(pairs, granted) when is_list(pairs) do
    case Enum.find(pairs, &(not pair?(&1))) do
      nil ->
        headers = for [name, value] <- pairs, do: {String.downcase(name, :ascii), value}

        with :ok <- granted(for({name, _} <- headers, do: name), granted),
             :ok <- values(headers),
             do: {:ok, headers}

      other ->
        {:error, "#{shown(other)} is not the name and value of a header"}
    end
  end

  defp headers(other, _granted), do: {:error, "#{shown(other)} is not an object of headers"}

  defp pair?([name, value]), do: is_binary(name) and is_binary(value)
  defp pair?(_other), do: false

  defp values(headers) do
    with :ok <- Headers.size(headers) do
      case Enum.find(headers, fn {_, value} -> not Headers.value?(value) end) do
        nil -> :ok
        {name, value} -> {:error, "#{shown([name, value])} is not the name and value of a header"}
      end
    end
  end

  defp names(names, granted) when is_list(names) do
    if Enum.all?(names, &is_binary/1) do
      names = Enum.uniq(names)
      names = Enum.map(names, &String.downcase(&1, :ascii))
      with :ok <- granted(names, granted), do: {:ok, names}
    else
      {:error, "#{shown(names)} is not a list of names"}
    end
  end

  defp names(other, _granted), do: {:error, "#{shown(other)} is not a list of names"}

  defp granted(names, granted) do
    case Enum.find(names, &(&1 not in granted)) do
      nil -> :ok
      name -> {:error, "the plugin may not change #{shown(name)}"}
    end
  end

  # The path is well-formed, and no later server can resolve it to another path.
  defp path?("/" <> rest = path), do: characters?(rest) and not dots?(path)
  defp path?(_path), do: false

  defp characters?(""), do: true

  defp characters?(<<?%, high, low, rest::binary>>),
    do: hex?(high) and hex?(low) and characters?(rest)

  defp characters?(<<char, rest::binary>>)
       when char in ?a..?z or char in ?A..?Z or char in ?0..?9 or char in ~c"._~!$&'()*+,;=:@/-",
       do: characters?(rest)

  defp characters?(_rest), do: false

  defp hex?(char), do: char in ?0..?9 or char in ?a..?f or char in ?A..?F

  defp dots?(path) do
    path
    |> :binary.split("/", [:global])
    |> Enum.any?(&(byte_size(&1) in 1..6 and dots(&1) in [1, 2]))
  end

  # The number of dots in a segment that has nothing else.
  defp dots(""), do: 0
  defp dots("." <> rest), do: one_more(dots(rest))
  defp dots(<<"%2", e, rest::binary>>) when e in ~c"eE", do: one_more(dots(rest))
  defp dots(_other), do: nil

  defp one_more(nil), do: nil
  defp one_more(count), do: count + 1

  defp below?(_path, ""), do: true
  defp below?(path, mount), do: path == mount or String.starts_with?(path, mount <> "/")

  defp shown(term), do: inspect(term, limit: 5, printable_limit: 100)
end
