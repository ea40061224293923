//! Converts HTTP requests and responses from and to terms.

use rustler::{Binary, Encoder, Env, NifResult, Term};
use vitrine_core::{HttpRequest, HttpResponse};

use crate::{atoms, bytes};

/// `{method, url, headers, body | nil}`.
pub fn encode(env: Env<'_>, request: HttpRequest) -> Term<'_> {
    let body = match request.body {
        Some(body) => bytes::give(env, body),
        None => atoms::nil().encode(env),
    };
    (request.method, request.url, request.headers, body).encode(env)
}

/// `{status, headers, body}`.
pub fn decode(term: Term<'_>) -> NifResult<HttpResponse> {
    let (status, headers, body): (u16, Vec<(Binary, Binary)>, Binary) = term.decode()?;
    let owned = |bytes: Binary| bytes.as_slice().to_vec();
    let headers = headers.into_iter();
    Ok(HttpResponse {
        status,
        headers: headers.map(|(n, v)| (owned(n), owned(v))).collect(),
        body: owned(body),
    })
}
