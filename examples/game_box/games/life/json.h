// The part of JSON that a game reads: objects whose members are texts.  It needs no libc, and makes no copies.
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  const char *text;
  size_t length;
} Slice;

// Returns the value of a member of the object `json`, as it stands there, or an empty one if there is none.
Slice json_member(Slice json, const char *name);

// Calls `each` for every string of an array, with the text between its quotes, until `each` returns false.
bool json_strings(Slice json, bool (*each)(Slice));

// Returns the text between the quotes of a string, or an empty one for another value.  Escapes are left as they are.
Slice json_string(Slice json);

// Returns the number in a string of digits, or -1.
int json_number(Slice json);

bool slice_is(Slice slice, const char *text);
