//! A filter for `Vitrine.Plug`: knows tenants by their API keys, and keeps scrapers out.
//!
//! Its configuration has the tenant for each key, as `key:…`.

use extism_pdk::*;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub struct Request {
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

#[derive(Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Answer {
    Continue { assign: Assigns },
    Respond { status: u16, body: String },
}

#[derive(Default, Serialize)]
pub struct Assigns {
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
}

impl Request {
    /// The first value of a header, by its name in lower case.
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[plugin_fn]
pub fn on_request(Json(request): Json<Request>) -> FnResult<Json<Answer>> {
    if request.header("user-agent").is_some_and(|agent| agent.contains("Scraper")) {
        return Ok(Json(respond(403, "no scrapers")));
    }
    if request.path == "/health" {
        return Ok(Json(Answer::Continue { assign: Assigns::default() }));
    }
    let tenant = match request.header("x-api-key") {
        Some(key) => config::get(format!("key:{key}"))?,
        None => return Ok(Json(respond(401, "an API key, please"))),
    };
    Ok(Json(match tenant {
        Some(tenant) => Answer::Continue { assign: Assigns { tenant: Some(tenant) } },
        None => respond(401, "no such API key"),
    }))
}

fn respond(status: u16, body: &str) -> Answer {
    Answer::Respond { status, body: body.to_string() }
}
