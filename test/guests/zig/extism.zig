//! What the host offers (extism:host/env), and the few helpers that every plugin needs.

const std = @import("std");

/// The address of a block in the host's memory, not in the plugin's: data is copied with load and store.
pub const Handle = u64;

pub const env = struct {
    pub extern "extism:host/env" fn input_offset() Handle;
    pub extern "extism:host/env" fn input_length() u64;
    pub extern "extism:host/env" fn alloc(length: u64) Handle;
    pub extern "extism:host/env" fn free(block: Handle) void;
    pub extern "extism:host/env" fn length(block: Handle) u64;
    pub extern "extism:host/env" fn load_u8(address: u64) u8;
    pub extern "extism:host/env" fn load_u64(address: u64) u64;
    pub extern "extism:host/env" fn store_u8(address: u64, value: u8) void;
    pub extern "extism:host/env" fn store_u64(address: u64, value: u64) void;
    pub extern "extism:host/env" fn output_set(address: u64, length: u64) void;
    pub extern "extism:host/env" fn error_set(message: Handle) void;
    /// Takes the key, as all that follow take what they are given.
    pub extern "extism:host/env" fn config_get(key: Handle) Handle;
    pub extern "extism:host/env" fn var_get(key: Handle) Handle;
    /// 0 deletes.
    pub extern "extism:host/env" fn var_set(key: Handle, value: Handle) void;
    /// JSON and a body, or 0 for none.
    pub extern "extism:host/env" fn http_request(request: Handle, body: Handle) Handle;
    pub extern "extism:host/env" fn http_status_code() i32;
    /// JSON; 0 where the host gives none.
    pub extern "extism:host/env" fn http_headers() Handle;
    pub extern "extism:host/env" fn log_trace(message: Handle) void;
    pub extern "extism:host/env" fn log_debug(message: Handle) void;
    pub extern "extism:host/env" fn log_info(message: Handle) void;
    pub extern "extism:host/env" fn log_warn(message: Handle) void;
    pub extern "extism:host/env" fn log_error(message: Handle) void;
    /// From 0 (trace) to 4 (error), or the largest number (off).
    pub extern "extism:host/env" fn get_log_level() i32;
};

/// Copies from the host's memory: eight bytes at a time, then the rest.
pub fn load(from: Handle, to: []u8) void {
    var i: usize = 0;
    while (to.len - i >= 8) : (i += 8) {
        std.mem.writeInt(u64, to[i..][0..8], env.load_u64(from + i), .little);
    }
    while (i < to.len) : (i += 1) to[i] = env.load_u8(from + i);
}

/// A new block with these bytes.
pub fn block(bytes: []const u8) Handle {
    const to = env.alloc(bytes.len);
    var i: usize = 0;
    while (bytes.len - i >= 8) : (i += 8) {
        env.store_u64(to + i, std.mem.readInt(u64, bytes[i..][0..8], .little));
    }
    while (i < bytes.len) : (i += 1) env.store_u8(to + i, bytes[i]);
    return to;
}

pub fn input(allocator: std.mem.Allocator) ![]u8 {
    const bytes = try allocator.alloc(u8, @intCast(env.input_length()));
    load(env.input_offset(), bytes);
    return bytes;
}

pub fn output(bytes: []const u8) void {
    env.output_set(block(bytes), bytes.len);
}

/// A block as the output; none for 0.
pub fn outputBlock(of_host: Handle) void {
    env.output_set(of_host, env.length(of_host));
}

/// For `return extism.fail(...)`.
pub fn fail(message: []const u8) i32 {
    env.error_set(block(message));
    return -1;
}

/// Leaves `value` as it is when there is no variable of that size.
pub fn getVar(key: []const u8, value: []u8) void {
    const kept = env.var_get(block(key));
    if (env.length(kept) == value.len) load(kept, value);
    env.free(kept);
}

pub fn setVar(key: []const u8, value: []const u8) void {
    env.var_set(block(key), block(value));
}
