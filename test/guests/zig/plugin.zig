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
    return extism.input(arena.allocator()) catch @panic("out of memory");
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
    const greeting = host.greet(extism.env.input_offset());
    extism.env.output_set(greeting, extism.env.length(greeting));
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

fn outputFormat(comptime format: []const u8, arguments: anytype) i32 {
    var text: [80]u8 = undefined;
    extism.output(std.fmt.bufPrint(&text, format, arguments) catch unreachable);
    return 0;
}
