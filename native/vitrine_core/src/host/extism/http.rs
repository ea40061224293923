//! HTTP requests. A request parks the guest until the embedder has made it. The core has no sockets and no policy; it only knows
//! how guests write requests and read responses.

use std::collections::BTreeMap;

use serde::Deserialize;
use wasmtime::{Caller, Linker, Result};

use super::{ENV, copy, length};
use crate::error::Stop;
use crate::host::HostView;
use crate::host::kernel_memory as memory;
use crate::host::protocol::{HttpRequest, LARGE, Reply, Request};

/// Longer JSON takes too long to be parsed on a normal scheduler.
const LONG_JSON: usize = 16 * 1024;
/// Longer JSON is refused, because parsing it cannot be interrupted.
const MAX_JSON: usize = 1 << 20;

/// The response to a plugin's last request, as far as the plugin can ask for it.
#[derive(Default)]
pub(crate) struct LastResponse {
    /// 0 if there was none.
    status: u16,
    headers: BTreeMap<String, String>,
}

/// A request as the PDKs write it. Other fields, which future PDKs may write, are ignored.
#[derive(Deserialize)]
struct RequestJson {
    url: String,
    method: Option<String>,
    headers: Option<BTreeMap<String, String>>,
}

pub(crate) fn link<T: HostView>(linker: &mut Linker<T>) -> Result<()> {
    linker.func_wrap_async(
        ENV,
        "http_request",
        |caller, (request, body): (i64, i64)| Box::new(http_request(caller, request, body)),
    )?;
    linker.func_wrap(ENV, "http_status_code", |caller: Caller<'_, T>| {
        i32::from(caller.data().host().plugin.http.lock().status)
    })?;
    linker.func_wrap_async(ENV, "http_headers", |caller, (): ()| {
        Box::new(http_headers(caller))
    })?;
    Ok(())
}

async fn http_request<T: HostView>(
    mut caller: Caller<'_, T>,
    request_handle: i64,
    body_handle: i64,
) -> Result<i64> {
    let plugin = caller.data().host().plugin.clone();
    *plugin.http.lock() = LastResponse::default();

    if let Some(json) = memory::read(&mut caller, request_handle)
        && json.len() > MAX_JSON
    {
        let length = json.len();
        return Err(Stop::Http(format!(
            "the HTTP request without its body has {length} bytes; the limit is {MAX_JSON} bytes"
        ))
        .into());
    }
    let json = copy(&mut caller, request_handle, "http request").await?;
    if json.len() > LONG_JSON {
        plugin.control.on_dirty().await;
    }
    let RequestJson {
        url,
        method,
        headers,
    } = serde_json::from_slice(&json)
        .map_err(|e| Stop::Abi(format!("the HTTP request is not valid: {e}")))?;
    let body = match body_handle {
        0 => None,
        _ => {
            let (length, limit) = (
                length(&mut caller, body_handle, "http request body")?,
                plugin.limits.output,
            );
            if length as u64 > limit {
                return Err(Stop::Http(format!(
                    "the body of the HTTP request has {length} bytes; the limit is {limit} bytes, which is that of outputs"
                ))
                .into());
            }
            Some(copy(&mut caller, body_handle, "http request body").await?)
        }
    };
    let request = HttpRequest {
        method: method.map_or_else(|| "GET".into(), |method| method.to_ascii_uppercase()),
        url,
        headers: headers.unwrap_or_default().into_iter().collect(),
        body,
    };

    let response = match plugin.control.ask(Request::Http(request)).await? {
        Reply::Http(response) => response,
        Reply::Error(text) => {
            return Err(Stop::Http(String::from_utf8_lossy(&text).into_owned()).into());
        }
        // The embedder's clock may be a little ahead.
        Reply::Timeout => return Err(Stop::Timeout.into()),
        Reply::Values(_) | Reply::Failed => {
            return Err(Stop::Http("the HTTP request failed".into()).into());
        }
    };
    let headers = if plugin.http_response_headers {
        visible(response.headers)
    } else {
        BTreeMap::new()
    };
    *plugin.http.lock() = LastResponse {
        status: response.status,
        headers,
    };
    if response.body.len() > LARGE {
        plugin.control.on_dirty().await;
    }
    let answer = memory::alloc(&mut caller, &response.body)?;
    memory::free(&mut caller, request_handle);
    memory::free(&mut caller, body_handle);
    Ok(answer)
}

async fn http_headers<T: HostView>(mut caller: Caller<'_, T>) -> Result<i64> {
    let plugin = caller.data().host().plugin.clone();
    if !plugin.http_response_headers {
        return Ok(0);
    }
    let json = serde_json::to_vec(&plugin.http.lock().headers)?;
    if json.len() > LARGE {
        plugin.control.on_dirty().await;
    }
    memory::alloc(&mut caller, &json)
}

/// Headers as guests see them: names in lower case, and only values in visible ASCII. Every PDK reads an object of strings, so
/// the values of a repeated header become one string.
fn visible(headers: Vec<(Vec<u8>, Vec<u8>)>) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let visible = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
        if !value.iter().all(visible) {
            continue;
        }
        let name = String::from_utf8(name.to_ascii_lowercase());
        let (Ok(name), Ok(value)) = (name, String::from_utf8(value)) else {
            continue;
        };
        let separator = separator(&name);
        seen.entry(name)
            .and_modify(|all| {
                all.push_str(separator);
                all.push_str(&value);
            })
            .or_insert(value);
    }
    seen
}

/// The separator between the values of a repeated header. RFC 9110 joins values by commas, except for cookies, which contain
/// commas. No value contains a line feed.
fn separator(name: &str) -> &'static str {
    match name {
        "set-cookie" => "\n",
        _ => ", ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(headers: &[(&str, &[u8])]) -> Vec<(String, String)> {
        let owned = headers
            .iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec()));
        visible(owned.collect()).into_iter().collect()
    }

    #[test]
    fn header_names_are_in_lower_case_and_values_of_the_same_name_are_joined() {
        let headers: &[(&str, &[u8])] = &[
            ("X-A", b"1"),
            ("B", b"\t two words"),
            ("x-a", b"2"),
            ("X-a", b""),
        ];
        let expected = [
            ("b".into(), "\t two words".into()),
            ("x-a".into(), "1, 2, ".into()),
        ];
        assert_eq!(seen(headers), expected);
    }

    #[test]
    fn each_set_cookie_header_becomes_a_line() {
        let date: &[u8] = b"b=2; Expires=Wed, 09 Jun 2027 10:18:14 GMT";
        let headers: &[(&str, &[u8])] = &[("set-cookie", b"a=1"), ("Set-Cookie", date)];
        let lines = "a=1\nb=2; Expires=Wed, 09 Jun 2027 10:18:14 GMT";
        assert_eq!(seen(headers), [("set-cookie".into(), lines.into())]);
    }

    #[test]
    fn million_values_of_one_header_are_joined() {
        let headers = vec![(b"a".to_vec(), b"b".to_vec()); 1_000_000];
        let joined = visible(headers);
        assert_eq!(joined["a"].len(), 3_000_000 - 2);
    }

    #[test]
    fn header_value_that_is_not_visible_ascii_is_dropped() {
        let headers: &[(&str, &[u8])] = &[("a", b"\xff"), ("b", "ü".as_bytes()), ("c", b"1\r\n2")];
        assert_eq!(seen(headers), []);
        // The dropped value neither adds to an earlier one nor hides it.
        let headers: &[(&str, &[u8])] = &[("a", b"1"), ("a", b"\x01")];
        assert_eq!(seen(headers), [("a".into(), "1".into())]);
    }
}
