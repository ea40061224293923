// The names of Extism's JavaScript PDK, over what env.rs offers as `env`.  Handles are numbers.
"use strict";

var module = { exports: {} };

class MemoryHandle {
  constructor(offset) {
    this.offset = offset;
  }
  readBytes() {
    return env.read(this.offset);
  }
  readString() {
    return env.decode(env.read(this.offset));
  }
  free() {
    env.free(this.offset);
  }
}

var Memory = {
  fromBuffer: (buffer) => new MemoryHandle(env.block(buffer)),
  fromString: (string) => Memory.fromBuffer(env.encode(string)),
  find: (offset) => new MemoryHandle(offset),
};

// The block of a string or buffer, 0 for nothing.
const give = (value) =>
  value === undefined ? 0 : (typeof value === "string" ? Memory.fromString(value) : Memory.fromBuffer(value)).offset;

// What is in a block that the host gave, which is freed; null when there is none.
const take = (offset) => {
  if (offset === 0) return null;
  const bytes = env.read(offset);
  env.free(offset);
  return bytes;
};

const takeString = (offset) => {
  const bytes = take(offset);
  return bytes && env.decode(bytes);
};

var Host = {
  inputBytes: () => env.input(),
  inputString: () => env.decode(env.input()),
  outputBytes: (buffer) => env.output_set(give(buffer)),
  outputString: (string) => env.output_set(give(string)),
  getFunctions: () => ({ greet: env.greet }),
  logLevel: () => env.get_log_level(),
};

var Config = {
  get: (key) => takeString(env.config_get(give(key))),
};

var Var = {
  getBytes: (key) => take(env.var_get(give(key))),
  getString: (key) => takeString(env.var_get(give(key))),
  set: (key, value) => env.var_set(give(key), give(value)),
  delete: (key) => env.var_set(give(key), 0),
};

var Http = {
  request({ url, method, headers }, body) {
    const bytes = take(env.http_request(give(JSON.stringify({ url, method, headers })), give(body))) ?? new ArrayBuffer(0);
    const status = env.http_status_code();
    const received = JSON.parse(takeString(env.http_headers()) ?? "{}");
    return { bytes, status, headers: received, get body() { return env.decode(bytes); } };
  },
};

const log = (level) => (...values) => env.log(level, give(values.map(String).join(" ")));

var console = { trace: log(0), debug: log(1), log: log(2), info: log(2), warn: log(3), error: log(4) };
