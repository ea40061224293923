// The AssemblyScript plugin, with @extism/as-pdk.
//
// Text is encoded here, and not by Host.outputString: that of as-pdk 1.0.0 counts UTF-16 units, not bytes.
import { Config, Host, LogLevel, Memory, Var } from "@extism/as-pdk";
import { error_set, free, http_request, length } from "@extism/as-pdk/lib/env";

// What as-pdk 1.0.0 leaves out.
@external("extism:host/env", "http_status_code")
declare function http_status_code(): i32;
@external("extism:host/env", "http_headers")
declare function host_http_headers(): u64;
@external("extism:host/env", "log_trace")
declare function log_trace(message: u64): void;
@external("extism:host/env", "get_log_level")
declare function get_log_level(): i32;

// In the namespace `extism:host/user`.
@external("extism:host/user", "greet")
declare function host_greet(name: u64): u64;

export function echo(): i32 {
  Host.output(Host.input());
  return 0;
}

const VOWELS = "aeiouAEIOU";

export function count_vowels(): i32 {
  const text = Host.inputString();
  let count: u32 = 0;
  for (let i = 0; i < text.length; i++) {
    if (VOWELS.includes(text.charAt(i))) count++;
  }

  // The variable `total`, four bytes, outlives the call.
  const kept = Var.get("total");
  const total = count + (kept !== null ? load<u32>(kept.dataStart) : 0);
  const bytes = new Uint8Array(4);
  store<u32>(bytes.dataStart, total);
  Var.set("total", bytes);

  return output(`{"count":${count},"total":${total},"vowels":"${VOWELS}"}`);
}

// Asks the host: a handle goes in, a handle comes out, which is the output.
export function greet(): i32 {
  return outputBlock(host_greet(inputBlock()));
}

let calls: u32 = 0;

export function counter(): i32 {
  return output((++calls).toString());
}

export function fail(): i32 {
  error_set(inputBlock());
  return -1;
}

export function fail_with_code(): i32 {
  error_set(Memory.allocateString("coded").offset);
  return I32.parseInt(Host.inputString());
}

export function panic(): i32 {
  throw new Error("at the plugin's request");
}

function trap(): i32 {
  return unreachable();
}
export { trap as unreachable };

// The value of a key of the configuration, or nothing.
export function config_value(): i32 {
  const value = Config.get(Host.inputString());
  return output(value !== null ? value : "");
}

// In: key=value.
export function var_set(): i32 {
  const data = Host.input();
  const end = data.indexOf(0x3d);
  if (end < 0) {
    error_set(Memory.allocateString("expected key=value").offset);
    return -1;
  }
  Var.set(String.UTF8.decode(data.buffer.slice(0, end)), data.subarray(end + 1));
  return 0;
}

export function var_get(): i32 {
  const value = Var.get(Host.inputString());
  if (value !== null) Host.output(value);
  return 0;
}

export function var_delete(): i32 {
  Var.remove(Host.inputString());
  return 0;
}

// A message is the host's when it was logged, hence one block each.
export function log_all(): i32 {
  log_trace(inputBlock());
  const message = Host.inputString();
  Host.log(LogLevel.Debug, message);
  Host.log(LogLevel.Info, message);
  Host.log(LogLevel.Warn, message);
  Host.log(LogLevel.Error, message);
  return 0;
}

export function log_level(): i32 {
  return output(get_log_level().toString());
}

export function big_output(): i32 {
  const bytes = new Uint8Array(I32.parseInt(Host.inputString()));
  Host.output(bytes.fill(0x78));
  return 0;
}

// Sends the request on the first line of the input, with what follows as its body; the block with the response's body.
function request(): u64 {
  const data = Host.input();
  const end = data.indexOf(0x0a);
  if (end < 0) return http_request(Memory.allocateBytes(data).offset, 0);
  const body = Memory.allocateBytes(data.subarray(end + 1));
  return http_request(Memory.allocateBytes(data.subarray(0, end)).offset, body.offset);
}

export function http_body(): i32 {
  return outputBlock(request());
}

export function http_status(): i32 {
  free(request());
  return output(http_status_code().toString());
}

export function http_headers(): i32 {
  free(request());
  return outputBlock(host_http_headers());
}

export function log_info(): i32 {
  Host.log(LogLevel.Info, Host.inputString());
  return 0;
}

function inputBlock(): u64 {
  return Memory.allocateBytes(Host.input()).offset;
}

function outputBlock(block: u64): i32 {
  Host.outputMemory(new Memory(block, length(block)));
  return 0;
}

function output(text: string): i32 {
  Host.output(Uint8Array.wrap(String.UTF8.encode(text)));
  return 0;
}

// What `asc --use abort=` calls instead of importing env.abort.
function abortPlugin(message: string | null, file: string | null, line: u32, column: u32): void {
  error_set(Memory.allocateString(message !== null ? message : "abort").offset);
  unreachable();
}
