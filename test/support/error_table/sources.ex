defmodule Vitrine.ErrorTable.Sources do
  @moduledoc "Errors of a plugin's sources: files, manifests, downloads, uploads."

  import Vitrine.ErrorTable.Making

  alias Vitrine.ErrorTable.Client

  @module "(module)"

  def rows, do: files() ++ contents() ++ uploads() ++ manifests() ++ ceilings() ++ downloads()

  defp files do
    [
      {"a file that is not there", :file,
       "the file \"/nowhere/plugin.wasm\" cannot be read: no such file or directory",
       fn -> Vitrine.new("/nowhere/plugin.wasm") end},
      {"a file that is not where Mix runs", :file,
       "the file \"missing.wasm\" in … cannot be read: no such file or directory",
       fn -> Vitrine.new("missing.wasm") end},
      {"a directory instead of a file", :file,
       "the file \"/\" cannot be read: illegal operation on a directory",
       fn -> Vitrine.new("/") end},
      {"a URL as a source", :file,
       "the file \"https://example.com/plugin.wasm\" in … cannot be read: no such file or directory. A module is downloaded by a manifest: %{wasm: [%{url: \"https://example.com/plugin.wasm\"}]}",
       fn -> Vitrine.new("https://example.com/plugin.wasm") end},
      {"a text in brackets in one line", :file,
       "the file \"(modul)\" in … cannot be read: no such file or directory. WebAssembly's text begins with (module",
       fn -> Vitrine.new("(modul)") end},
      {"a module in base64 as a source", :file,
       "the file \"AGFzbQEAAAA=\" in … cannot be read: no such file or directory. It is a module in base64: decode it first, with Base.decode64!/1",
       fn -> Vitrine.new(Base.encode64(<<0, "asm", 1, 0, 0, 0>>)) end},
      {"a file of a manifest that is not there", :file,
       "the manifest's wasm[0].path: the file \"/nowhere/plugin.wasm\" cannot be read: no such file or directory",
       fn -> Vitrine.new(%{wasm: [%{path: "/nowhere/plugin.wasm"}]}) end}
    ]
  end

  defp contents do
    [
      {"an empty file", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module or a manifest: it is empty",
       fn -> Vitrine.new(file("")) end},
      {"a file that gzip has compressed", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module or a manifest: it is compressed with gzip; decompress it first, with :zlib.gunzip/1",
       fn -> Vitrine.new(file(:zlib.gzip("x"))) end},
      {"a zip archive", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module or a manifest: it is a zip archive; take the .wasm file out of it",
       fn -> Vitrine.new(file("PK\x03\x04rest")) end},
      {"a picture", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module or a manifest: it is a picture (PNG)",
       fn -> Vitrine.new(file(<<0x89, "PNG\r\n">>)) end},
      {"a page of HTML", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module or a manifest: it is a page of HTML; often it is a sign-in page or an error that was saved in the place of a download",
       fn -> Vitrine.new(file("<!DOCTYPE html><html>")) end},
      {"a JSON file that begins with a byte order mark", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module or a manifest: it is JSON that begins with a byte order mark; remove the byte order mark, its first three bytes",
       fn -> Vitrine.new(file("\uFEFF{\"wasm\": []}")) end},
      {"a YAML file", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module or a manifest: it is YAML; a manifest is JSON or TOML",
       fn -> Vitrine.new(file("wasm:\n  - path: x.wasm\n")) end},
      {"a pointer of Git LFS", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module or a manifest: it is a pointer of Git LFS to a file that is kept elsewhere; run git lfs pull",
       fn -> Vitrine.new(file("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")) end},
      {"a static library", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module or a manifest: it is a static library; link it for wasm32 first",
       fn -> Vitrine.new(file("!<arch>\nrest")) end},
      {"a native program", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module or a manifest: it is a native program (ELF), or a module that Wasmtime compiled beforehand (.cwasm); take the .wasm file that it was made from",
       fn -> Vitrine.new(file(<<0x7F, "ELF", 2>>)) end},
      {"a text of another kind", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module or a manifest: it is a text of another kind; WebAssembly's text begins with (module",
       fn -> Vitrine.new(file("some words")) end},
      {"bytes of another kind", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module or a manifest: it does not begin with the bytes 00 61 73 6D",
       fn -> Vitrine.new(file(<<1, 2, 3, 255>>)) end},
      {"a component", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module: it is a component of WebAssembly's component model; build a core module, as the targets wasm32-unknown-unknown and wasm32-wasip1 make it, and wasm32-wasip2 does not",
       fn -> Vitrine.new(file(<<0, "asm", 0x0D, 0, 1, 0>>)) end},
      {"a module of another version", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module: it is of version 2 of WebAssembly's binary format; the version is 1",
       fn -> Vitrine.new(file(<<0, "asm", 2, 0, 0, 0>>)) end},
      {"a module that was cut off in its header", :compile,
       "the file \"…/plugin.wasm\" is not a WebAssembly module: it ends after 5 bytes, within its header; it was cut off",
       fn -> Vitrine.new(file(<<0, "asm", 1>>)) end},
      {"no bytes as a source", :compile,
       "the source is not a WebAssembly module, a manifest or the path of a file: it is empty",
       fn -> Vitrine.new("") end},
      {"bytes as a source that are nothing known", :compile,
       "the source is not a WebAssembly module, a manifest or the path of a file: it does not begin with the bytes 00 61 73 6D",
       fn -> Vitrine.new(<<1, 2, 3, 255>>) end},
      {"what a manifest's file is", :compile,
       "the manifest's wasm[0].path: the file \"…/plugin.wasm\" is not a WebAssembly module: it is a page of HTML; often it is a sign-in page or an error that was saved in the place of a download",
       fn -> Vitrine.new(%{wasm: [%{path: file("<html>")}]}) end}
    ]
  end

  defp uploads do
    [
      {"an upload that is a zip archive", :compile,
       "the source is not a WebAssembly module: it is a zip archive; take the .wasm file out of it",
       fn -> Vitrine.new({:module, "PK\x03\x04rest"}) end},
      {"an upload that is a zip archive, for the uploader", :compile,
       "the file is not a WebAssembly module: it is a zip archive; take the .wasm file out of it",
       fn -> Vitrine.inspect_plugin("PK\x03\x04rest") end},
      {"an upload that is a page, for the uploader", :compile,
       "the file is not a WebAssembly module: it is a page of HTML; often it is a sign-in page or an error that was saved in the place of a download",
       fn -> Vitrine.inspect_plugin("<!doctype html>") end},
      {"an upload that is a manifest", :compile,
       "the source is not a WebAssembly module: it is JSON",
       fn -> Vitrine.new({:module, ~S({"wasm": []})}) end},
      {"nothing uploaded", :compile, "the source is not a WebAssembly module: it is empty",
       fn -> Vitrine.new({:module, ""}) end},
      {"an upload that could not be read", :manifest,
       "{:module, bytes} has the bytes of a module, and not a tuple: match on {:ok, bytes} first",
       fn -> Vitrine.new({:module, {:ok, "(module)"}}) end},
      {"an upload that is missing", :manifest,
       "{:module, bytes} has the bytes of a module, and not nil",
       fn -> Vitrine.new({:module, nil}) end}
    ]
  end

  defp manifests do
    [
      {"a source that was not matched on", :manifest,
       "a source is a path, a module's bytes or text, {:module, bytes}, a manifest or a compiled plugin, got: {:ok, \"(module)\"}: match on {:ok, source} first",
       fn -> Vitrine.new({:ok, @module}) end},
      {"a source that is a number", :manifest,
       "a source is a path, a module's bytes or text, {:module, bytes}, a manifest or a compiled plugin, got: 7",
       fn -> Vitrine.new(7) end},
      {"a manifest without modules", :manifest,
       "the manifest's wasm must be a list of at least one source, got: []",
       fn -> Vitrine.new(%{}) end},
      {"a manifest's module that comes from nowhere", :manifest,
       "the manifest's wasm[0] must have one of path, data and url, got: [\"name\"]",
       fn -> Vitrine.new(%{wasm: [%{name: "main"}]}) end},
      {"a manifest's module that comes from two places", :manifest,
       "the manifest's wasm[0] must have one of path, data and url, got: path and data",
       fn -> Vitrine.new(%{wasm: [%{path: "a.wasm", data: @module}]}) end},
      {"a manifest's module with headers that is a file", :manifest,
       "the manifest's wasm[0] has headers, which only a url can have, beside path",
       fn -> Vitrine.new(%{wasm: [%{path: "a.wasm", headers: %{}}]}) end},
      {"a manifest's data that is not a module", :manifest,
       "the manifest's wasm[0].data must be a WebAssembly module, in binary or text, or base64 of one; it is a text of another kind; WebAssembly's text begins with (module",
       fn -> Vitrine.new(%{wasm: [%{data: "hello"}]}) end},
      {"a manifest's data that is an address", :manifest,
       "the manifest's wasm[0].data must be base64 or bytes: an address in memory is refused, since whoever writes the manifest could read all of the host's memory with it",
       fn -> Vitrine.new(%{wasm: [%{data: %{ptr: 1, len: 2}}]}) end},
      {"a manifest's data that is a number", :manifest,
       "the manifest's wasm[0].data must be base64, or the bytes of a module, got: 7",
       fn -> Vitrine.new(%{wasm: [%{data: 7}]}) end},
      {"a manifest's path with a NUL", :manifest,
       "the manifest's wasm[0].path must be the path of a file, without a NUL byte, got: \"a\\0.wasm\"",
       fn -> Vitrine.new(%{wasm: [%{path: "a\0.wasm"}]}) end},
      {"a manifest's URL of another scheme", :manifest,
       "the manifest's wasm[0].url must be a URL of http or https, got: \"ftp://example.com/a.wasm\"",
       fn -> Vitrine.new(%{wasm: [%{url: "ftp://example.com/a.wasm"}]}) end},
      {"a manifest's URL that is too long", :manifest,
       "the manifest's wasm[0].url has 20010 bytes; the limit is 16384 bytes",
       fn -> Vitrine.new(%{wasm: [%{url: "https://a/" <> String.duplicate("a", 20_000)}]}) end},
      {"a manifest's method that is unknown", :manifest,
       "the manifest's wasm[0].method must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, got: \"FETCH\"",
       fn -> Vitrine.new(%{wasm: [%{url: "https://a/", method: "FETCH"}]}) end},
      {"a manifest's header with a line feed", :manifest,
       "the manifest's wasm[0].headers.a must be a string without control characters",
       fn -> Vitrine.new(%{wasm: [%{url: "https://a/", headers: %{"a" => "b\nc: d"}}]}) end},
      {"a manifest's hash that is too short", :manifest,
       "the manifest's wasm[0].hash must be a sha256 of 64 hexadecimal digits, got: \"abc\"",
       fn -> Vitrine.new(%{wasm: [%{data: @module, hash: "abc"}]}) end},
      {"a module with another hash than the manifest's", :manifest,
       "hash mismatch: the sha256 of the manifest's wasm[0] is 1885772b94ca41b360d9bd07535547f4c8ef16cbe7e49d2c8e9780247e26c4de, expected 0000000000000000000000000000000000000000000000000000000000000000",
       fn -> Vitrine.new(%{wasm: [%{data: @module, hash: String.duplicate("0", 64)}]}) end},
      {"a manifest's two modules of one name", :manifest,
       "Duplicate module name found in Extism manifest: a",
       fn ->
         Vitrine.new(%{
           wasm: [%{data: @module, name: "a"}, %{data: @module, name: "a"}, %{data: @module}]
         })
       end},
      {"a manifest's key that is unknown", :manifest,
       "the manifest has the unknown key \"allowed_host\", allowed are: wasm, config, memory, allowed_hosts, allowed_paths, timeout_ms; did you mean \"allowed_hosts\"?",
       fn -> Vitrine.new(%{wasm: [%{data: @module}], allowed_host: []}) end},
      {"a manifest's key given twice", :manifest,
       "the manifest has the key \"wasm\" both as an atom and as a string",
       fn -> Vitrine.new(%{:wasm => [%{data: @module}], "wasm" => []}) end},
      {"a manifest's limit that is unknown", :manifest,
       "the manifest's memory has the unknown key \"max_page\", allowed are: max_pages, max_http_response_bytes, max_var_bytes; did you mean \"max_pages\"?",
       fn -> Vitrine.new(%{wasm: [%{data: @module}], memory: %{max_page: 1}}) end},
      {"a manifest's limit that is too large", :manifest,
       "the manifest's memory.max_pages must be pages of 64 KiB, from 1 to 65536, got: 70000",
       fn -> Vitrine.new(%{wasm: [%{data: @module}], memory: %{max_pages: 70_000}}) end},
      {"a manifest's timeout that is a text", :manifest,
       "the manifest's timeout_ms must be milliseconds, from 0 to 4294967295, got: \"5s\"",
       fn -> Vitrine.new(%{wasm: [%{data: @module}], timeout_ms: "5s"}) end},
      {"a manifest's configuration with a number", :manifest,
       "the manifest's config.retries must be a string, got: 3",
       fn -> Vitrine.new(%{wasm: [%{data: @module}], config: %{"retries" => 3}}) end},
      {"a manifest's hosts that are a text", :manifest,
       "the manifest's allowed_hosts must be a list of strings, got: \"example.com\"",
       fn -> Vitrine.new(%{wasm: [%{data: @module}], allowed_hosts: "example.com"}) end},
      {"a manifest's host that is a number", :manifest,
       "the manifest's allowed_hosts[0] must be a string such as \"*.example.com\", got: 7",
       fn -> Vitrine.new(%{wasm: [%{data: @module}], allowed_hosts: [7]}) end},
      {"a manifest's paths that are a list", :manifest,
       "the manifest's allowed_paths must be a map, got: [\"/tmp\"]",
       fn -> Vitrine.new(%{wasm: [%{data: @module}], allowed_paths: ["/tmp"]}) end},
      {"a manifest's path without a name in the guest", :manifest,
       "the manifest's allowed_paths[\"/tmp\"] must be a path in the guest, got: \"\"",
       fn -> Vitrine.new(%{wasm: [%{data: @module}], allowed_paths: %{"/tmp" => ""}}) end},
      {"JSON that is broken", :manifest,
       "the manifest is not valid JSON: EOF while parsing a list at line 1 column 10",
       fn -> Vitrine.new(~S({"wasm": [)) end},
      {"JSON in a file that is not a manifest", :manifest,
       "the file \"…/config.json\": it is JSON and not a manifest: it has no \"wasm\"",
       fn -> Vitrine.new(file(~S({"secret": 1}), "config.json")) end},
      {"TOML that is broken", :manifest,
       "the manifest is not valid TOML: unclosed array, expected `]` at line 1 column 9",
       fn -> Vitrine.new("wasm = [\n") end},
      {"a directory that is granted and not there", :manifest,
       "the directory \"/nowhere\" of allowed_paths cannot be opened: No such file or directory (os error 2)",
       fn -> Vitrine.new(@module, wasi: true, allowed_paths: %{"/nowhere" => "/data"}) end}
    ]
  end

  defp ceilings do
    narrow = fn manifest, ceiling ->
      Vitrine.new(Map.put_new(manifest, :wasm, [%{data: @module}]), ceiling: ceiling)
    end

    [
      {"a manifest that wants a file beyond its ceiling", :manifest,
       "the manifest's wasm[0] is a path, \"/etc/passwd\", which is more than it may ask for; the most is ceiling: [sources: [:data]]",
       fn -> narrow.(%{wasm: [%{path: "/etc/passwd"}]}, sources: [:data]) end},
      {"a manifest that wants a URL beyond its ceiling", :manifest,
       "the manifest's wasm[0] is a url, https://evil.example/a.wasm, which is more than it may ask for; the most is ceiling: [sources: [url: [\"*.example.com\"]]]",
       fn ->
         narrow.(%{wasm: [%{url: "https://evil.example/a.wasm"}]},
           sources: [{:url, ["*.example.com"]}]
         )
       end},
      {"a manifest that wants a host beyond its ceiling", :manifest,
       "the manifest's allowed_hosts is \"*\", which is more than it may ask for; the most is ceiling: [allowed_hosts: [\"*.example.com\"]]",
       fn -> narrow.(%{allowed_hosts: ["*"]}, allowed_hosts: ["*.example.com"]) end},
      {"a manifest that asks for an address, under a pattern of all names", :manifest,
       "the manifest's allowed_hosts is \"10.0.0.1\", which is more than it may ask for; the most is ceiling: [allowed_hosts: [\"*\"]]; an address, and a name that may have a private address, must itself be listed",
       fn -> narrow.(%{allowed_hosts: ["10.0.0.1"]}, allowed_hosts: ["*"]) end},
      {"a manifest that wants a directory beyond its ceiling", :manifest,
       "the manifest's allowed_paths is \"/srv\", which is more than it may ask for; the most is ceiling: [allowed_paths: [\"ro:/srv\"]]",
       fn -> narrow.(%{allowed_paths: %{"/srv" => "/data"}}, allowed_paths: ["ro:/srv"]) end},
      {"a manifest that wants more memory than its ceiling", :manifest,
       "the manifest's memory.max_pages is 600, which is more than it may ask for; the most is ceiling: [memory: [max_pages: 512]]",
       fn -> narrow.(%{memory: %{max_pages: 600}}, memory: [max_pages: 512]) end},
      {"a manifest that wants more time than its ceiling", :manifest,
       "the manifest's timeout_ms is 60000, which is more than it may ask for; the most is ceiling: [timeout: 1000]",
       fn -> narrow.(%{timeout_ms: 60_000}, timeout: 1_000) end}
    ]
  end

  defp downloads do
    download = fn answer, options ->
      source = Map.merge(%{url: "https://example.com/a.wasm"}, options[:source] || %{})
      options = Keyword.delete(options, :source)
      Vitrine.new(%{wasm: [source]}, [http: {Client, answer: answer}] ++ options)
    end

    [
      {"a download that is not there", :manifest,
       "the module https://example.com/a.wasm cannot be downloaded: the server answered with status 404",
       fn -> download.({404, [], ""}, []) end},
      {"a download that is refused", :manifest,
       "the module https://example.com/a.wasm cannot be downloaded: HTTP request to https://example.com/a.wasm failed: connection refused",
       fn -> download.(:econnrefused, []) end},
      {"a download that is a page", :compile,
       "what https://example.com/a.wasm answered is not a WebAssembly module: it is a page of HTML; give the URL of the file itself, on GitHub that of its \"Raw\"",
       fn -> download.({200, [], "<!doctype html>"}, []) end},
      {"a download of a host without a name", :manifest,
       "the module https://example.com/a.wasm cannot be downloaded: HTTP request to https://example.com/a.wasm failed: non-existing domain",
       fn -> download.(:nxdomain, []) end},
      {"a download that takes too long", :manifest,
       "the module https://example.com/a.wasm cannot be downloaded: it took longer than the 20 ms that all downloads may take (timeout: 20)",
       fn -> download.(:late, timeout: 20) end},
      {"a download that takes too long for the manifest", :manifest,
       "the module https://example.com/a.wasm cannot be downloaded: it took longer than the 20 ms that all downloads may take (timeout_ms: 20)",
       fn ->
         manifest = %{wasm: [%{url: "https://example.com/a.wasm"}], timeout_ms: 20}
         Vitrine.new(manifest, http: {Client, answer: :late})
       end},
      {"a download that is too large", :manifest,
       "the module https://example.com/a.wasm cannot be downloaded: HTTP response exceeds the configured maximum number of bytes: 10",
       fn ->
         Vitrine.Loader.Download.fetch(%{url: "https://example.com/a.wasm"},
           max_bytes: 10,
           cache_dir: false,
           http: {Client, answer: {200, [], "more than ten"}}
         )
       end},
      {"a download with another hash than the manifest's", :manifest,
       "the module https://example.com/a.wasm cannot be downloaded: hash mismatch: the sha256 is 1885772b94ca41b360d9bd07535547f4c8ef16cbe7e49d2c8e9780247e26c4de, expected 0000000000000000000000000000000000000000000000000000000000000000",
       fn -> download.({200, [], "(module)"}, source: %{hash: String.duplicate("0", 64)}) end},
      {"a download where there is no client", :manifest,
       "the module https://example.com/a.wasm cannot be downloaded: HTTP request to https://example.com/a.wasm is not allowed: HTTP is not enabled (http: false)",
       fn -> Vitrine.new(%{wasm: [%{url: "https://example.com/a.wasm"}]}, http: false) end},
      {"a download that leads from https to http", :manifest,
       "the module https://example.com/a.wasm cannot be downloaded: HTTP request to https://example.com/a.wasm failed: it redirects from https to http",
       fn -> download.({302, [{"location", "http://example.com/a.wasm"}], ""}, []) end},
      {"a download that is led to a private address", :manifest,
       "the module https://example.com/a.wasm cannot be downloaded: HTTP request to https://10.0.0.5/a.wasm, to which https://example.com/a.wasm redirects, is not allowed: 10.0.0.5 is a private address",
       fn -> download.({302, [{"location", "https://10.0.0.5/a.wasm"}], ""}, []) end}
    ]
  end
end
