// Two people play, one of them with the keyboard, and a third person watches. In between, the game's plugin traps, loops and
// renders hostile pages. The test needs Chromium; CHROMIUM is its path. Pictures go to screenshots/.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { start } from "./server.mjs";

const PORT = Number(process.env.PORT ?? 4102);
const pictures = new URL("screenshots/", import.meta.url).pathname;
const data = mkdtempSync(join(tmpdir(), "game_box_browser_"));
mkdirSync(pictures, { recursive: true });

const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const DESK = { viewport: { width: 1280, height: 800 } };

let server, browser;
before(async () => {
  server = await start(PORT, { GAME_BOX_DATA_DIR: data });
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
});
after(async () => {
  // The last page of each browser, which shows why a test has failed.
  const pages = browser?.contexts().flatMap((context) => context.pages()) ?? [];
  for (const [index, page] of pages.entries()) await shot(page, `last-${index}`).catch(() => {});
  await browser?.close();
  await server?.stop();
});

// A person with a browser. It records what went wrong in it, and what moved without being touched.
async function person({ quick, ...options }) {
  const context = await browser.newContext(options);
  // On localhost only, LiveView writes each change to the console, which takes a millisecond.
  if (quick) await context.addInitScript(() => sessionStorage.setItem("phx:live-socket:debug", "false"));
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.problems = [];
  page.frames_ = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("dialog", (dialog) => (page.problems.push(`dialog ${dialog.message()}`), dialog.dismiss()));
  page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => page.frames_.push(String(payload)));
  });
  await page.addInitScript(() => {
    // When the last message came, before its content is known.
    window.WebSocket = class extends WebSocket {
      constructor(...address) {
        super(...address);
        this.addEventListener("message", () => (window.told = performance.now()));
      }
    };
    window.shifts = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
  });
  return page;
}

const shot = (page, name) => page.screenshot({ path: join(pictures, `${name}.png`) });
const connected = (page) => page.waitForSelector(".phx-connected");
const open = async (page, path) => (await page.goto(server.url + path), connected(page));
const cells = (page) => page.locator(".board button");
const board = (page) => page.locator(".board");
const flash = (page, text) => page.locator(".flash", { hasText: text });

// Opens an arena, and returns its code.
async function host(ann) {
  await open(ann, "/");
  await ann.fill("#start-name", "Ann");
  await ann.press("#start-name", "Enter");
  await ann.waitForURL(/arena\/[A-Z]{4}$/);
  return ann.url().slice(-4);
}

// An arena with a host at a desk, a guest with a phone, and a spectator.
async function arena() {
  const [ann, bob, eve] = [await person(DESK), await person(PHONE), await person(DESK)];
  const code = await host(ann);
  await open(bob, `/?arena=${code}`);
  await bob.fill("#join-name", "Bob");
  await bob.click("text=Join >> nth=-1");
  await bob.waitForURL(/arena\/[A-Z]{4}$/);
  await open(eve, "/");
  await eve.fill("#code", code.toLowerCase());
  await eve.click("text=Only watch");
  await eve.waitForURL(/watch$/);
  await ann.locator(".people li", { hasText: "BOB" }).waitFor();
  await ann.getByText("1 spectator").waitFor();
  return { ann, bob, eve, code, all: [ann, bob, eve] };
}

async function begin({ ann, all }, title) {
  await ann.click(`button[aria-label="Select ${title}"]`);
  await ann.click("text=Start the game");
  for (const page of all) await board(page).locator("button, p").first().waitFor();
}

// Waits until the cell has this text, or is pressed, in all three browsers.
async function played({ all }, cell, mark) {
  for (const page of all)
    await page.waitForFunction(
      ([index, mark]) => {
        const button = document.querySelectorAll(".board button")[index];
        return mark === "pressed" ? button?.ariaPressed === "true" : button?.innerText.includes(mark);
      },
      [cell, mark],
    );
}

