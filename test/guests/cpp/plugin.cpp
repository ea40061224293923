// The C++ plugin, with the standard library and hence WASI: a reactor, whose `_initialize` the host must call.
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "extism.hpp"

EXTISM_USER("greet") ExtismHandle host_greet(ExtismHandle name);

namespace {

int32_t decimal_input() {
  const std::string text = extism::input();
  int32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// What is before the first `mark`, and what after it, if there is one.
std::pair<std::string_view, std::optional<std::string_view>> cut(std::string_view bytes, char mark) {
  const size_t at = bytes.find(mark);
  if (at == bytes.npos) return {bytes, std::nullopt};
  return {bytes.substr(0, at), bytes.substr(at + 1)};
}

// The request on the first line of the input, with what follows as its body.
extism::Response send() {
  const std::string input = extism::input();
  const auto [request, body] = cut(input, '\n');
  return extism::http(request, body.value_or(""));
}

constexpr std::string_view vowels = "aeiouAEIOU";

} // namespace

EXTISM_EXPORT("echo") int32_t echo() {
  extism::output(extism::input());
  return 0;
}

EXTISM_EXPORT("count_vowels") int32_t count_vowels() {
  const std::string text = extism::input();
  const uint32_t count = std::count_if(text.begin(), text.end(), [](char c) { return vowels.find(c) != vowels.npos; });

  // The variable `total`, four bytes, outlives the call.
  uint32_t total = 0;
  const std::string kept = extism::var::get("total").value_or("");
  if (kept.size() == sizeof total) std::memcpy(&total, kept.data(), sizeof total);
  total += count;
  extism::var::set("total", {reinterpret_cast<const char *>(&total), sizeof total});

  extism::output("{\"count\":" + std::to_string(count) + ",\"total\":" + std::to_string(total) + ",\"vowels\":\"" +
                 std::string(vowels) + "\"}");
  return 0;
}

EXTISM_EXPORT("greet") int32_t greet() {
  extism::output(extism::take(host_greet(extism::block(extism::input()))).value_or(""));
  return 0;
}

EXTISM_EXPORT("counter") int32_t counter() {
  static int calls;
  extism::output(std::to_string(++calls));
  return 0;
}

EXTISM_EXPORT("config_value") int32_t config_value() {
  extism::output(extism::config(extism::input()).value_or(""));
  return 0;
}

EXTISM_EXPORT("var_set") int32_t var_set() {
  const std::string input = extism::input();
  const auto [key, value] = cut(input, '=');
  if (!value) return extism::fail("expected key=value");
  extism::var::set(key, *value);
  return 0;
}

EXTISM_EXPORT("var_get") int32_t var_get() {
  extism::output(extism::var::get(extism::input()).value_or(""));
  return 0;
}

EXTISM_EXPORT("var_delete") int32_t var_delete() {
  extism::var::remove(extism::input());
  return 0;
}

EXTISM_EXPORT("log_all") int32_t log_all() {
  const std::string message = extism::input();
  for (auto log : {extism_log_trace, extism_log_debug, extism_log_info, extism_log_warn, extism_log_error})
    log(extism::block(message));
  return 0;
}

EXTISM_EXPORT("log_level") int32_t log_level() {
  extism::output(std::to_string(extism_get_log_level()));
  return 0;
}

EXTISM_EXPORT("big_output") int32_t big_output() {
  extism::output(std::string(decimal_input(), 'x'));
  return 0;
}

EXTISM_EXPORT("http_body") int32_t http_body() {
  extism::output(send().body);
  return 0;
}

EXTISM_EXPORT("http_status") int32_t http_status() {
  extism::output(std::to_string(send().status));
  return 0;
}

EXTISM_EXPORT("http_headers") int32_t http_headers() {
  extism::output(send().headers);
  return 0;
}

EXTISM_EXPORT("fail") int32_t fail() { return extism::fail(extism::input()); }

EXTISM_EXPORT("fail_with_code") int32_t fail_with_code() {
  const int32_t code = decimal_input();
  extism::fail("coded");
  return code;
}

EXTISM_EXPORT("panic") int32_t panic() { std::abort(); }

EXTISM_EXPORT("unreachable") int32_t unreachable() { __builtin_trap(); }
