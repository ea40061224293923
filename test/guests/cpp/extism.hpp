// The C header's functions in the terms of C++'s standard library.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "../c/extism.h"

namespace extism {

// The bytes of a block that the host gave, which is freed; none for 0.
inline std::optional<std::string> take(ExtismHandle block) {
  if (block == 0) return std::nullopt;
  std::string bytes(extism_length(block), '\0');
  extism_load(block, bytes.data(), bytes.size());
  extism_free(block);
  return bytes;
}

inline ExtismHandle block(std::string_view bytes) { return extism_block(bytes.data(), bytes.size()); }

inline std::string input() {
  std::string bytes(extism_input_length(), '\0');
  extism_load(extism_input_offset(), bytes.data(), bytes.size());
  return bytes;
}

inline void output(std::string_view bytes) { extism_output(bytes.data(), bytes.size()); }

// For `return extism::fail(...)`.
inline int32_t fail(std::string_view message) { return extism_fail(message.data(), message.size()); }

inline std::optional<std::string> config(std::string_view key) { return take(extism_config_get(block(key))); }

namespace var {
inline std::optional<std::string> get(std::string_view key) { return take(extism_var_get(block(key))); }
inline void set(std::string_view key, std::string_view value) { extism_var_set(block(key), block(value)); }
inline void remove(std::string_view key) { extism_var_set(block(key), 0); }
} // namespace var

struct Response {
  std::string body;
  int32_t status;
  std::string headers; // JSON, empty where the host gives none
};

// `request` is JSON: `url`, `method` and `headers`.
inline Response http(std::string_view request, std::string_view body) {
  std::string received = take(extism_http_request(block(request), block(body))).value_or("");
  return {std::move(received), extism_http_status_code(), take(extism_http_headers()).value_or("")};
}

} // namespace extism
