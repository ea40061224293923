// What a process is given, and what it says: output streams, arguments, environment.
#include <unistd.h>
#include <wasi/api.h>

#include "guest.h"

static int32_t write_all(int file, const char *data, size_t length) {
  while (length > 0) {
    ssize_t count = write(file, data, length);
    if (count < 0) return fail_errno();
    data += count;
    length -= count;
  }
  return 0;
}

static int32_t write_input(int file) {
  size_t length;
  char *text = input(&length);
  int32_t result = write_all(file, text, length);
  free(text);
  return result;
}

// The input to the standard output (fd_write).
EXTISM_EXPORT("print") int32_t print(void) { return write_input(STDOUT_FILENO); }

// The input to the standard error.
EXTISM_EXPORT("print_error") int32_t print_error(void) { return write_input(STDERR_FILENO); }

#define WRITE(file, text) \
  if (write_all(file, text, sizeof(text) - 1)) return -1

// Lines in pieces, lines of both streams among each other, several lines at once, an empty line, and a last one without an end.
EXTISM_EXPORT("print_lines") int32_t print_lines(void) {
  WRITE(STDOUT_FILENO, "first ");
  WRITE(STDERR_FILENO, "a warn");
  WRITE(STDOUT_FILENO, "line\nsecond line\n\nfourth ");
  WRITE(STDERR_FILENO, "ing\n");
  WRITE(STDOUT_FILENO, "line\n");
  WRITE(STDOUT_FILENO, "unfinished");
  return 0;
}

typedef __wasi_errno_t (*Sizes)(__wasi_size_t *, __wasi_size_t *);
typedef __wasi_errno_t (*Get)(uint8_t **, uint8_t *);

// Outputs strings, a line each.
static int32_t output_strings(Sizes sizes, Get get) {
  __wasi_size_t count, length;
  if (sizes(&count, &length)) return FAIL("sizes");
  uint8_t **strings = malloc((count + 1) * sizeof *strings), *text = malloc(length + 1);
  if (!strings || !text) abort();
  if (get(strings, text)) return FAIL("get");
  for (size_t i = 0; i < length; i++)
    if (!text[i]) text[i] = '\n';
  extism_output(text, length);
  free(strings);
  free(text);
  return 0;
}

// Out: the arguments, a line each (args_get).
EXTISM_EXPORT("arguments") int32_t arguments(void) { return output_strings(__wasi_args_sizes_get, __wasi_args_get); }

// Out: `NAME=value`, a line each (environ_get).
EXTISM_EXPORT("environment") int32_t environment(void) { return output_strings(__wasi_environ_sizes_get, __wasi_environ_get); }
