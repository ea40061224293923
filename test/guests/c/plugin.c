// The C plugin: without libc, memory is taken from where the linker says that it is free.
#include "extism.h"

EXTISM_USER("greet") ExtismHandle host_greet(ExtismHandle name);
EXTISM_USER("tick") int64_t host_tick(int64_t round);

// ---- Helpers ----

extern uint8_t __heap_base[]; // the end of the static data and of the stack

// The plugin's one buffer: everything from __heap_base on.  NULL when the memory cannot grow enough.
static uint8_t *buffer(size_t length) {
  uint64_t missing = (uint64_t)(uintptr_t)__heap_base + length;
  uint64_t size = (uint64_t)__builtin_wasm_memory_size(0) << 16;
  if (missing > size && __builtin_wasm_memory_grow(0, (missing - size + 0xffff) >> 16) == (size_t)-1) return NULL;
  return __heap_base;
}

// The input, in the buffer.  Memory that cannot grow is a trap.
static uint8_t *input(size_t *length) {
  *length = extism_input_length();
  uint8_t *data = buffer(*length);
  if (!data) __builtin_trap();
  extism_load(extism_input_offset(), data, *length);
  return data;
}

// With a sign or without.
static int32_t decimal_input(void) {
  size_t length;
  uint8_t *text = input(&length);
  uint32_t value = 0;
  int negative = length > 0 && text[0] == '-';
  for (size_t i = negative; i < length && text[i] >= '0' && text[i] <= '9'; i++) value = value * 10 + (text[i] - '0');
  return (int32_t)(negative ? -value : value);
}

// The input as a block that may be given away.
static ExtismHandle input_block(void) {
  size_t length;
  uint8_t *data = input(&length);
  return extism_block(data, length);
}

// Where the first `mark` is, or `length`.
static size_t find(const uint8_t *data, size_t length, uint8_t mark) {
  size_t i = 0;
  while (i < length && data[i] != mark) i++;
  return i;
}

static char *append(char *to, const char *text) {
  while (*text) *to++ = *text++;
  return to;
}

static char *append_decimal(char *to, uint32_t value) {
  if (value >= 10) to = append_decimal(to, value / 10);
  *to = '0' + value % 10;
  return to + 1;
}

static int32_t output_decimal(uint32_t value) {
  char text[10];
  extism_output(text, append_decimal(text, value) - text);
  return 0;
}

#define FAIL(message) extism_fail(message, sizeof(message) - 1)

// ---- What every language's plugin has ----

EXTISM_EXPORT("echo") int32_t echo(void) {
  size_t length;
  uint8_t *data = input(&length);
  extism_output(data, length);
  return 0;
}

#define VOWELS "aeiouAEIOU"

static int is_vowel(uint8_t c) {
  switch (c | 0x20) {
    case 'a': case 'e': case 'i': case 'o': case 'u': return 1;
    default: return 0;
  }
}

EXTISM_EXPORT("count_vowels") int32_t count_vowels(void) {
  size_t length;
  uint8_t *text = input(&length);
  uint32_t count = 0, total = 0;
  for (size_t i = 0; i < length; i++) count += is_vowel(text[i]);

  // The variable `total`, four bytes, outlives the call.
  ExtismHandle kept = extism_var_get(extism_block("total", 5));
  if (extism_length(kept) == sizeof total) extism_load(kept, &total, sizeof total);
  extism_free(kept);
  total += count;
  extism_var_set(extism_block("total", 5), extism_block(&total, sizeof total));

  char json[80], *end = append_decimal(append(json, "{\"count\":"), count);
  end = append_decimal(append(end, ",\"total\":"), total);
  end = append(end, ",\"vowels\":\"" VOWELS "\"}");
  extism_output(json, end - json);
  return 0;
}

// Asks the host: a handle goes in, a handle comes out, which is the output.
EXTISM_EXPORT("greet") int32_t greet(void) {
  extism_output_block(host_greet(extism_input_offset()));
  return 0;
}

EXTISM_EXPORT("counter") int32_t counter(void) {
  static uint32_t calls;
  return output_decimal(++calls);
}

EXTISM_EXPORT("fail") int32_t fail(void) {
  size_t length;
  uint8_t *message = input(&length);
  return extism_fail(message, length);
}

