[
  inputs: [
    "{mix,.formatter}.exs",
    "{mix,lib,bench}/**/*.{ex,exs}",
    "examples/*/{mix,.formatter}.exs",
    "examples/*/*.exs",
    "examples/*/{lib,test,config}/**/*.{ex,exs}",
    "test/*.exs",
    "test/{conformance,vitrine,mix,support}/**/*.{ex,exs}",
    "test/fixtures/*/*.exs",
    "test/fixtures/*/{lib,test}/**/*.{ex,exs}"
  ]
]
