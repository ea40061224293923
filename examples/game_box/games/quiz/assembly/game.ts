// The rules, and the state.
import { JSON } from "assemblyscript-json/assembly";
import { QUESTIONS, Question } from "./questions";

export const MAX_PLAYERS = 20;

export const RIGHT = 100;
// The points for the first player who is right.
export const FIRST = 50;

export class Player {
  score: i64 = 0;
  // The index of an answer to the question, or -1, and how many players had answered before.
  answer: i64 = -1;
  order: i64 = 0;

  constructor(public id: string, public name: string) {}
}

export class Game {
  // Differs for each state.
  version: i64 = 0;
  // The index of a question. When the game is over, it is the number of questions.
  question: i64 = 0;
  // Whether all players see who was right.
  revealed: bool = false;
  players: Player[] = [];

  get over(): bool {
    return this.question == QUESTIONS.length;
  }

  get asked(): Question {
    return QUESTIONS[<i32>this.question];
  }

  get answered(): i32 {
    let count = 0;
    for (let i = 0; i < this.players.length; i++) if (this.players[i].answer >= 0) count++;
    return count;
  }

  player(id: string): Player | null {
    for (let i = 0; i < this.players.length; i++) if (this.players[i].id == id) return this.players[i];
    return null;
  }

  // The best player is first. Among equals, the player who joined earlier is first.
  ranking(): Player[] {
    return this.players.slice().sort((a, b) => <i32>(b.score - a.score));
  }

  // The methods below change the state, or return why they may not.

  answer(player: Player, answer: i64): string | null {
    if (this.revealed) return "the answer is known already";
    if (player.answer >= 0) return "you have answered";
    if (answer < 0 || answer >= this.asked.answers.length) return "there is no such answer";
    player.order = this.answered;
    player.answer = answer;
    if (this.answered == this.players.length) this.score();
    return this.changed();
  }

  // For the case that a player does not come back.
  reveal(player: Player): string | null {
    if (this.revealed) return "the answer is known already";
    if (player.answer < 0) return "answer first";
    this.score();
    return this.changed();
  }

  next(): string | null {
    if (!this.revealed) return "not everybody has answered";
    this.question++;
    this.revealed = false;
    for (let i = 0; i < this.players.length; i++) this.players[i].answer = -1;
    return this.changed();
  }

  again(): string | null {
    if (!this.over) return "the game is not over yet";
    this.question = 0;
    for (let i = 0; i < this.players.length; i++) this.players[i].score = 0;
    return this.changed();
  }

  private changed(): string | null {
    this.version++;
    return null;
  }

  private score(): void {
    this.revealed = true;
    const right = this.asked.answers.indexOf(this.asked.right);
    let first: Player | null = null;
    for (let i = 0; i < this.players.length; i++) {
      const player = this.players[i];
      if (player.answer != right) continue;
      player.score += RIGHT;
      if (first === null || player.order < first.order) first = player;
    }
    if (first !== null) first.score += FIRST;
  }

  static load(text: string): Game {
    const json = <JSON.Obj>JSON.parse(text);
    const game = new Game();
    game.version = integer(json, "version");
    game.question = integer(json, "question");
    game.revealed = integer(json, "revealed") == 1;
    const players = json.getArr("players")!.valueOf();
    for (let i = 0; i < players.length; i++) {
      const kept = <JSON.Obj>players[i];
      const player = new Player(kept.getString("id")!.valueOf(), kept.getString("name")!.valueOf());
      player.score = integer(kept, "score");
      player.answer = integer(kept, "answer");
      player.order = integer(kept, "order");
      game.players.push(player);
    }
    return game;
  }

  save(): string {
    const json = new JSON.Obj();
    json.set("version", this.version);
    json.set("question", this.question);
    json.set("revealed", <i64>this.revealed);
    const players = new JSON.Arr();
    for (let i = 0; i < this.players.length; i++) {
      const player = this.players[i];
      const kept = new JSON.Obj();
      kept.set("id", player.id);
      kept.set("name", player.name);
      kept.set("score", player.score);
      kept.set("answer", player.answer);
      kept.set("order", player.order);
      players.push(kept);
    }
    json.set("players", players);
    return json.stringify();
  }
}

function integer(json: JSON.Obj, name: string): i64 {
  return json.getInteger(name)!.valueOf();
}
