//! The NIF of Vitrine: terms in, terms out. It converts and chooses schedulers; what a plugin may
//! do is decided in `vitrine_core`, what is done with it in Elixir.

mod bytes;
mod call;
mod codec;
mod compile;
mod error;
mod html;
mod http;
mod inspection;
mod links;
mod listing;
mod options;
mod permit;
mod plugin;
mod reply;
mod snapshot;
mod stats;
mod toml;
mod value;

mod atoms {
    rustler::atoms! {
        ok,
        error,
        nil,
        infinity,
        normal,
        dirty,
        // What a call needs next
        output,
        host_function,
        log,
        print,
        stdout,
        stderr,
        http,
        slice,
        wait,
        over,
        // Messages
        vitrine_wake,
        vitrine_reply,
        // HTML
        more,
        // Replies
        go,
        values,
        failed,
        // Options
        reset,
        keep,
        drop,
        tell,
        capture,
        perf,
        jitdump,
        vtune,
        // Where code came from, besides memory
        disk,
        compiler,
        draft,
        // Value types
        i32,
        i64,
        f32,
        f64,
        binary,
        v128,
        nan,
        neg_infinity,
        // What modules import and export
        function,
        memory,
        table,
        global,
        tag,
        // What a codec cannot write
        large,
        utf8,
        integer,
        structure,
        improper,
        depth,
        size,
        key,
        other,
        __struct__,
        // In what time went
        initialise,
        guest,
        others,
        scheduler,
        // Reasons
        guest_error,
        trap,
        exit,
        timeout,
        cancelled,
        out_of_memory,
        fuel,
        output_too_large,
        manifest,
        vars,
        function_not_found,
        link,
        compile,
        snapshot,
        busy,
        closed,
    }
}

rustler::init!("Elixir.Vitrine.Native");