// Waits until no message has come for a while.
async function quiet(page, then) {
  for (let count = -1; count !== page.frames_.length; ) {
    count = page.frames_.length;
    await page.waitForTimeout(1000);
  }
  then?.([...page.frames_]);
  page.frames_.length = 0;
}

// Opens sockets in a page that watch the same arena, as LiveView's own client would open them.
async function watchers(count) {
  window.watchers = [];
  const join = async () => {
    const text = await (await fetch(location.pathname)).text();
    const page = new DOMParser().parseFromString(text, "text/html");
    const main = page.querySelector("[data-phx-main]");
    const token = page.querySelector("meta[name='csrf-token']").content;
    const watcher = { diffs: 0 };
    watcher.socket = new WebSocket(`ws://${location.host}/live/websocket?_csrf_token=${encodeURIComponent(token)}&vsn=2.0.0`);
    await new Promise((resolve, reject) => {
      watcher.socket.onerror = reject;
      watcher.socket.onopen = () =>
        watcher.socket.send(JSON.stringify(["1", "1", `lv:${main.id}`, "phx_join", {
          url: location.href, params: { _csrf_token: token, _mounts: 0 },
          session: main.dataset.phxSession, static: main.dataset.phxStatic,
        }]));
      watcher.socket.onmessage = ({ data }) => {
        const [, , , event, payload] = JSON.parse(data);
        if (event === "diff") watcher.diffs++;
        if (event === "phx_reply" && payload.status === "ok") resolve();
      };
    });
    window.watchers.push(watcher);
  };
  for (let begun = 0; begun < count; begun += 10)
    await Promise.all(Array.from({ length: Math.min(10, count - begun) }, join));
  return window.watchers.length;
}

