// The AssemblyScript plugin, with @extism/as-pdk.
//
// Text is encoded here, and not by Host.outputString: that of as-pdk 1.0.0 counts UTF-16 units, not bytes.
import { Config, Host, LogLevel, Memory, Var } from "@extism/as-pdk";
import { error_set, length } from "@extism/as-pdk/lib/env";

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
  const greeting = host_greet(Memory.allocateBytes(Host.input()).offset);
  Host.outputMemory(new Memory(greeting, length(greeting)));
  return 0;
}

let calls: u32 = 0;

export function counter(): i32 {
  return output((++calls).toString());
}

export function fail(): i32 {
  error_set(Memory.allocateBytes(Host.input()).offset);
  return -1;
}

// The value of a key of the configuration, or nothing.
export function config_value(): i32 {
  const value = Config.get(Host.inputString());
  return output(value !== null ? value : "");
}

export function log_info(): i32 {
  Host.log(LogLevel.Info, Host.inputString());
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
