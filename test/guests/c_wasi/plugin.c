// A plugin with a libc, hence WASI: clocks, randomness and exit here, more in files.c and streams.c.  A reactor: it exports
// `_initialize`, which the host must call before anything else.
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static uint64_t decimal_input(void) {
  size_t length;
  char *text = input(&length);
  uint64_t value = strtoull(text, NULL, 10);
  free(text);
  return value;
}

// Not with printf, which is larger than all the rest.
static int32_t output_decimal(uint64_t value) {
  char text[20], *start = text + sizeof text;
  do *--start = '0' + value % 10;
  while (value /= 10);
  extism_output(start, text + sizeof text - start);
  return 0;
}

EXTISM_EXPORT("echo") int32_t echo(void) {
  size_t length;
  char *data = input(&length);
  extism_output(data, length);
  free(data);
  return 0;
}

// Sleeps for that many milliseconds (poll_oneoff), of which a host must be able to wake it.
EXTISM_EXPORT("sleep_ms") int32_t sleep_ms(void) {
  uint64_t ms = decimal_input();
  struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  return nanosleep(&time, NULL) == 0 ? 0 : FAIL("nanosleep");
}

// Eight random bytes (random_get).
EXTISM_EXPORT("random") int32_t random_bytes(void) {
  uint8_t bytes[8];
  if (getentropy(bytes, sizeof bytes) != 0) return FAIL("getentropy");
  extism_output(bytes, sizeof bytes);
  return 0;
}

// Milliseconds since 1970 (clock_time_get).
EXTISM_EXPORT("now") int32_t now(void) {
  struct timespec time;
  if (clock_gettime(CLOCK_REALTIME, &time) != 0) return FAIL("clock_gettime");
  return output_decimal((uint64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000);
}

// Nanoseconds of a clock that never goes back (clock_time_get too).
EXTISM_EXPORT("monotonic") int32_t monotonic(void) {
  struct timespec time;
  if (clock_gettime(CLOCK_MONOTONIC, &time) != 0) return FAIL("clock_gettime");
  return output_decimal((uint64_t)time.tv_sec * 1000000000 + time.tv_nsec);
}

// Ends the plugin with that exit code (proc_exit).
EXTISM_EXPORT("exit_with") int32_t exit_with(void) { exit((int)decimal_input()); }

static uint64_t calls;

// Run by `_initialize`: without it, the counter would count from 0.
__attribute__((constructor)) static void initialize(void) { calls = 100; }

EXTISM_EXPORT("counter") int32_t counter(void) { return output_decimal(++calls); }
