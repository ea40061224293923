// Crashes with debug information: a backtrace can name this file and the line.
#define EXPORT(name) __attribute__((export_name(name)))

__attribute__((noinline)) static int divide(int by) {
  int result = 42 / by;
  return result + 1;
}

EXPORT("crash") int crash(void) {
  return divide(0);
}
