// A website in the same browser tries to read and change what a local stack holds: from an origin of its own, and with a
// name of its own that leads to this machine (DNS rebinding).

import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { openBrowser, openPage } from "./browser.mjs";
import { startStack } from "./stack.mjs";
import { tableNames } from "./tables.mjs";

const REBOUND = "council-news.example";
const JUNK =
  "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-2/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=0";

let stack, browser, site;
before(async () => {
  site = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<!doctype html><h1>News</h1>"));
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  // Newer browsers ask their user before a site may reach this machine. Whoever says yes, or has an older one, is safe too.
  const own = [`--host-resolver-rules=MAP ${REBOUND} 127.0.0.1`, "--disable-features=LocalNetworkAccessChecks"];
  [stack, browser] = await Promise.all([startStack("stranger", ["--people", "50"]), openBrowser(own)]);
});
after(async () => {
  await browser?.close();
  await stack?.stop();
  site?.close();
});

/// What a site would try: every way to ask for a table or an object, and to change one.
function attempts() {
  const dynamo = (operation, content) => {
    const headers = { "x-amz-target": `DynamoDB_20120810.${operation}`, "x-amz-date": "20260101T000000Z", authorization: JUNK };
    const body = JSON.stringify(content);
    return [
      ["tables", { method: "POST", headers: { ...headers, "content-type": "application/x-amz-json-1.0" }, body }],
      ["tables", { method: "POST", headers: { ...headers, "content-type": "application/json" }, body }],
      // Without asking first whether it may.
      ["tables", { method: "POST", headers: { "content-type": "text/plain" }, body, mode: "no-cors" }],
    ];
  };
  const object = "extracts/housing/people/stranger.csv";
  return [
    ...dynamo("ListTables", {}),
    ...dynamo("Scan", { TableName: "people" }),
    ...dynamo("DeleteTable", { TableName: "people" }),
    ["tables", {}],
    ["objects", {}],
    ["objects", { headers: { authorization: JUNK } }],
    ["objects", {}, "extracts?list-type=2"],
    ["objects", { method: "PUT", body: "record_id\n1\n" }, object],
    ["objects", { method: "POST", body: "record_id\n1\n", mode: "no-cors" }, object],
    ["page", { credentials: "include" }, "search"],
    ["page", {}, "v1/openapi.json"],
    ["sign-in", { method: "POST", body: new URLSearchParams({ grant_type: "client_credentials", user: "sam.social" }).toString(), headers: { "content-type": "application/x-www-form-urlencoded" } }, "token"],
    ["sign-in", {}, "keys"],
  ];
}

/// Makes a request in the page, and says what its script was given: a status, a text, or nothing.
async function tried(page, address, options) {
  return page.evaluate(
    async ({ address, options }) => {
      try {
        const answer = await fetch(address, options);
        return { status: answer.status, text: await answer.text() };
      } catch {
        return { status: 0, text: "" };
      }
    },
    { address, options },
  );
}

async function assertUntouched() {
  assert.ok((await tableNames(stack)).includes("people"), "every table is still there");
  assert.ok(!existsSync(join(stack.data, "buckets", "extracts", "housing", "people", "stranger.csv")));
}

const servers = () => ({ tables: stack.dynamodb, objects: stack.s3, page: stack.page, "sign-in": stack.issuer });

test("a site of another origin reads and changes nothing", async () => {
  const page = await openPage(browser, { javaScriptEnabled: true });
  for (const host of ["127.0.0.1", "localhost"]) {
    await page.goto(`http://${host}:${site.address().port}/`);
    for (const [server, options, path = ""] of attempts()) {
      const answer = await tried(page, `${servers()[server]}/${path}`, options);
      assert.deepEqual(answer, { status: 0, text: "" }, `${server} ${path} ${JSON.stringify(options)}`);
    }
  }
  await page.context().close();
  await assertUntouched();
});

test("a site whose name leads to this machine is turned away by every port", async () => {
  const page = await openPage(browser, { javaScriptEnabled: true });
  for (const [server, address] of Object.entries(servers())) {
    const rebound = `http://${REBOUND}:${new URL(address).port}`;
    assert.equal((await page.goto(`${rebound}/`)).status(), 421, server);
    // Its own page came from elsewhere a moment ago, under the very same origin.
    await page.route(`${rebound}/news`, (route) => route.fulfill({ contentType: "text/html", body: "<h1>News</h1>" }));
    await page.goto(`${rebound}/news`);
    for (const [to, options, path = ""] of attempts().filter(([to]) => to === server)) {
      const { status, text } = await tried(page, `${rebound}/${path}`, { ...options, mode: "same-origin" });
      assert.equal(status, 421, `${to} ${path}`);
      assert.match(text, /^This answers only at /);
    }
  }
  await page.context().close();
  await assertUntouched();
});

test("no other user of this machine can read what is kept", () => {
  const open = (path) => {
    const about = statSync(path);
    const below = about.isDirectory() ? readdirSync(path).flatMap((name) => open(join(path, name))) : [];
    return (about.mode & 0o077) === 0 ? below : [path, ...below];
  };
  assert.ok(readdirSync(stack.data).length > 5, "there is something to keep");
  assert.deepEqual(open(stack.data), []);
});
