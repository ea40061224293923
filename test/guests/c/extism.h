// A plugin development kit for C and C++ in one header: what the host offers (extism:host/env), and the few helpers that every
// plugin needs.  No libc.
//
// A handle is the address of a block in the host's memory, not in the plugin's: data is copied with load and store.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef uint64_t ExtismHandle;

#ifdef __cplusplus
#define EXTISM_C extern "C"
#else
#define EXTISM_C extern
#endif

#define EXTISM_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXTISM_ENV(name) EXTISM_IMPORT("extism:host/env", name) EXTISM_C
// A function of the host's user, e.g. EXTISM_USER("greet") ExtismHandle host_greet(ExtismHandle name);
#define EXTISM_USER(name) EXTISM_IMPORT("extism:host/user", name) EXTISM_C
#define EXTISM_EXPORT(name) __attribute__((export_name(name)))

EXTISM_ENV("input_offset") ExtismHandle extism_input_offset(void);
EXTISM_ENV("input_length") uint64_t extism_input_length(void);
EXTISM_ENV("alloc") ExtismHandle extism_alloc(uint64_t length);
EXTISM_ENV("free") void extism_free(ExtismHandle);
EXTISM_ENV("length") uint64_t extism_length(ExtismHandle);
EXTISM_ENV("load_u8") uint8_t extism_load_u8(uint64_t address);
EXTISM_ENV("load_u64") uint64_t extism_load_u64(uint64_t address);
EXTISM_ENV("store_u8") void extism_store_u8(uint64_t address, uint8_t);
EXTISM_ENV("store_u64") void extism_store_u64(uint64_t address, uint64_t);
EXTISM_ENV("output_set") void extism_output_set(uint64_t address, uint64_t length);
EXTISM_ENV("error_set") void extism_error_set(ExtismHandle message);
EXTISM_ENV("config_get") ExtismHandle extism_config_get(ExtismHandle key); // takes the key, as all that follow
EXTISM_ENV("var_get") ExtismHandle extism_var_get(ExtismHandle key);
EXTISM_ENV("var_set") void extism_var_set(ExtismHandle key, ExtismHandle value); // 0 deletes
EXTISM_ENV("http_request") ExtismHandle extism_http_request(ExtismHandle request, ExtismHandle body); // JSON; 0 for no body
EXTISM_ENV("http_status_code") int32_t extism_http_status_code(void);
EXTISM_ENV("http_headers") ExtismHandle extism_http_headers(void); // JSON; 0 where the host gives none
EXTISM_ENV("log_trace") void extism_log_trace(ExtismHandle message);
EXTISM_ENV("log_debug") void extism_log_debug(ExtismHandle message);
EXTISM_ENV("log_info") void extism_log_info(ExtismHandle message);
EXTISM_ENV("log_warn") void extism_log_warn(ExtismHandle message);
EXTISM_ENV("log_error") void extism_log_error(ExtismHandle message);
EXTISM_ENV("get_log_level") int32_t extism_get_log_level(void); // 0 (trace) to 4 (error), INT32_MAX (off)

// Copies from the host's memory: eight bytes at a time, then the rest.
static inline void extism_load(ExtismHandle from, void *to, size_t length) {
  uint8_t *bytes = (uint8_t *)to;
  size_t i = 0;
  for (; length - i >= 8; i += 8) {
    uint64_t word = extism_load_u64(from + i);
    __builtin_memcpy(bytes + i, &word, 8);
  }
  for (; i < length; i++) bytes[i] = extism_load_u8(from + i);
}

// Copies to the host's memory.
static inline void extism_store(ExtismHandle to, const void *from, size_t length) {
  const uint8_t *bytes = (const uint8_t *)from;
  size_t i = 0;
  for (; length - i >= 8; i += 8) {
    uint64_t word;
    __builtin_memcpy(&word, bytes + i, 8);
    extism_store_u64(to + i, word);
  }
  for (; i < length; i++) extism_store_u8(to + i, bytes[i]);
}

// A new block with these bytes.
static inline ExtismHandle extism_block(const void *data, size_t length) {
  ExtismHandle block = extism_alloc(length);
  extism_store(block, data, length);
  return block;
}

static inline void extism_output(const void *data, size_t length) {
  extism_output_set(extism_block(data, length), length);
}

// A block as the output; none for 0.
static inline void extism_output_block(ExtismHandle block) {
  extism_output_set(block, extism_length(block));
}

// For `return extism_fail(...)`.
static inline int32_t extism_fail(const void *message, size_t length) {
  extism_error_set(extism_block(message, length));
  return -1;
}
