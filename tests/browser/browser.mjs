// Debian's Chromium, driven by playwright-core, and the accessibility check of a page.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";

import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";

const candidates = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

// No sandbox: tests run as root in containers. No network services of the browser's own.
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

/// A browser with a fresh profile.
export async function openBrowser() {
  const executablePath = candidates.find((path) => path && existsSync(path));
  assert.ok(executablePath, "Chromium is not installed: apt-get install chromium, or set CHROMIUM to its path");
  return chromium.launch({ executablePath, args: flags, headless: true });
}

/// The size of a small laptop, and of the phones and tablets councils hand out.
export const laptop = { viewport: { width: 1280, height: 800 } };
export const phone = { viewport: { width: 375, height: 667 }, isMobile: true, hasTouch: true };

/// Fails with every rule of WCAG 2.2 AA, and every good practice, that the page breaks.
export async function assertAccessible(page) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map((node) => node.html).join("\n  ")}`);
  assert.deepEqual(told, [], `${new URL(page.url()).pathname} is not accessible`);
}
