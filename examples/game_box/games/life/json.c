#include "json.h"

static Slice skip_space(Slice s) {
  while (s.length > 0 && (*s.text == ' ' || *s.text == '\n' || *s.text == '\r' || *s.text == '\t')) s.text++, s.length--;
  return s;
}

static Slice drop(Slice s, size_t count) {
  return (Slice){s.text + count, s.length - count};
}

// The length of the value that `s` begins with.  Brackets must be balanced.  The caller looks for commas and colons.
static size_t value_length(Slice s) {
  size_t i = 0, depth = 0;
  bool quoted = false;
  for (; i < s.length; i++) {
    char c = s.text[i];
    if (quoted) {
      if (c == '\\') i++;
      else if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      depth++;
    } else if (c == '}' || c == ']') {
      if (depth == 0) break;
      depth--;
    } else if ((c == ',' || c == ':') && depth == 0) {
      break;
    }
  }
  return i < s.length ? i : s.length;
}

// Returns the value that `s` begins with, and moves `s` behind it and the mark that follows.
static Slice take(Slice *s, char mark) {
  *s = skip_space(*s);
  Slice value = {s->text, value_length(*s)};
  *s = drop(*s, value.length);
  if (s->length > 0 && *s->text == mark) *s = drop(*s, 1);
  return value;
}

Slice json_member(Slice json, const char *name) {
  Slice rest = skip_space(json);
  if (rest.length == 0 || *rest.text != '{') return (Slice){NULL, 0};
  rest = drop(rest, 1);
  while (rest.length > 0 && *rest.text != '}') {
    Slice key = take(&rest, ':'), value = take(&rest, ',');
    if (key.length == 0 && value.length == 0) break;
    if (slice_is(json_string(key), name)) return value;
  }
  return (Slice){NULL, 0};
}

bool json_strings(Slice json, bool (*each)(Slice)) {
  Slice rest = skip_space(json);
  if (rest.length == 0 || *rest.text != '[') return false;
  rest = drop(rest, 1);
  while (rest.length > 0 && *rest.text != ']') {
    Slice value = take(&rest, ',');
    if (value.length == 0 || !each(json_string(value))) return false;
  }
  return true;
}

Slice json_string(Slice json) {
  if (json.length < 2 || *json.text != '"') return (Slice){NULL, 0};
  size_t end = 1;
  while (end < json.length && json.text[end] != '"') end += json.text[end] == '\\' ? 2 : 1;
  if (end >= json.length) return (Slice){NULL, 0};
  return (Slice){json.text + 1, end - 1};
}

int json_number(Slice json) {
  Slice digits = json_string(json);
  int number = 0;
  if (digits.length == 0 || digits.length > 4) return -1;
  for (size_t i = 0; i < digits.length; i++) {
    if (digits.text[i] < '0' || digits.text[i] > '9') return -1;
    number = number * 10 + (digits.text[i] - '0');
  }
  return number;
}

bool slice_is(Slice slice, const char *text) {
  size_t i = 0;
  while (i < slice.length && text[i] && text[i] == slice.text[i]) i++;
  return i == slice.length && slice.text != NULL && text[i] == '\0';
}
