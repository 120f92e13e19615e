// Debian's Chromium, driven by playwright-core, and what every page must be: accessible, and readable at any size.

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

/// Longest wait for an element or a page.
const WAIT_MS = 10_000;

/// A browser with a fresh profile, and with flags of a test's own.
export async function openBrowser(own = []) {
  const executablePath = candidates.find((path) => path && existsSync(path));
  assert.ok(executablePath, "Chromium is not installed: apt-get install chromium, or set CHROMIUM to its path");
  return chromium.launch({ executablePath, args: [...flags, ...own], headless: true });
}

/// The size of a small laptop, of a phone, and of that laptop at 400% zoom.
export const laptop = { width: 1280, height: 800 };
export const phone = { width: 390, height: 844 };
export const zoomed = { width: 320, height: 256 };

/// A page in a context of its own. Scripts are off unless asked for: the product needs none.
export async function openPage(browser, { javaScriptEnabled = false } = {}) {
  const context = await browser.newContext({ viewport: laptop, javaScriptEnabled, locale: "en-GB" });
  context.setDefaultTimeout(WAIT_MS);
  return context.newPage();
}

/// Fails with every rule of WCAG 2.2 AA, and every good practice, that the page breaks. Needs scripts.
export async function assertAccessible(page, name) {
  const { violations, passes } = await new AxeBuilder({ page }).analyze();
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map((node) => node.html).join("\n  ")}`);
  assert.deepEqual(told, [], `${name} is not accessible`);
  assert.ok(passes.length > 10, `${name} was really looked at`);
}

/// Fails when a page must be scrolled sideways: at 400% zoom, or with letters twice as large.
export async function assertReflows(page, name) {
  for (const [size, letters] of [[zoomed, "100%"], [laptop, "200%"], [{ width: 640, height: 800 }, "200%"]]) {
    await page.setViewportSize(size);
    const overflow = await page.evaluate((letters) => {
      const { documentElement } = document;
      documentElement.style.fontSize = letters;
      const { scrollWidth, clientWidth } = documentElement;
      documentElement.style.fontSize = "";
      return scrollWidth - clientWidth;
    }, letters);
    assert.ok(overflow <= 0, `${name} is ${overflow} px too wide at ${size.width} px with letters at ${letters}`);
  }
  await page.setViewportSize(laptop);
}
