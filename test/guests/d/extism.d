/// What the host offers (extism:host/env), and the few helpers that every plugin needs.  Without D's runtime (-betterC).
module extism;

import ldc.attributes : llvmAttr;

/// The address of a block in the host's memory, not in the plugin's: data is copied with load and store.
alias Handle = ulong;

/// Before a function that the plugin exports.
enum exported(string name) = llvmAttr("wasm-export-name", name);
/// Before a function of the host's user.
enum user = llvmAttr("wasm-import-module", "extism:host/user");
enum named(string name) = llvmAttr("wasm-import-name", name);

private enum host = llvmAttr("wasm-import-module", "extism:host/env");

extern (C) @host {
    @named!"input_offset" Handle inputOffset();
    @named!"input_length" ulong inputLength();
    @named!"alloc" Handle alloc(ulong length);
    @named!"free" void free(Handle);
    @named!"length" ulong length(Handle);
    @named!"load_u8" ubyte loadByte(ulong address);
    @named!"load_u64" ulong loadWord(ulong address);
    @named!"store_u8" void storeByte(ulong address, ubyte);
    @named!"store_u64" void storeWord(ulong address, ulong);
    @named!"output_set" void outputSet(ulong address, ulong length);
    @named!"error_set" void errorSet(Handle message);
    /// Takes the key, as all that follow take what they are given.
    @named!"config_get" Handle configGet(Handle key);
    @named!"var_get" Handle varGet(Handle key);
    /// 0 deletes.
    @named!"var_set" void varSet(Handle key, Handle value);
    /// JSON, and a body or 0 for none.
    @named!"http_request" Handle httpRequest(Handle request, Handle body);
    @named!"http_status_code" int httpStatusCode();
    /// JSON; 0 where the host gives none.
    @named!"http_headers" Handle httpHeaders();
    @named!"log_trace" void logTrace(Handle message);
    @named!"log_debug" void logDebug(Handle message);
    @named!"log_info" void logInfo(Handle message);
    @named!"log_warn" void logWarn(Handle message);
    @named!"log_error" void logError(Handle message);
    /// 0 (trace) to 4 (error), or int.max (off).
    @named!"get_log_level" int getLogLevel();
}

/// Copies from the host's memory: eight bytes at a time, then the rest.
void load(Handle from, ubyte[] to) {
    size_t i = 0;
    for (; to.length - i >= 8; i += 8) *cast(ulong*)(to.ptr + i) = loadWord(from + i);
    for (; i < to.length; i++) to[i] = loadByte(from + i);
}

/// A new block with these bytes.
Handle block(const(void)[] data) {
    const bytes = cast(const(ubyte)[]) data;
    const to = alloc(bytes.length);
    size_t i = 0;
    for (; bytes.length - i >= 8; i += 8) storeWord(to + i, *cast(const(ulong)*)(bytes.ptr + i));
    for (; i < bytes.length; i++) storeByte(to + i, bytes[i]);
    return to;
}

void output(const(void)[] bytes) {
    outputSet(block(bytes), bytes.length);
}

/// A block as the output; none for 0.
void outputBlock(Handle block) {
    outputSet(block, length(block));
}

/// For `return fail(...)`.
int fail(const(void)[] message) {
    errorSet(block(message));
    return -1;
}
