//! Tic-tac-toe: the functions that GameBox calls.  The rules are in `game`, the page in `view`.
//!
//! The state is kept as JSON in the plugin's variable `state`, so that it outlives a crash of the instance.

mod game;
mod view;

use extism_pdk::*;
use game::Game;
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};

#[plugin_fn]
pub fn describe() -> FnResult<Json<Value>> {
    Ok(Json(json!({
        "title": "Tic-tac-toe",
        "description": "Three in a row, for two. Who did not begin, begins the next game.",
    })))
}

#[plugin_fn]
pub fn get_constraints() -> FnResult<Json<Value>> {
    Ok(Json(json!({"min_players": 2, "max_players": 2})))
}

#[derive(Deserialize)]
pub struct Start {
    player_ids: Vec<String>,
    /// The players' names, in the same order.  For hosts that do not pass names, the ids are shown.
    #[serde(default)]
    player_names: Vec<String>,
}

/// The version of a new state.  The host renders views of an older version again.
#[derive(Serialize)]
pub struct Versioned {
    version: u64,
}

#[plugin_fn]
pub fn init_game(Json(start): Json<Start>) -> FnResult<Json<Versioned>> {
    keep(Game::new(&start.player_ids, &start.player_names)?)
}

#[derive(Deserialize)]
pub struct Event {
    /// `None` for spectators.
    player_id: Option<String>,
    event_name: String,
    #[serde(default)]
    value: Value,
}

/// An error's text is shown to the player who caused the event, and the state stays as it is.
#[plugin_fn]
pub fn handle_event(Json(event): Json<Event>) -> FnResult<Json<Versioned>> {
    let mut game = kept()?;
    let player = game.player(event.player_id.as_deref().unwrap_or(""));
    let Some(player) = player else {
        return Err(Error::msg("you are watching").into());
    };
    match event.event_name.as_str() {
        "cell-clicked" => game.play(player, cell(&event.value)?)?,
        "reset-game" => game.again()?,
        other => return Err(Error::msg(format!("there is no event {other}")).into()),
    }
    keep(game)
}

#[derive(Deserialize)]
pub struct Viewer {
    player_id: Option<String>,
}

#[plugin_fn]
pub fn render(Json(viewer): Json<Viewer>) -> FnResult<String> {
    let game = kept()?;
    let player = game.player(viewer.player_id.as_deref().unwrap_or(""));
    Ok(view::page(&game, player))
}

/// The number in `phx-value-cell`, which is a text.
fn cell(value: &Value) -> Result<usize, Error> {
    let cell = value
        .get("cell")
        .and_then(Value::as_str)
        .and_then(|cell| cell.parse().ok());
    cell.filter(|&cell| cell < 9)
        .ok_or(Error::msg("there is no such cell"))
}

fn kept() -> Result<Game, Error> {
    let Json(game) = var::get("state")?.ok_or(Error::msg("the game has not begun"))?;
    Ok(game)
}

fn keep(game: Game) -> FnResult<Json<Versioned>> {
    let version = game.version;
    var::set("state", Json(game))?;
    Ok(Json(Versioned { version }))
}
