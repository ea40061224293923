// GameBox in a separate process, and the commands of server.exs.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export async function start(port, environment = {}) {
  const child = spawn("mix", ["run", "test/browser/server.exs"], {
    cwd: new URL("../..", import.meta.url).pathname,
    env: { ...process.env, MIX_ENV: "test", GAME_BOX_SERVER: "1", PORT: String(port), ...environment },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const waiting = [];
  const exited = new Promise((resolve) => child.on("exit", resolve));
  let ready;
  const started = new Promise((resolve, reject) => {
    ready = resolve;
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("ready")) ready();
    else if (line.startsWith("done ")) waiting.shift()?.(line.slice(5));
    else if (process.env.VERBOSE) console.error(line);
  });
  await started;
  return {
    url: `http://localhost:${port}`,
    ask: (line) => new Promise((resolve) => (waiting.push(resolve), child.stdin.write(line + "\n"))),
    stop: () => (child.stdin.end(), exited),
  };
}
