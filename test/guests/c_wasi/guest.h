// What the files of this plugin share: inputs as strings, and failures.
#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "extism.h"

// The input as a string, to be freed.
static inline char *input(size_t *length) {
  *length = extism_input_length();
  char *text = malloc(*length + 1);
  if (!text) abort();
  extism_load(extism_input_offset(), text, *length);
  text[*length] = 0;
  return text;
}

#define FAIL(message) extism_fail(message, sizeof(message) - 1)

// Fails with what the system says, e.g. "No such file or directory".
static inline int32_t fail_errno(void) {
  const char *message = strerror(errno);
  return extism_fail(message, strlen(message));
}
