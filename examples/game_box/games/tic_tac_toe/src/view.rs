//! The page.
//!
//! From move to move only texts and values of attributes change, but never the elements.  A move therefore costs a browser
//! some bytes, and not the page.  Styles are inline, because every host keeps them.

use crate::game::Game;

const BOARD: &str = "display:grid;grid-template-columns:1fr 1fr 1fr;gap:8px;width:100%;max-width:360px;margin:0 auto;\
    padding:8px;box-sizing:border-box;background:#1e293b;border-radius:12px";
const CELL: &str = "aspect-ratio:1;width:100%;padding:0;border:0;border-radius:8px;cursor:pointer;\
    font:bold 56px/1 system-ui,sans-serif;background:";
const BUTTON: &str = "padding:10px 20px;border:0;border-radius:8px;cursor:pointer;font:inherit;background:#1e293b;color:#fff";

const MARKS: [&str; 2] = ["✕", "◯"];
const COLOURS: [&str; 2] = ["#b91c1c", "#1d4ed8"];
const ROWS: [&str; 3] = ["top", "middle", "bottom"];
const COLUMNS: [&str; 3] = ["left", "centre", "right"];

/// Renders the page for a player, or for a spectator.
pub fn page(game: &Game, viewer: Option<usize>) -> String {
    let mut html = String::with_capacity(4096);
    html += "<section style=\"text-align:center;font-family:system-ui,sans-serif\">";
    html += &format!(
        "<p role=\"status\" aria-live=\"polite\" style=\"font-size:20px;min-height:1.5em\">{}</p>",
        escape(&status(game, viewer))
    );
    html += &format!("<div role=\"group\" aria-label=\"Board\" style=\"{BOARD}\">");
    for cell in 0..9 {
        html += &self::cell(game, viewer, cell);
    }
    html += "</div><p>";
    for (player, mark) in game.players.iter().zip(MARKS) {
        html += &format!(
            "<span style=\"margin:0 12px\">{mark} {}: {}</span>",
            escape(&player.name),
            player.wins
        );
    }
    html += "</p>";
    if viewer.is_some() {
        // Hidden and not left out, so that nothing jumps when it appears.
        let visibility = if game.is_over() { "visible" } else { "hidden" };
        html += &format!(
            "<p><button type=\"button\" phx-click=\"reset-game\" style=\"{BUTTON};visibility:{visibility}\">Play again</button></p>"
        );
    }
    html + "</section>"
}

fn cell(game: &Game, viewer: Option<usize>, cell: usize) -> String {
    // A no-break space, so that there is always a text and only the text changes.
    let (mark, name, colour) = match game.board[cell] {
        Some(player) => (
            MARKS[player],
            game.players[player].name.as_str(),
            COLOURS[player],
        ),
        None => ("\u{a0}", "empty", "#000"),
    };
    let won = game.line().is_some_and(|line| line.contains(&cell));
    let background = if won { "#fde68a" } else { "#f8fafc" };
    let action = match viewer {
        Some(_) => format!("phx-click=\"cell-clicked\" phx-value-cell=\"{cell}\""),
        None => "disabled".to_string(),
    };
    format!(
        "<button type=\"button\" {action} aria-label=\"{} {}: {}\" style=\"{CELL}{background};color:{colour}\">{mark}</button>",
        ROWS[cell / 3],
        COLUMNS[cell % 3],
        escape(name)
    )
}

fn status(game: &Game, viewer: Option<usize>) -> String {
    match (game.winner(), viewer) {
        (Some(winner), Some(viewer)) if winner == viewer => "You have won!".to_string(),
        (Some(winner), _) => format!("{} has won.", game.players[winner].name),
        (None, _) if game.is_over() => "A draw.".to_string(),
        (None, Some(viewer)) if viewer == game.turn => {
            format!("It is your turn: {}", MARKS[viewer])
        }
        (None, _) => format!(
            "It is {}'s turn: {}",
            game.players[game.turn].name, MARKS[game.turn]
        ),
    }
}

/// People can type any text as a name.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    escaped
}
