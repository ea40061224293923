// Files and directories.  Failures have the system's message.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

// Outputs all that can be read from `file`.
static int32_t output_rest(int file) {
  size_t length = 0, room = 4096;
  char *data = malloc(room);
  if (!data) abort();
  for (;;) {
    ssize_t count = read(file, data + length, room - length);
    if (count <= 0) {
      int32_t result = 0;
      if (count < 0) result = fail_errno();
      else extism_output(data, length);
      free(data);
      return result;
    }
    length += count;
    if (length == room && !(data = realloc(data, room *= 2))) abort();
  }
}

// In: a path; out: the bytes of that file.
EXTISM_EXPORT("read_file") int32_t read_file(void) {
  size_t length;
  char *path = input(&length);
  int file = open(path, O_RDONLY);
  free(path);
  if (file < 0) return fail_errno();
  int32_t result = output_rest(file);
  close(file);
  return result;
}

// Out: all of the standard input.
EXTISM_EXPORT("read_stdin") int32_t read_stdin(void) { return output_rest(STDIN_FILENO); }

// Ends `text` at its first newline; what follows, or NULL (`text` is freed) when there is none.
static char *split(char *text, size_t length) {
  char *newline = memchr(text, '\n', length);
  if (!newline) return free(text), NULL;
  *newline = 0;
  return newline + 1;
}

// In: a path, a newline, and bytes.  Makes or overwrites that file.
EXTISM_EXPORT("write_file") int32_t write_file(void) {
  size_t length;
  char *path = input(&length);
  char *data = split(path, length), *end = path + length;
  if (!data) return FAIL("expected a path, a newline and bytes");
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  while (file >= 0 && data < end) {
    ssize_t count = write(file, data, end - data);
    if (count < 0) {
      close(file);
      file = -1;
    } else {
      data += count;
    }
  }
  int32_t result = file < 0 || close(file) < 0 ? fail_errno() : 0;
  free(path);
  return result;
}

// In: a path.
EXTISM_EXPORT("delete_file") int32_t delete_file(void) {
  size_t length;
  char *path = input(&length);
  int32_t result = unlink(path) < 0 ? fail_errno() : 0;
  free(path);
  return result;
}

// In: a path.
EXTISM_EXPORT("make_directory") int32_t make_directory(void) {
  size_t length;
  char *path = input(&length);
  int32_t result = mkdir(path, 0755) < 0 ? fail_errno() : 0;
  free(path);
  return result;
}

// In: two paths with a newline between them.
EXTISM_EXPORT("rename_file") int32_t rename_file(void) {
  size_t length;
  char *from = input(&length);
  char *to = split(from, length);
  if (!to) return FAIL("expected two paths with a newline between them");
  int32_t result = rename(from, to) < 0 ? fail_errno() : 0;
  free(from);
  return result;
}

// In: a path; out: `file 12` or `directory` or `other`, where 12 is the size in bytes.
EXTISM_EXPORT("stat") int32_t stat_path(void) {
  size_t length;
  char *path = input(&length);
  struct stat status;
  int result = stat(path, &status);
  free(path);
  if (result < 0) return fail_errno();
  if (S_ISDIR(status.st_mode)) return extism_output("directory", 9), 0;
  if (!S_ISREG(status.st_mode)) return extism_output("other", 5), 0;
  char text[30] = "file ", *end = text + sizeof text, *start = end;
  uint64_t size = status.st_size;
  do *--start = '0' + size % 10;
  while (size /= 10);
  memmove(text + 5, start, end - start);
  extism_output(text, 5 + (end - start));
  return 0;
}

// In: a path; out: the names in that directory, a line each, in the order in which the host gives them.
EXTISM_EXPORT("list_directory") int32_t list_directory(void) {
  size_t length;
  char *path = input(&length);
  DIR *directory = opendir(path);
  free(path);
  if (!directory) return fail_errno();
  char *names = NULL;
  length = 0;
  struct dirent *entry;
  while ((entry = readdir(directory))) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    size_t name = strlen(entry->d_name);
    if (!(names = realloc(names, length + name + 1))) abort();
    memcpy(names + length, entry->d_name, name);
    names[length + name] = '\n';
    length += name + 1;
  }
  closedir(directory);
  extism_output(names, length);
  free(names);
  return 0;
}
