// As much of JSON as a game reads: members of objects that are texts.  No libc, and no copies.
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  const char *text;
  size_t length;
} Slice;

// The value of a member of the object `json`, as it stands there; empty if there is none.
Slice json_member(Slice json, const char *name);

// The texts of an array: calls `each` with what is between the quotes of every string, until it says false.
bool json_strings(Slice json, bool (*each)(Slice));

// What is between the quotes of a string; empty for another value.  Escapes are left as they are.
Slice json_string(Slice json);

// A string of digits, or -1.
int json_number(Slice json);

bool slice_is(Slice slice, const char *text);
