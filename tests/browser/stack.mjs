// The real program, started for a test: where its parts are, what it wrote, and an end.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, appendFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const binary = process.env.FAMILY_CONTEXT ?? join(root, "target", "release", "family-context");
// tests/run looks here for names that must never be in a log.
export const logs = process.env.FC_TEST_LOGS ?? join(root, "target", "test-logs");

// From start to the `ready` line, a made-up council loaded. Ten times what it takes on two cores.
const READY_WITHIN_MS = 180_000;
// From the request to end to the end of the process.
const STOPPED_WITHIN_MS = 10_000;
// From a dropped file to its report. A file is searchable within seconds; this allows for a busy machine.
export const LOADED_WITHIN_MS = 60_000;

// What the program says of itself when it is ready, by the name that tests use.
const ADDRESSES = {
  issuer: /^Tokens for the API: curl .* (http:\S+)\/token$/m,
  page: /^ready (http:\S+)$/m,
};

/// Starts `family-context local` on free ports with a data folder of its own. Logs every request, not only what went
/// wrong, so that looking for names in the log means something.
export async function startStack(name, args = []) {
  const programs = join(logs, "programs");
  mkdirSync(programs, { recursive: true });
  const logFile = join(programs, `browser-${name}.log`);
  writeFileSync(logFile, "");
  const data = mkdtempSync(join(tmpdir(), "family-context-"));
  const child = spawn(binary, ["local", "--port", "0", "--data", data, ...args], {
    cwd: root,
    env: { ...process.env, LOG: "info" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve(signal ?? code)));
  const over = Promise.race([
    ended.then((how) => Promise.reject(new Error(`the program ended (${how})`))),
    new Promise((_, reject) => child.once("error", reject)),
  ]);
  over.catch(() => {});

  const written = [];
  const waiting = new Set();
  const keep = (line) => {
    written.push(line);
    appendFileSync(logFile, `${line}\n`);
    for (const look of waiting) look(line);
  };
  createInterface({ input: child.stderr }).on("line", keep);
  createInterface({ input: child.stdout }).on("line", keep);
  const log = () => written.join("\n");

  /// The first line from now on that matches.
  const next = async (pattern, withinMs) => {
    let look, tooLong;
    const found = new Promise((resolve) => {
      look = (line) => pattern.test(line) && resolve(line);
      waiting.add(look);
    });
    const limit = new Promise((_, reject) => {
      tooLong = setTimeout(() => reject(new Error(`nothing like ${pattern} within ${withinMs / 1000} s`)), withinMs);
    });
    try {
      return await Promise.race([found, limit, over]);
    } catch (error) {
      throw new Error(`${error.message}. The program wrote:\n${log()}`);
    } finally {
      waiting.delete(look);
      clearTimeout(tooLong);
    }
  };

  const stop = async () => {
    child.kill("SIGTERM");
    const impatient = setTimeout(() => child.kill("SIGKILL"), STOPPED_WITHIN_MS);
    const how = await ended;
    clearTimeout(impatient);
    rmSync(data, { recursive: true, force: true });
    return how;
  };

  try {
    await next(ADDRESSES.page, READY_WITHIN_MS);
    const addresses = Object.entries(ADDRESSES).map(([name, pattern]) => [name, pattern.exec(log())?.[1]]);
    // Where the tables and objects are, and the key of this start: for its owner alone.
    const { dynamodb, s3, key } = JSON.parse(readFileSync(join(data, "running.json"), "utf8"));
    return { ...Object.fromEntries(addresses), dynamodb, s3, key, data, next, log, stop };
  } catch (error) {
    child.kill("SIGKILL");
    rmSync(data, { recursive: true, force: true });
    throw error;
  }
}
