// The JavaScript plugin.  It uses the names of Extism's JavaScript PDK; src/ has the engine and a PDK of the same names, since
// the PDK itself is in no package registry.  Marked with (+) is what that has not: the rest would run there too.

function echo() {
  Host.outputBytes(Host.inputBytes());
}

function sum_json() {
  const { name, numbers } = JSON.parse(Host.inputString());
  Host.outputString(JSON.stringify({ name, sum: numbers.reduce((sum, number) => sum + number, 0) }));
}

const VOWELS = "aeiouAEIOU";

// Extism's usual example.  The variable `total`, four bytes, outlives the call.
function count_vowels() {
  const count = [...Host.inputString()].filter((letter) => VOWELS.includes(letter)).length;
  const kept = Var.getBytes("total");
  const total = new Uint32Array(kept ?? 4);
  total[0] += count;
  Var.set("total", total.buffer);
  Host.outputString(JSON.stringify({ count, total: total[0], vowels: VOWELS }));
}

// Asks the host: a handle goes in, a handle comes out.
function greet() {
  const { greet } = Host.getFunctions();
  const name = Memory.fromBuffer(Host.inputBytes());
  Host.outputBytes(Memory.find(greet(name.offset)).readBytes());
}

let calls = 0;

function counter() {
  Host.outputString(String(++calls));
}

function config_value() {
  Host.outputString(Config.get(Host.inputString()) ?? "");
}

// Input `key=value`.
function var_set() {
  const [key, value] = cut(Host.inputBytes(), "=");
  if (value === null) throw new Error("expected key=value");
  Var.set(text(key), value);
}

function var_get() {
  const value = Var.getBytes(Host.inputString());
  if (value !== null) Host.outputBytes(value);
}

function var_delete() {
  Var.delete(Host.inputString()); // (+)
}

function log_all() {
  const message = Host.inputString();
  console.trace(message); // (+)
  console.debug(message);
  console.log(message);
  console.warn(message);
  console.error(message);
}

function log_level() {
  Host.outputString(String(Host.logLevel())); // (+)
}

// As many bytes `x` as the input says, in decimal.
function big_output() {
  Host.outputBytes(new Uint8Array(Number(Host.inputString())).fill(0x78).buffer);
}

// Sends the request that the first line of the input says in JSON, with the rest of the input as its body.
function send() {
  const [request, body] = cut(Host.inputBytes(), "\n");
  return Http.request(JSON.parse(text(request)), body ?? undefined);
}

function http_body() {
  Host.outputBytes(send().bytes); // (+): there is only `body`, a string
}

function http_status() {
  Host.outputString(String(send().status));
}

function http_headers() {
  Host.outputString(JSON.stringify(send().headers)); // (+)
}

function fail() {
  throw new Error(Host.inputString());
}

// (+)  The `code` of an error is the return code.
function fail_with_code() {
  throw Object.assign(new Error("coded"), { code: Number(Host.inputString()) });
}

// What a bug comes to: an error with its message.
function panic() {
  const nothing = null;
  nothing.request();
}

// The bytes before the first `mark`, and those after it, or null.
function cut(buffer, mark) {
  const at = new Uint8Array(buffer).indexOf(mark.charCodeAt(0));
  return at < 0 ? [buffer, null] : [buffer.slice(0, at), buffer.slice(at + 1)];
}

function text(buffer) {
  return Memory.fromBuffer(buffer).readString();
}

module.exports = {
  echo, sum_json, count_vowels, greet, counter, config_value, var_set, var_get, var_delete, log_all, log_level, big_output,
  http_body, http_status, http_headers, fail, fail_with_code, panic,
};
