/// The D plugin: without D's runtime, memory is taken from where the linker says that it is free.
module plugin;

import extism;
import ldc.intrinsics : llvm_trap, llvm_wasm_memory_grow, llvm_wasm_memory_size;

extern (C) extern __gshared ubyte __heap_base; // the end of the static data and of the stack

@user @named!"greet" extern (C) Handle hostGreet(Handle name);

// ---- Helpers ----

/// The plugin's one buffer: everything from __heap_base on.
ubyte[] buffer(size_t length) {
    const end = cast(ulong) cast(size_t)&__heap_base + length;
    const size = cast(ulong) llvm_wasm_memory_size(0) << 16;
    if (end > size && llvm_wasm_memory_grow(0, cast(int)((end - size + 0xffff) >> 16)) < 0) llvm_trap();
    return (&__heap_base)[0 .. length];
}

ubyte[] input() {
    auto bytes = buffer(cast(size_t) inputLength());
    load(inputOffset(), bytes);
    return bytes;
}

/// The input as a block that may be given away.
Handle inputBlock() {
    return block(input());
}

int decimalInput() {
    const text = input();
    const negative = text.length > 0 && text[0] == '-';
    int value = 0;
    foreach (digit; text[negative .. $]) value = value * 10 + (digit - '0');
    return negative ? -value : value;
}

/// Where the first `mark` is, or the length.
size_t find(const ubyte[] bytes, char mark) {
    foreach (i, letter; bytes)
        if (letter == mark) return i;
    return bytes.length;
}

/// A text of at most 80 bytes, made piece by piece.
struct Text {
    char[80] bytes = void;
    size_t length;

    void append(string text) {
        foreach (letter; text) bytes[length++] = letter;
    }

    void append(uint number) {
        if (number >= 10) append(number / 10);
        bytes[length++] = cast(char)('0' + number % 10);
    }
}

int output(Parts...)(Parts parts) {
    Text text;
    foreach (part; parts) text.append(part);
    extism.output(text.bytes[0 .. text.length]);
    return 0;
}

extern (C):

// ---- What every language's plugin has ----

@exported!"echo" int echo() {
    extism.output(input());
    return 0;
}

enum vowels = "aeiouAEIOU";

@exported!"count_vowels" int countVowels() {
    uint count = 0, total = 0;
    foreach (letter; input())
        foreach (vowel; vowels) count += letter == vowel;

    // The variable `total`, four bytes, outlives the call.
    const kept = varGet(block("total"));
    auto bytes = (cast(ubyte*)&total)[0 .. total.sizeof];
    if (length(kept) == total.sizeof) load(kept, bytes);
    free(kept);
    total += count;
    varSet(block("total"), block(bytes));

    return output(`{"count":`, count, `,"total":`, total, `,"vowels":"` ~ vowels ~ `"}`);
}

/// Asks the host: a handle goes in, a handle comes out, which is the output.
@exported!"greet" int greet() {
    outputBlock(hostGreet(inputOffset()));
    return 0;
}

@exported!"counter" int counter() {
    static __gshared uint calls;
    return output(++calls);
}

@exported!"config_value" int configValue() {
    outputBlock(configGet(inputBlock()));
    return 0;
}

@exported!"var_set" int setVar() {
    const bytes = input();
    const key = find(bytes, '=');
    if (key == bytes.length) return fail("expected key=value");
    varSet(block(bytes[0 .. key]), block(bytes[key + 1 .. $]));
    return 0;
}

@exported!"var_get" int getVar() {
    outputBlock(varGet(inputBlock()));
    return 0;
}

@exported!"var_delete" int deleteVar() {
    varSet(inputBlock(), 0);
    return 0;
}

@exported!"log_all" int logAll() {
    logTrace(inputBlock());
    logDebug(inputBlock());
    logInfo(inputBlock());
    logWarn(inputBlock());
    logError(inputBlock());
    return 0;
}

@exported!"log_level" int logLevel() {
    return output(cast(uint) getLogLevel());
}

@exported!"big_output" int bigOutput() {
    auto bytes = buffer(decimalInput());
    bytes[] = 'x';
    extism.output(bytes);
    return 0;
}

/// Sends the request on the first line of the input, with what follows as its body; the body of the response.
Handle send() {
    const bytes = input();
    const line = find(bytes, '\n');
    const body_ = line < bytes.length ? block(bytes[line + 1 .. $]) : 0;
    return httpRequest(block(bytes[0 .. line]), body_);
}

@exported!"http_body" int httpBody() {
    outputBlock(send());
    return 0;
}

@exported!"http_status" int httpStatus() {
    free(send());
    return output(cast(uint) httpStatusCode());
}

@exported!"http_headers" int outputHttpHeaders() {
    free(send());
    outputBlock(httpHeaders());
    return 0;
}

@exported!"fail" int failWithInput() {
    return fail(input());
}

@exported!"fail_with_code" int failWithCode() {
    const code = decimalInput();
    fail("coded");
    return code;
}

@exported!"unreachable" int unreachable() {
    llvm_trap();
    return 0;
}
