//! The NIF of Vitrine: terms in, terms out. It converts and chooses schedulers; what a plugin may
//! do is decided in `vitrine_core`, what is done with it in Elixir.

mod bytes;
mod call;
mod compile;
mod error;
mod http;
mod json;
mod options;
mod plugin;
mod reply;
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
        http,
        slice,
        wait,
        // Messages
        vitrine_wake,
        vitrine_reply,
        // Replies
        go,
        values,
        failed,
        // Options
        reset,
        keep,
        // Value types
        i32,
        i64,
        f32,
        f64,
        binary,
        nan,
        neg_infinity,
        // Reasons
        guest_error,
        trap,
        exit,
        timeout,
        cancelled,
        out_of_memory,
        function_not_found,
        link,
        compile,
        busy,
        closed,
    }
}

rustler::init!("Elixir.Vitrine.Native");
