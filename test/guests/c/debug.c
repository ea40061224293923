// Crashes with debug information: a backtrace can name this file and the line.
#define EXPORT(name) __attribute__((export_name(name)))

__attribute__((noinline)) static void fail(void) {
  __builtin_trap();
}

EXPORT("crash") int crash(void) {
  fail();
  return 0;
}
