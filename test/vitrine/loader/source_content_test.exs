defmodule Vitrine.Loader.SourceContentTest do
  # The error for bytes that are not a module tells what they are, by their beginning: to the developer, and to the
  # person who uploaded them.
  use ExUnit.Case, async: true

  import Vitrine.Guests

  alias Vitrine.Manifest.Content

  defmodule Served do
    @behaviour Vitrine.HTTP

    @impl true
    def request(_request, options),
      do: {:ok, %Vitrine.HTTP.Response{status: 200, body: options[:body]}}
  end

  @chosen "choose the .wasm file that the build has made"
  @core "build a core module, as the targets wasm32-unknown-unknown and wasm32-wasip1 make it, and wasm32-wasip2 does not"
  @saved "often it is a sign-in page or an error that was saved in the place of a download"
  @text "WebAssembly's text begins with (module"
  @elf "is a native program (ELF), or a module that Wasmtime compiled beforehand (.cwasm)"
  @utf16 "is a text in UTF-16"
  @utf8 "save it as UTF-8"

  defp utf16(text, order), do: :unicode.characters_to_binary(text, :utf8, {:utf16, order})

  # Bytes; what is said of them; what a developer, and an uploader, is told to do.
  defp findings do
    [
      {"", "is empty", nil, @chosen},
      {:zlib.gzip("(module)"), "is compressed with gzip",
       "decompress it first, with :zlib.gunzip/1", "decompress it first"},
      {<<0x28, 0xB5, 0x2F, 0xFD, 4>>, "is compressed with zstd", "decompress it first",
       "decompress it first"},
      {"PK\x03\x04\x14\0", "is a zip archive", "take the .wasm file out of it",
       "take the .wasm file out of it"},
      {String.pad_trailing("p.wasm", 257, "\0") <> "ustar\0", "is a tar archive",
       "take the .wasm file out of it", "take the .wasm file out of it"},
      {<<0x89, "PNG\r\n", 0x1A, "\n">>, "is a picture (PNG)", nil, @chosen},
      {"<!DOCTYPE html>\n<title>Sign in</title>", "is a page of HTML", @saved, @saved},
      {"\n<html>", "is a page of HTML", @saved, @saved},
      {"<?xml version=\"1.0\"?>", "is XML", nil, @chosen},
      {"{\"wasm\": []}", "is JSON", nil, @chosen},
      {"\uFEFF{\"wasm\": []}", "is JSON that begins with a byte order mark",
       "remove the byte order mark, its first three bytes", "remove the byte order mark"},
      {"\uFEFF(module)", "is WebAssembly's text that begins with a byte order mark",
       "remove the byte order mark, its first three bytes", "remove the byte order mark"},
      {"wasm:\n  - path: p.wasm\n", "is YAML", "a manifest is JSON or TOML", @chosen},
      {"# a manifest\n---\nwasm: []\n", "is YAML", "a manifest is JSON or TOML", @chosen},
      {"# a manifest\n[[wasm]]\npath = \"p\"\n", "is TOML", nil, @chosen},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n",
       "is a pointer of Git LFS to a file that is kept elsewhere", "run git lfs pull",
       "git lfs pull brings the file itself"},
      {<<0x7F, "ELF", 2, 1>>, @elf, "take the .wasm file that it was made from",
       "choose the .wasm file that it was made from"},
      {<<"MZ", 0x90, 0>>, "is a native program of Windows", "build it for wasm32", @chosen},
      {<<0xCF, 0xFA, 0xED, 0xFE>>, "is a native program of macOS", "build it for wasm32",
       @chosen},
      {"!<arch>\n", "is a static library", "link it for wasm32 first",
       "link it for wasm32 first"},
      {"(component)", "is a component of WebAssembly's component model", @core, @core},
      {utf16("(module)", :little), @utf16, @utf8, @utf8},
      {utf16("(module)", :big), @utf16, @utf8, @utf8},
      {<<0xFF, 0xFE>> <> utf16("(module)", :little), @utf16, @utf8, @utf8},
      {<<0xFE, 0xFF>> <> utf16("{}", :big), @utf16, @utf8, @utf8},
      {Base.encode64(<<0, "asm", 1, 0, 0, 0>>), "is a module in base64",
       "decode it first, with Base.decode64!/1", "choose the .wasm file itself"},
      {<<0, "asm">>, "ends after 4 bytes, within its header", "it was cut off", "it was cut off"},
      {<<0, "asm", 2, 0, 0, 0>>, "is of version 2 of WebAssembly's binary format",
       "the version is 1", @chosen},
      {"(func)", "is a text in brackets of another kind", @text, @text},
      {"fn main() {}\n", "is a text of another kind", @text, @chosen},
      {"#!/bin/sh\n", "is a script", "compile it to WebAssembly first", @chosen},
      {"p.wasm", "looks like the path of a file", "read it first, with File.read/1", @chosen},
      {"/srv/plugins/p", "looks like the path of a file", "read it first, with File.read/1",
       @chosen},
      {"https://example.com/p.wasm", "is a URL", "download it first", @chosen},
      {<<1, 2, 3, 255>>, "does not begin with the bytes 00 61 73 6D", nil, @chosen}
    ]
  end

  defp told(subject, predicate, nil), do: "#{subject}: it #{predicate}"
  defp told(subject, predicate, advice), do: "#{subject}: it #{predicate}; #{advice}"

  test "a developer is told what the bytes are, and what would be right" do
    for {bytes, predicate, advice, _} <- findings() do
      error = error!(Vitrine.new({:module, bytes}))

      assert {error.reason, error.message} ==
               {:compile, told("the source is not a WebAssembly module", predicate, advice)}
    end
  end

  test "an uploader is told in words of their own" do
    for {bytes, predicate, _, advice} <- findings() do
      error = error!(Vitrine.inspect_plugin(bytes, name: "upload"))
      message = told("the file is not a WebAssembly module", predicate, advice)
      assert {error.reason, error.message, error.plugin} == {:compile, message, "upload"}
    end
  end

  @tag :tmp_dir
  test "the file, the place in a manifest or the URL is named that they come from", %{
    tmp_dir: dir
  } do
    page = "<!doctype html><title>404</title>"
    path = Path.join(dir, "p.wasm")
    File.write!(path, page)
    is_html = fn expected -> "is not a WebAssembly #{expected}: it is a page of HTML; " end

    assert error!(Vitrine.new(path)).message ==
             "the file #{inspect(path)} #{is_html.("module or a manifest")}#{@saved}"

    manifest = %{wasm: [%{data: "(module)", name: "lib"}, %{path: path}]}

    assert error!(Vitrine.new(manifest)).message ==
             "the manifest's wasm[1].path: the file #{inspect(path)} #{is_html.("module")}#{@saved}"

    url = "https://github.com/me/plugin/blob/main/p.wasm"
    client = {Served, body: page}
    error = error!(Vitrine.new(%{wasm: [%{url: url}]}, http: client))

    assert {error.reason, error.message} ==
             {:compile,
              ~s(what #{url} answered #{is_html.("module")}give the URL of the file itself, on GitHub that of its "Raw")}

    assert {:error, %{message: message}} = Vitrine.Manifest.new(%{wasm: [%{data: page}]})

    assert message ==
             "the manifest's wasm[0].data must be a WebAssembly module, in binary or text, or base64 of " <>
               "one; it is a page of HTML; #{@saved}"
  end

  test "text of a module begins with comments, as many as there are" do
    for text <- [
          "(module)",
          "\t\r\n (module $m)",
          ";; (component\n(module)",
          "(; (; nested ;) ;) (module)",
          "( module(func))",
          "(module;; comment\n)",
          String.duplicate("(;", 100_000) <> String.duplicate(";)", 100_000) <> "(module)",
          String.duplicate(";; a line\n", 100_000) <> "(module)"
        ] do
      assert Content.check(text) == :ok
    end

    for text <- [
          "(modul)",
          "(modules)",
          ";; (module",
          "(; (module) ",
          "(;;",
          "; (module)",
          "x(module)"
        ] do
      assert {:error, {_, _, _}} = Content.check(text)
    end
  end
end
