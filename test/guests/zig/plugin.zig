//! The Zig plugin.
const std = @import("std");
const extism = @import("extism.zig");

/// In the namespace `extism:host/user`.
const host = struct {
    extern "extism:host/user" fn greet(name: extism.Handle) extism.Handle;
};

/// The plugin is one instance with one thread: what a call allocates is freed when the next one begins.
var arena: std.heap.ArenaAllocator = .init(std.heap.wasm_allocator);

fn input() []u8 {
    _ = arena.reset(.retain_capacity);
    return extism.input(arenaAllocator()) catch @panic("out of memory");
}

export fn echo() i32 {
    extism.output(input());
    return 0;
}

export fn reverse() i32 {
    const bytes = input();
    std.mem.reverse(u8, bytes);
    extism.output(bytes);
    return 0;
}

const Numbers = struct { name: []const u8, numbers: []const i64 };

/// JSON in, JSON out.
export fn sum_json() i32 {
    const parsed = std.json.parseFromSliceLeaky(Numbers, arenaAllocator(), input(), .{}) catch |err| {
        return extism.fail(@errorName(err));
    };
    var sum: i64 = 0;
    for (parsed.numbers) |number| sum += number;

    const json = std.json.Stringify.valueAlloc(arenaAllocator(), .{ .name = parsed.name, .sum = sum }, .{}) catch
        @panic("out of memory");
    extism.output(json);
    return 0;
}

const vowels = "aeiouAEIOU";

export fn count_vowels() i32 {
    var count: u32 = 0;
    for (input()) |byte| {
        if (std.mem.findScalar(u8, vowels, byte) != null) count += 1;
    }

    // The variable `total`, four bytes, outlives the call.
    var total: u32 = 0;
    extism.getVar("total", std.mem.asBytes(&total));
    total += count;
    extism.setVar("total", std.mem.asBytes(&total));

    return outputFormat("{{\"count\":{d},\"total\":{d},\"vowels\":\"{s}\"}}", .{ count, total, vowels });
}

/// Asks the host: a handle goes in, a handle comes out, which is the output.
export fn greet() i32 {
    extism.outputBlock(host.greet(extism.env.input_offset()));
    return 0;
}

var calls: u32 = 0;

export fn counter() i32 {
    calls += 1;
    return outputFormat("{d}", .{calls});
}

export fn fail() i32 {
    return extism.fail(input());
}

export fn fail_with_code() i32 {
    const code = std.fmt.parseInt(i32, input(), 10) catch return extism.fail("expected a number");
    _ = extism.fail("coded");
    return code;
}

/// A trap, as every panic: `unreachable` itself would be undefined behaviour in small builds.
export fn panic() i32 {
    @panic("at the plugin's request");
}

comptime {
    @export(&trap, .{ .name = "unreachable" });
}

fn trap() callconv(.c) i32 {
    @trap();
}

export fn config_value() i32 {
    extism.outputBlock(extism.env.config_get(extism.block(input())));
    return 0;
}

export fn var_set() i32 {
    const key, const value = std.mem.cutScalar(u8, input(), '=') orelse return extism.fail("expected key=value");
    extism.setVar(key, value);
    return 0;
}

export fn var_get() i32 {
    extism.outputBlock(extism.env.var_get(extism.block(input())));
    return 0;
}

export fn var_delete() i32 {
    extism.env.var_set(extism.block(input()), 0);
    return 0;
}

export fn log_all() i32 {
    const message = input();
    extism.env.log_trace(extism.block(message));
    extism.env.log_debug(extism.block(message));
    extism.env.log_info(extism.block(message));
    extism.env.log_warn(extism.block(message));
    extism.env.log_error(extism.block(message));
    return 0;
}

export fn log_level() i32 {
    return outputFormat("{d}", .{extism.env.get_log_level()});
}

export fn big_output() i32 {
    const length = std.fmt.parseInt(usize, input(), 10) catch return extism.fail("expected a number");
    const bytes = arenaAllocator().alloc(u8, length) catch @panic("out of memory");
    @memset(bytes, 'x');
    extism.output(bytes);
    return 0;
}

/// Sends the request on the first line of the input, with what follows as its body; the body of the response.
fn request() extism.Handle {
    const bytes = input();
    const line, const body = std.mem.cutScalar(u8, bytes, '\n') orelse .{ bytes, "" };
    return extism.env.http_request(extism.block(line), extism.block(body));
}

export fn http_body() i32 {
    extism.outputBlock(request());
    return 0;
}

export fn http_status() i32 {
    extism.env.free(request());
    return outputFormat("{d}", .{extism.env.http_status_code()});
}

export fn http_headers() i32 {
    extism.env.free(request());
    extism.outputBlock(extism.env.http_headers());
    return 0;
}

fn arenaAllocator() std.mem.Allocator {
    return arena.allocator();
}

fn outputFormat(comptime format: []const u8, arguments: anytype) i32 {
    var text: [80]u8 = undefined;
    extism.output(std.fmt.bufPrint(&text, format, arguments) catch unreachable);
    return 0;
}
