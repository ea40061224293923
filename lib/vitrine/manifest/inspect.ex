defimpl Inspect, for: Vitrine.Manifest do
  # Manifests may appear in logs. They are shown without the bytes of modules, and without the values of the
  # configuration and of headers, which may be secrets.

  import Inspect.Algebra

  alias Vitrine.Manifest

  def inspect(manifest, options) do
    default = %Manifest{}

    fields =
      for key <- [:wasm, :config, :memory, :allowed_hosts, :allowed_paths, :timeout_ms],
          value = Map.fetch!(manifest, key),
          value != Map.fetch!(default, key),
          do: {key, value}

    container_doc("#Vitrine.Manifest<", fields, ">", options, &field/2)
  end

  defp field({key, value}, options), do: concat("#{key}: ", value(key, value, options))

  defp value(:wasm, sources, options) when is_list(sources),
    do: container_doc("[", sources, "]", options, &source/2)

  defp value(:config, config, options) when is_map(config), do: redacted(config, options)
  defp value(_key, value, options), do: to_doc(value, options)

  defp source(source, options) when is_map(source),
    do: container_doc("%{", Enum.sort(source), "}", options, &part/2)

  defp source(other, options), do: to_doc(other, options)

  defp part({:data, data}, _options) when is_binary(data), do: "data: #{byte_size(data)} bytes"

  defp part({:headers, headers}, options) when is_map(headers),
    do: concat("headers: ", redacted(headers, options))

  defp part({key, value}, options) when is_atom(key),
    do: concat(Macro.inspect_atom(:key, key) <> " ", to_doc(value, options))

  defp part(other, options), do: to_doc(other, options)

  defp redacted(map, options),
    do:
      container_doc(
        "%{",
        Enum.sort(Map.keys(map)),
        "}",
        options,
        &concat(to_doc(&1, &2), " => ...")
      )
end
