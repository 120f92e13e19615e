// The real program, started for a test: its address, its log, and an end.

import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const binary = process.env.FAMILY_CONTEXT ?? join(root, "target", "release", "family-context");
// tests/run looks here for names that must never be in a log.
const logs = join(process.env.FC_TEST_LOGS ?? join(root, "target", "test-logs"), "programs");

// From start to the `ready` line, a made-up council loaded. Ten times what it takes on two cores.
const READY_WITHIN_MS = 180_000;
// From the request to end to the end of the process.
const STOPPED_WITHIN_MS = 10_000;

/// Starts `family-context local` on free ports. `addresses` holds what it printed, by name; `log()` all it wrote so far.
export async function startStack(name, args = []) {
  mkdirSync(logs, { recursive: true });
  const logFile = join(logs, `${name}.log`);
  const child = spawn(binary, ["local", "--port", "0", ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve(signal ?? code)));
  const failed = new Promise((_, reject) => child.once("error", reject));
  const written = [];
  const keep = (line) => {
    written.push(line);
    appendFileSync(logFile, `${line}\n`);
  };

  const ready = new Promise((resolve) => {
    createInterface({ input: child.stderr }).on("line", keep);
    createInterface({ input: child.stdout }).on("line", (line) => {
      keep(line);
      const match = /^ready (http:\/\/\S+)$/.exec(line);
      if (match) resolve(match[1]);
    });
  });

  const stop = async () => {
    child.kill("SIGTERM");
    const impatient = setTimeout(() => child.kill("SIGKILL"), STOPPED_WITHIN_MS);
    const how = await ended;
    clearTimeout(impatient);
    return how;
  };

  let tooLong;
  const limit = new Promise((_, reject) => {
    tooLong = setTimeout(() => reject(new Error(`not ready within ${READY_WITHIN_MS / 1000} s`)), READY_WITHIN_MS);
  });
  const early = ended.then((how) => {
    throw new Error(`ended (${how}) before it was ready`);
  });
  early.catch(() => {});
  try {
    const url = await Promise.race([ready, early, failed, limit]);
    return { url, stop, log: () => written.join("\n") };
  } catch (error) {
    child.kill("SIGKILL");
    throw new Error(`${error.message}. It wrote:\n${written.join("\n")}`);
  } finally {
    clearTimeout(tooLong);
  }
}