describe("GameBox", () => {
  test("two play a game of tic-tac-toe, a third one watches, whatever the plugin does", async () => {
    const home = await person(PHONE);
    await open(home, "/");
    await shot(home, "home-phone");
    const table = await arena();
    const { ann, bob, eve, code, all } = table;
    await shot(ann, "lobby-desk");
    await shot(bob, "lobby-phone");
    assert.equal(await bob.locator("text=Select").count(), 0);
    await begin(table, "Tic-tac-toe");
    // Ann plays with the keyboard only.
    await cells(ann).nth(0).focus();
    await ann.keyboard.press("Enter");
    await played(table, 0, "✕");
    assert.ok(await cells(ann).nth(0).evaluate((cell) => cell === document.activeElement), "the focus stays");

    // A move out of turn is reported only to the person who made it.
    await cells(ann).nth(8).click();
    await flash(ann, "not your turn").waitFor();
    await shot(ann, "flash-desk");
    assert.equal(await bob.locator(".flash").count(), 0);
    await cells(bob).nth(3).tap();
    await played(table, 3, "◯");
    await shot(bob, "board-phone");

    // The plugin becomes hostile, traps and loops.
    await server.ask(`evil ${code}`);
    for (const page of all) await board(page).getByText("quite harmless").waitFor();
    await shot(bob, "hostile-phone");
    await shot(eve, "hostile-desk");
    for (const page of all) await hostile(page, code);
    await board(bob).getByText("Trap", { exact: true }).tap();
    await flash(bob, "did not work").waitFor();
    await board(bob).getByText("Loop", { exact: true }).tap();
    await bob.locator(".board[aria-busy=true]").waitFor();
    await shot(bob, "busy-phone");
    await flash(bob, "too long").waitFor();
    await server.ask(`good ${code}`);
    await played(table, 0, "✕");
    await played(table, 3, "◯");

    // The game goes on even after its server is killed, and after the whole node is stopped and started.
    await cells(ann).nth(1).click();
    await played(table, 1, "✕");
    await server.ask(`kill ${code}`);
    await cells(bob).nth(4).tap();
    await played(table, 4, "◯");
    await server.stop();
    await ann.locator(".offline").waitFor();
    await shot(ann, "offline-desk");
    server = await start(PORT, { GAME_BOX_DATA_DIR: data, GAME_BOX_SAVED: code });
    for (const page of all) await page.locator(".offline").waitFor({ state: "hidden", timeout: 30_000 });
    await played(table, 4, "◯");
    await cells(ann).nth(2).click();
    await played(table, 2, "✕");
    for (const page of all) await board(page).getByText(/won|wins|winner/i).first().waitFor();
    await shot(ann, "won-desk");
    await shot(bob, "won-phone");
    await shot(eve, "won-spectator");

    await ann.click("text=End the round");
    for (const page of all) await board(page).waitFor({ state: "detached" });
    for (const page of all) assert.deepEqual(page.problems, []);
    for (const page of all) assert.equal(await page.evaluate(() => window.pwned), undefined);
  });

  // Nothing of it ran, is outside of its element, or affected the host.
  async function hostile(page, code) {
    const url = page.url();
    for (const bait of await page.locator(".board button:not(:text-is('Trap')):not(:text-is('Loop')), .board a, .board summary").all())
      await bait.evaluate((element) => element.click());
    await page.waitForTimeout(300);
    const seen = await page.evaluate(() => {
      const board = document.querySelector(".board");
      const outside = (selector) =>
        [...document.querySelectorAll(selector)].filter((element) => !board.contains(element)).length;
      const attributes = [...board.querySelectorAll("*")].flatMap((element) =>
        [...element.attributes].map(({ name, value }) => [element.localName, name, value]),
      );
      const events = attributes.filter(([, name]) => /^phx-(?!value-|key$|debounce$|throttle$|page-loading$)/.test(name));
      return {
        pwned: window.pwned,
        escaped: [...document.querySelectorAll("*")].filter(
          (element) => !board.contains(element) && /outside|over everything|quite harmless/.test(element.className + ([...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join(" "))),
        ).length,
        elements: [...new Set([...board.querySelectorAll("script,iframe,object,embed,base,meta,link,template,foreignObject")].map((e) => e.localName))],
        handlers: attributes.filter(([, name]) => /^on/.test(name)),
        urls: attributes.filter(([, name, value]) => ["href", "src", "action", "formaction", "data"].includes(name) && /^\s*(javascript|data):/i.test(value)),
        events: events.filter(([, , value]) => !/^vitrine:board:/.test(value)),
        phoenix: attributes.filter(([, name]) => /^data-phx(?!-id$|-skip$)|^phx-(hook|target|mounted|remove|connected|window|viewport)/.test(name)),
        ids: attributes.filter(([, name, value]) => name === "id" && ["main", "copy", "location", "phx-evil"].includes(value)),
        visible: getComputedStyle(document.body).display !== "none",
        top: getComputedStyle(document.querySelector(".top")).backgroundColor,
        // The corner of the page does not belong to the plugin.
        over: board.contains(document.elementFromPoint(5, 5)),
        location: location.href,
        mains: outside("main"),
      };
    });
    assert.equal(seen.pwned, undefined, "a script of the plugin ran");
    assert.equal(seen.escaped, 0, "something of the plugin is outside of its element");
    for (const kind of ["elements", "handlers", "urls", "events", "phoenix", "ids"]) assert.deepEqual(seen[kind], [], kind);
    assert.ok(seen.visible && !seen.over, "the plugin's styles reach the page");
    assert.doesNotMatch(seen.top, /255, 0, 0/);
    assert.equal(seen.location, url);
    assert.equal(seen.mains, 1);
    // The round is not over, so no event of the host was sent.
    assert.equal(await board(page).count(), 1);
  }

  test("nothing moves that nobody touched", async () => {
    const table = await arena();
    await begin(table, "Tic-tac-toe");
    // Another screen does not count as a jump. From here on, nothing on it may move.
    await table.eve.waitForTimeout(500);
    for (const page of table.all) await page.evaluate(() => (window.shifts = 0));
    await cells(table.ann).nth(0).click();
    await played(table, 0, "✕");
    await cells(table.ann).nth(8).click();
    await flash(table.ann, "not your turn").waitFor();
    await cells(table.bob).nth(1).tap();
    await played(table, 1, "◯");
    for (const page of table.all) {
      const shifts = await page.evaluate(() => window.shifts);
      assert.ok(shifts < 0.02, `cumulative layout shift is ${shifts}`);
      const wider = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.equal(wider, false, "the page is wider than the screen");
    }
  });

  test("an uploaded game is tried as each player, and says there what is wrong", async () => {
    const game = new URL("../../games/tic_tac_toe/tic_tac_toe.wasm", import.meta.url).pathname;
    const preview = (page) => page.locator("#preview .vitrine button");
    for (const [options, name] of [[PHONE, "phone"], [DESK, "desk"]]) {
      const page = await person(options);
      await open(page, "/games/new");
      await page.setInputFiles("input[type=file]", game);
      await preview(page).first().waitFor();
      await preview(page).nth(0).click();
      await page.waitForFunction(() => document.querySelector("#preview .vitrine button").innerText.includes("✕"));
      await preview(page).nth(1).click();
      await page.locator("#preview .vitrine-message", { hasText: "not your turn" }).waitFor();
      await shot(page, `upload-${name}`);
      await page.locator("#preview .vitrine-message").click();
      await page.locator("#preview .vitrine-message").waitFor({ state: "detached" });
      await page.click("text=PLAYER 2");
      await page.locator("button[aria-pressed=true]", { hasText: "PLAYER 2" }).waitFor();
      // The second player's own page. It is ready when their buttons can be pressed.
      await page.waitForFunction(() => !document.querySelectorAll("#preview .vitrine button")[1].disabled);
      await preview(page).nth(1).click();
      await page.waitForFunction(() => document.querySelectorAll("#preview .vitrine button")[1].innerText.includes("◯"));
      assert.deepEqual(page.problems, []);
      await page.context().close();
    }
  });

  // Measures a click of a person who clicks now and then: the milliseconds until the clicked element has another text or is
  // pressed, and until the browser got the message.  They are measured in the page, from before the event until after the
  // change, which is painted with the next frame.
  const timed = (page, index) =>
    page.evaluate(async (index) => {
      const board = document.querySelector(".board"), cell = board.querySelectorAll("button")[index];
      await new Promise((resolve) => setTimeout(resolve, 50));
      const shown = () => cell.textContent + cell.getAttribute("aria-pressed");
      const before = shown();
      const began = performance.now();
      await new Promise((resolve) => {
        const observer = new MutationObserver(() => shown() !== before && (observer.disconnect(), resolve()));
        observer.observe(board, { subtree: true, childList: true, characterData: true, attributeFilter: ["aria-pressed"] });
        cell.click();
      });
      return { all: performance.now() - began, told: window.told - began };
    }, index);

  function report(context, what, times) {
    const sorted = (key) => times.map((time) => time[key]).sort((a, b) => a - b);
    const [all, told] = [sorted("all"), sorted("told")];
    const at = (values, part) => values[Math.floor(values.length * part)].toFixed(1);
    context.diagnostic(
      `click to DOM on ${what}: median ${at(all, 0.5)} ms, 95 of 100 within ${at(all, 0.95)} ms; told after ${at(told, 0.5)} ms (${times.length} clicks)`,
    );
  }

  // Only one browser is used, because on a small machine several browsers would dominate the result.
  const quick = { ...DESK, quick: true };

  test("a click on Life is in the page soon", async (context) => {
    const ann = await person(quick);
    await host(ann);
    await begin({ ann, all: [ann] }, "Life");
    await ann.waitForTimeout(1000);
    const times = [];
    for (let index = 0; index < 100; index++) times.push(await timed(ann, 100 + index));
    report(context, "400 cells of Life", times);
    await shot(ann, "life-alone");
    await ann.context().close();
  });

  test("a move of tic-tac-toe is in the page soon", async (context) => {
    const [ann, bob] = [await person(quick), await person(DESK)];
    const code = await host(ann);
    await open(bob, `/?arena=${code}`);
    await bob.fill("#join-name", "Bob");
    await bob.click("text=Join >> nth=-1");
    await bob.waitForURL(/arena\/[A-Z]{4}$/);
    await begin({ ann, all: [ann, bob] }, "Tic-tac-toe");
    await bob.context().close();
    await ann.locator(".status", { hasText: "Away: BOB" }).waitFor();
    const moves = { ann: [0, 1, 2], bob: [3, 4, 8] };
    const times = [];
    for (let round = 0; round < 20; round++) {
      // They take turns in beginning. Ann is always the first to have three.
      for (let move = 0; move < 3; move++) {
        const replies = async () => {
          await server.ask(`move ${code} BOB cell-clicked ${moves.bob[move]}`);
          await played({ all: [ann] }, moves.bob[move], "◯");
        };
        if (round % 2 === 1) await replies();
        times.push(await timed(ann, moves.ann[move]));
        await played({ all: [ann] }, moves.ann[move], "✕");
        if (round % 2 === 0 && move < 2) await replies();
      }
      await ann.click("text=Play again");
      await ann.waitForFunction(() => !/[✕◯]/.test(document.querySelectorAll(".board button")[0].innerText));
    }
    assert.equal(await ann.locator(".flash").count(), 0, "all moves were accepted");
    report(context, "tic-tac-toe, accepted moves", times);
    await ann.context().close();
  });

  for (const [title, cell, mark, times] of [["Tic-tac-toe", 0, "✕", 5], ["Life", 5, "pressed", 20]]) {
    test(`a click on ${title} sends at least ${times} times less than the page`, async (context) => {
      const table = await arena();
      const { ann, eve } = table;
      await begin(table, title);
      await shot(table.bob, `${title.toLowerCase()}-phone`);
      await shot(ann, `${title.toLowerCase()}-desk`);
      await quiet(eve);
      await cells(ann).nth(cell).click();
      await played(table, cell, mark);
      let frames;
      await quiet(eve, (received) => (frames = received));
      const bytes = frames.reduce((sum, frame) => sum + Buffer.byteLength(frame), 0);
      const whole = await eve.evaluate(() => new TextEncoder().encode(document.querySelector(".board").innerHTML.replaceAll(/ data-phx-id="[^"]*"/g, "")).length);
      context.diagnostic(`${title}: ${bytes} bytes for a spectator, of ${whole} bytes of HTML`);
      assert.ok(bytes > 0 && bytes * times < whole, `${bytes} bytes were sent of ${whole}`);
    });
  }

  test("200 viewers cause one render for each version and class", async (context) => {
    const table = await arena();
    const { ann, eve } = table;
    const count = await eve.evaluate(watchers, 197);
    await ann.getByText("198 spectators").waitFor({ timeout: 60_000 });
    await begin(table, "Tic-tac-toe");
    await eve.waitForTimeout(1000);
    assert.equal(count, 197);
    const received = () => eve.evaluate(() => window.watchers.map((watcher) => watcher.diffs));
    for (const [page, cell, mark] of [[ann, 0, "✕"], [table.bob, 4, "◯"], [ann, 1, "✕"]]) {
      await server.ask("renders");
      const before = await received();
      await cells(page).nth(cell).click();
      await played(table, cell, mark);
      await eve.waitForTimeout(1500);
      const now = await received();
      assert.ok(now.every((diffs, index) => diffs > before[index]), "each viewer was sent the move");
      const renders = Number(await server.ask("renders"));
      context.diagnostic(`a move before 200 viewers: ${renders} renders`);
      // Ann's render, Bob's, and one for all spectators.
      assert.equal(renders, 3);
    }
  });

  test("a page without JavaScript says what there is", async () => {
    const page = await person({ ...DESK, javaScriptEnabled: false });
    await page.goto(server.url + "/");
    assert.match(await page.innerText("h1"), /Play together/);
  });
});
