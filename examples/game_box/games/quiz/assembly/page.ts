// The page. Styles are inline, because every host keeps them. Elements that come and go keep their place, so that nothing jumps.
import { Game, Player } from "./game";
import { QUESTIONS } from "./questions";

const BUTTON = "padding:12px 16px;border:0;border-radius:8px;cursor:pointer;font:inherit;";
const DARK = "background:#1e293b;color:#fff;";

// Renders the page for a player, or for a spectator.
export function page(game: Game, viewer: Player | null): string {
  const middle = game.over ? end(game, viewer) : question(game, viewer);
  return (
    `<section style="max-width:480px;margin:0 auto;font-family:system-ui,sans-serif">` + middle + scoreboard(game, viewer) + `</section>`
  );
}

function question(game: Game, viewer: Player | null): string {
  const answers = game.asked.answers;
  let html =
    `<p>Question ${game.question + 1} of ${QUESTIONS.length}</p>` +
    `<h2 style="min-height:2.5em;margin:0 0 8px">${escape(game.asked.text)}</h2>` +
    `<div role="group" aria-label="Answers" style="display:grid;gap:8px">`;
  for (let i = 0; i < answers.length; i++) html += answer(game, viewer, answers, i);
  html += `</div><p role="status" aria-live="polite" style="min-height:1.5em">${status(game, viewer)}</p>`;
  if (viewer !== null) html += next(game, viewer);
  return html;
}

function answer(game: Game, viewer: Player | null, answers: string[], index: i32): string {
  const right = answers[index] == game.asked.right;
  const mine = viewer !== null && viewer.answer == index;
  const background = game.revealed && right ? "#bbf7d0" : mine ? "#fde68a" : "#e2e8f0";
  // A no-break space, so that there is always a text and only the text changes.
  const mark = game.revealed && right ? "✓" : game.revealed && mine ? "✗" : mine ? "your answer" : "\u00a0";
  const action = viewer !== null
    ? `phx-click="answer-prompt" phx-value-idx="${index}" phx-value-question="${game.question}"`
    : "disabled";
  return (
    `<button type="button" ${action} style="${BUTTON}display:flex;justify-content:space-between;color:#0f172a;` +
    `background:${background}"><span>${escape(answers[index])}</span><span>${mark}</span></button>`
  );
}

function status(game: Game, viewer: Player | null): string {
  if (!game.revealed) return `${game.answered} of ${game.players.length} have answered.`;
  if (viewer === null || viewer.answer < 0) return `It is ${escape(game.asked.right)}.`;
  const right = game.asked.answers[<i32>viewer.answer] == game.asked.right;
  return right ? "That is right!" : `No, it is ${escape(game.asked.right)}.`;
}

// One button, for the next possible action.
function next(game: Game, viewer: Player): string {
  const event = game.revealed ? "next-question" : "reveal";
  const text = game.revealed ? "Next question" : "Do not wait for the others";
  const visibility = game.revealed || viewer.answer >= 0 ? "visible" : "hidden";
  return (
    `<p><button type="button" phx-click="${event}" phx-value-question="${game.question}" ` +
    `style="${BUTTON}${DARK}visibility:${visibility}">${text}</button></p>`
  );
}

function end(game: Game, viewer: Player | null): string {
  const best = game.ranking()[0];
  let names = "";
  let winners = 0;
  for (let i = 0; i < game.players.length; i++) {
    if (game.players[i].score != best.score) continue;
    names += (winners > 0 ? ", " : "") + escape(game.players[i].name);
    winners++;
  }
  let html = `<h2>The quiz is over</h2><p role="status">${winners == 1 ? "The winner is" : "The winners are"} ${names}.</p>`;
  if (viewer !== null)
    html += `<p><button type="button" phx-click="play-again" style="${BUTTON}${DARK}">Play again</button></p>`;
  return html;
}

function scoreboard(game: Game, viewer: Player | null): string {
  let html =
    `<table style="width:100%;border-collapse:collapse"><caption style="text-align:left;font-weight:bold">Scoreboard</caption>` +
    `<thead><tr><th scope="col" style="text-align:left">Player</th><th scope="col" style="text-align:right">Points</th></tr></thead><tbody>`;
  const ranking = game.ranking();
  for (let i = 0; i < ranking.length; i++) {
    const player = ranking[i];
    const weight = viewer !== null && viewer.id == player.id ? "bold" : "normal";
    html +=
      `<tr style="font-weight:${weight}"><td style="padding:4px 0">${escape(player.name)}</td>` +
      `<td style="text-align:right">${player.score}</td></tr>`;
  }
  return html + `</tbody></table>`;
}

// People can type any text as a name.
function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
