// A quiz: the functions that GameBox calls. The rules are in game.ts, the page in page.ts.
//
// The state is kept as JSON in the plugin's variable `state`, so that it outlives a crash of the instance.
import { Host, Memory, Var } from "@extism/as-pdk";
import { error_set } from "@extism/as-pdk/lib/env";
import { JSON } from "assemblyscript-json/assembly";
import { Game, MAX_PLAYERS, Player } from "./game";
import { page } from "./page";

export function describe(): i32 {
  return output(`{"title":"Quiz","description":"Eight questions for everybody. Who is right first has more of it."}`);
}

export function get_constraints(): i32 {
  return output(`{"min_players":1,"max_players":${MAX_PLAYERS}}`);
}

export function init_game(): i32 {
  const start = <JSON.Obj>JSON.parse(input());
  const ids = start.getArr("player_ids");
  // The players' names, in the same order. For hosts that do not pass names, the ids are shown.
  const names = start.getArr("player_names");
  if (ids === null) return fail("player_ids are missing");

  const game = new Game();
  const players = ids.valueOf();
  for (let i = 0; i < players.length; i++) {
    const named = names !== null && i < names.valueOf().length ? names.valueOf()[i] : players[i];
    game.players.push(new Player((<JSON.Str>players[i]).valueOf(), (<JSON.Str>named).valueOf()));
  }
  if (players.length < 1 || players.length > MAX_PLAYERS) return fail("the quiz is for one to twenty players");
  return keep(game);
}

// An error's text is shown to the player who caused the event, and the state stays as it is.
export function handle_event(): i32 {
  const game = kept();
  if (game === null) return fail("the game has not begun");
  const event = <JSON.Obj>JSON.parse(input());
  const player = viewer(game, event);
  if (player === null) return fail("you are watching");

  const name = event.getString("event_name");
  const problem = name === null ? "event_name is missing" : change(game, player, name.valueOf(), event.getObj("value"));
  return problem === null ? keep(game) : fail(problem);
}

export function render(): i32 {
  const game = kept();
  if (game === null) return fail("the game has not begun");
  return output(page(game, viewer(game, <JSON.Obj>JSON.parse(input()))));
}

function change(game: Game, player: Player, event: string, value: JSON.Obj | null): string | null {
  if (event == "play-again") return game.again();
  if (game.over) return "the game is over";
  // A click on a question that was replaced meanwhile does not count for the next question.
  if (number(value, "question") != game.question) return "that was another question";
  if (event == "answer-prompt") return game.answer(player, number(value, "idx"));
  if (event == "reveal") return game.reveal(player);
  if (event == "next-question") return game.next();
  return "there is no such event";
}

// The number in `phx-value-…`, which is a text, or -1 if it is not a number.
function number(value: JSON.Obj | null, name: string): i64 {
  if (value === null) return -1;
  const member = value.getString(name);
  if (member === null) return -1;
  const text = member.valueOf();
  if (text.length == 0 || text.length > 9) return -1;
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) < 0x30 || text.charCodeAt(i) > 0x39) return -1;
  }
  return I64.parseInt(text);
}

// The player, or null for spectators.
function viewer(game: Game, json: JSON.Obj): Player | null {
  const id = json.getString("player_id");
  return id === null ? null : game.player(id.valueOf());
}

function kept(): Game | null {
  const state = Var.get("state");
  return state === null ? null : Game.load(String.UTF8.decode(state.buffer.slice(state.byteOffset, state.byteOffset + state.byteLength)));
}

// Keeps the new state, and returns its version to the host, which renders views of an older version again.
function keep(game: Game): i32 {
  Var.set("state", Uint8Array.wrap(String.UTF8.encode(game.save())));
  return output(`{"version":${game.version}}`);
}

function input(): string {
  const bytes = Host.input();
  return String.UTF8.decode(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

// The text is encoded here, because Host.outputString of as-pdk 1.0.0 counts UTF-16 units instead of bytes.
function output(text: string): i32 {
  Host.output(Uint8Array.wrap(String.UTF8.encode(text)));
  return 0;
}

function fail(message: string): i32 {
  error_set(Memory.allocateString(message).offset);
  return -1;
}

// `asc --use abort=` calls this function instead of importing env.abort.
function abortPlugin(message: string | null, file: string | null, line: u32, column: u32): void {
  error_set(Memory.allocateString(message !== null ? message : "abort").offset);
  unreachable();
}