EXTISM_EXPORT("fail_with_code") int32_t fail_with_code(void) {
  int32_t code = decimal_input();
  FAIL("coded");
  return code;
}

EXTISM_EXPORT("unreachable") int32_t unreachable(void) { __builtin_trap(); }

EXTISM_EXPORT("config_value") int32_t config_value(void) {
  extism_output_block(extism_config_get(input_block()));
  return 0;
}

EXTISM_EXPORT("var_set") int32_t var_set(void) {
  size_t length;
  uint8_t *data = input(&length);
  size_t key = find(data, length, '=');
  if (key == length) return FAIL("expected key=value");
  extism_var_set(extism_block(data, key), extism_block(data + key + 1, length - key - 1));
  return 0;
}

EXTISM_EXPORT("var_get") int32_t var_get(void) {
  extism_output_block(extism_var_get(input_block()));
  return 0;
}

EXTISM_EXPORT("var_delete") int32_t var_delete(void) {
  extism_var_set(input_block(), 0);
  return 0;
}

EXTISM_EXPORT("log_all") int32_t log_all(void) {
  extism_log_trace(input_block());
  extism_log_debug(input_block());
  extism_log_info(input_block());
  extism_log_warn(input_block());
  extism_log_error(input_block());
  return 0;
}

EXTISM_EXPORT("log_level") int32_t log_level(void) { return output_decimal(extism_get_log_level()); }

EXTISM_EXPORT("big_output") int32_t big_output(void) {
  size_t length = decimal_input();
  uint8_t *data = buffer(length);
  if (!data) __builtin_trap();
  __builtin_memset(data, 'x', length);
  extism_output(data, length);
  return 0;
}

// The request on the first line of the input, what follows as its body; the body of the response.
static ExtismHandle request(void) {
  size_t length;
  uint8_t *data = input(&length);
  size_t line = find(data, length, '\n');
  ExtismHandle body = line < length ? extism_block(data + line + 1, length - line - 1) : 0;
  return extism_http_request(extism_block(data, line), body);
}

EXTISM_EXPORT("http_body") int32_t http_body(void) {
  extism_output_block(request());
  return 0;
}

EXTISM_EXPORT("http_status") int32_t http_status(void) {
  extism_free(request());
  return output_decimal(extism_http_status_code());
}

EXTISM_EXPORT("http_headers") int32_t http_headers(void) {
  extism_free(request());
  extism_output_block(extism_http_headers());
  return 0;
}

// ---- Misbehaviour ----

EXTISM_EXPORT("spin") int32_t spin(void) {
  for (;;) __asm__ volatile("");
}

EXTISM_EXPORT("spin_host") int32_t spin_host(void) {
  for (int64_t round = 0;; round++) host_tick(round);
}

// The memory made as large as the input says, in MiB, and what of it is free; NULL when it cannot grow so far.
static uint8_t *free_memory(size_t *length) {
  uint64_t size = (uint64_t)(uint32_t)decimal_input() << 20;
  uint64_t start = (uintptr_t)__heap_base;
  *length = size > start ? size - start : 0;
  return size >> 32 ? NULL : buffer(*length);
}

// All of it with one instruction, memory.fill.  Outputs how many bytes that was.
EXTISM_EXPORT("fill") int32_t fill(void) {
  size_t length;
  uint8_t *memory = free_memory(&length);
  if (!memory) return FAIL("no memory");
  __builtin_memset(memory, 0xa5, length);
  return output_decimal(length);
}

EXTISM_EXPORT("fill_forever") int32_t fill_forever(void) {
  size_t length;
  uint8_t *memory = free_memory(&length);
  if (!memory) return FAIL("no memory");
  for (uint8_t value = 0;; value++) {
    __builtin_memset(memory, value, length);
    __asm__ volatile("" ::: "memory");
  }
}

// Half of the memory over the other half, with memory.copy.
EXTISM_EXPORT("copy_forever") int32_t copy_forever(void) {
  size_t length;
  uint8_t *memory = free_memory(&length);
  if (!memory) return FAIL("no memory");
  for (;;) {
    __builtin_memcpy(memory, memory + length / 2, length / 2);
    __asm__ volatile("" ::: "memory");
  }
}
