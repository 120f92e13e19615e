// The main job in a real browser, on the made-up council that every run has: infra/synth/src/demo.rs says who is in it.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { assertAccessible, assertReflows, laptop, openBrowser, openPage, phone, zoomed } from "./browser.mjs";
import { LOADED_WITHIN_MS, logs, startStack } from "./stack.mjs";
import { auditEntries, auditSize, personOf } from "./tables.mjs";

// Who can sign in (infra/local/src/issuer.rs), and their ids in the directory, under which the audit trail is kept.
const SAM = { name: "Sam Social", id: "5a110000-0000-4000-8000-000000000001" };
const TESS = { name: "Tess Manager", id: "5a110000-0000-4000-8000-000000000002" };
const STEVIE = { name: "Stevie Steward", id: "5a110000-0000-4000-8000-000000000003" };
const INES = { name: "Ines Governance", id: "5a110000-0000-4000-8000-000000000004" };
const NADIA = { name: "Nadia Nobody", id: "5a110000-0000-4000-8000-000000000005" };

const CASES = { posy: "10000001", jago: "10000002", marisol: "10000003", ansel: "10000005", isaura: "10000006", unborn: "10000007", philippa: "10000008" };
const NO_CASE = "10999999";

// Nobody's name may be in an address, a title or a log.
// Short ones count as whole words only, because opaque ids are random letters.
const NAMES = /\bPosy\b|\bJago\b|\bAnsel\b|Marisol|Tobiah|Quennell|Thornquist|Isaura|Philippa|Wintersgill|Velkmere|Zephyrine|Quillfeather|Ottoline|Fennimore/i;

// Where pictures of the pages go. The README's docs/screenshot.png is a copy of screenshot.png.
const pictures = join(logs, "screenshots");

let stack, browser;
before(async () => {
  mkdirSync(pictures, { recursive: true });
  [stack, browser] = await Promise.all([startStack("walk"), openBrowser()]);
});
after(async () => {
  await browser?.close();
  await stack?.stop();
});

/// A page that remembers every address it asked for and every title it had.
async function visit(options) {
  const page = await openPage(browser, options);
  const seen = { addresses: [], titles: [] };
  page.on("request", (request) => seen.addresses.push(request.url()));
  /// Waits for the page with this heading.
  const arrive = async (heading) => {
    await page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
    seen.titles.push(await page.title());
  };
  return { page, seen, arrive };
}

async function signIn({ page, arrive }, user, heading = "Search for a person") {
  await page.goto(stack.page);
  await page.getByRole("link", { name: "Sign in with your council account" }).click();
  await page.getByRole("button", { name: user.name }).click();
  await arrive(heading);
}

async function searchByName({ page, arrive }, { surname, forename = "" }, heading) {
  await page.goto(`${stack.page}/search`);
  await page.getByLabel("Surname").fill(surname);
  await page.getByLabel("First name").fill(forename);
  await page.getByRole("button", { name: "Search by name" }).click();
  if (heading) await arrive(heading);
}

async function searchByCase({ page, arrive }, caseId, heading) {
  await page.goto(`${stack.page}/search`);
  await page.getByLabel("Case ID").fill(caseId);
  await page.getByRole("button", { name: "Find by case ID" }).click();
  await arrive(heading);
}

const personIn = (page) => /\/people\/([^/?]+)/.exec(page.url())?.[1];
const text = (page) => page.locator("body").innerText();
const picture = (page, name, fullPage = true) => page.screenshot({ path: join(pictures, `${name}.png`), fullPage });

function assertNoNames({ addresses, titles }) {
  assert.ok(addresses.length > 0 && titles.length > 0);
  assert.deepEqual([...addresses, ...titles].filter((seen) => NAMES.test(decodeURIComponent(seen))), []);
}

test("a social worker finds a child, sees the family, and reads which housing officer to ring", async () => {
  const visitor = await visit();
  const { page, seen, arrive } = visitor;

  await page.goto(stack.page);
  await arrive("Find out who is working with a family");
  const notice = await text(page);
  assert.match(notice, /What you do here is recorded\. Your searches, the people shown and the records you open are saved with your name and the time\. Managers check them\./);
  assert.match(notice, /Never look up yourself, family, friends or colleagues\. Misuse can be a crime\./);
  await signIn(visitor, SAM);

  await page.getByLabel("Surname").fill("Wintersgill");
  await page.getByRole("button", { name: "Search by name" }).click();
  await page.getByRole("link", { name: "Posy Wintersgill" }).waitFor();
  const results = page.url();
  const found = page.getByRole("row").filter({ hasText: "Posy Wintersgill" });
  for (const column of ["Date of birth", "Age", "Address", "Case ID"]) {
    assert.notEqual((await found.locator(`[data-label="${column}"]`).innerText()).trim(), "", column);
  }

  await page.getByRole("link", { name: "Posy Wintersgill" }).click();
  await arrive("Posy Wintersgill");
  const posy = personIn(page);
  assert.match(await text(page), /9 years old/);
  assert.match(await text(page), /Some records are protected and never shown here\./);
  assert.ok(await page.getByRole("link", { name: "Show School", exact: true }).isVisible());
  await picture(page, "screenshot", false);
  await page.setViewportSize(phone);
  await picture(page, "screenshot-phone");
  await page.setViewportSize(laptop);

  const sibling = page.getByRole("row").filter({ hasText: "Jago Wintersgill" });
  assert.match(await sibling.innerText(), /Sibling/);
  await sibling.getByRole("link").click();
  await arrive("Jago Wintersgill");
  const jago = personIn(page);

  await page.getByRole("link", { name: "Show Housing", exact: true }).click();
  await arrive("Housing");
  const officer = page.getByRole("link", { name: "0161 496 0103" });
  assert.equal(await officer.getAttribute("href"), "tel:01614960103");
  const who = page.locator(".involvement").filter({ has: officer });
  assert.match(await who.innerText(), /Housing officer\s+Delphine Hartnoll/);

  await page.getByRole("button", { name: "I opened the wrong person" }).click();
  await page.getByRole("link", { name: "Posy Wintersgill" }).waitFor();
  assert.equal(page.url(), results, "back to the results");

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You have signed out.").waitFor();
  await page.goto(results);
  await arrive("Find out who is working with a family");
  assertNoNames(seen);
  await page.context().close();

  const turnedAway = await visit();
  await signIn(turnedAway, NADIA, "You do not have access");
  assert.match(await text(turnedAway.page), /your account does not have a role that lets you look people up here/);
  await turnedAway.page.goto(`${stack.page}/people/${posy}`);
  await turnedAway.arrive("Find out who is working with a family");
  await turnedAway.page.context().close();

  const entries = await auditEntries(stack, SAM.id);
  const terms = { surname: "Wintersgill" };
  const walk = [
    { act: "sign-in" },
    { act: "search", terms },
    { act: "open-person", person: posy },
    { act: "open-person", person: jago, child: posy },
    { act: "open-service", person: jago, service: "housing", child: posy },
    { act: "wrong-person", person: jago },
    { act: "search", terms },
    { act: "sign-out" },
  ];
  assert.deepEqual(
    entries.map(({ at, request, user, outcome, ...asked }) => asked),
    walk.flatMap((asked) => [{ stage: "attempt", ...asked }, { stage: "outcome", ...asked }]),
  );
  assert.ok(entries.every(({ at, request }) => !Number.isNaN(Date.parse(at)) && request.length > 0));
  for (const { user } of entries) assert.deepEqual(user, { id: SAM.id, name: SAM.name, roles: ["social-worker"] });
  const outcome = (act) => entries.find((entry) => entry.act === act && entry.stage === "outcome").outcome;
  assert.equal(outcome("search").result, "shown");
  assert.ok([posy, jago].every((person) => outcome("search").people.includes(person)), "the people shown");
  assert.equal(outcome("open-person").result, "shown");
  assert.ok(outcome("open-person").flags.some(({ service, state }) => service === "schools" && state === "found"));
  assert.deepEqual(outcome("open-service").people, [jago]);

  // And nothing of anybody else, but that somebody without a role tried and was refused.
  const [tess, stevie, ines, nadia] = await Promise.all([TESS, STEVIE, INES, NADIA].map(({ id }) => auditEntries(stack, id)));
  assert.deepEqual([stevie, ines], [[], []]);
  assert.deepEqual(nadia.map(({ act, stage, outcome }) => [act, stage, outcome?.result, outcome?.people ?? []]), [
    ["sign-in", "attempt", undefined, []],
    ["sign-in", "outcome", "refused", []],
  ]);
  assert.equal(await auditSize(stack), entries.length + tess.length + nadia.length);
});

test("a search is made from first key to last without a mouse", async () => {
  const visitor = await visit();
  const { page, seen, arrive } = visitor;
  await signIn(visitor, TESS);
  const focused = page.locator(":focus");
  const tabTo = async (wanted) => {
    for (let presses = 0; presses < 20; presses += 1) {
      await page.keyboard.press("Tab");
      if (await wanted.evaluate((element) => element === document.activeElement)) return;
    }
    assert.fail(`the tab key never got to ${wanted}`);
  };

  await page.keyboard.press("Tab");
  assert.equal(await focused.innerText(), "Skip to main content");
  assert.ok((await focused.boundingBox()).x >= 0, "and it can be seen");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.equal(await focused.getAttribute("id"), "surname");
  await page.keyboard.type("wintersgill");
  await tabTo(page.getByLabel("First name"));
  await page.keyboard.type("posy");
  await page.keyboard.press("Enter");

  const child = page.getByRole("link", { name: "Posy Wintersgill" });
  await child.waitFor();
  await tabTo(child);
  await page.keyboard.press("Enter");
  await arrive("Posy Wintersgill");
  await tabTo(page.getByRole("link", { name: "Show School", exact: true }));
  await page.keyboard.press("Enter");
  await arrive("School");
  assertNoNames(seen);
  await page.context().close();
});

test("a hidden person cannot be told from one who does not exist, by search, by case ID or by address", async () => {
  const visitor = await visit();
  const { page, arrive } = visitor;
  await signIn(visitor, TESS);

  const nobody = async (surname) => {
    await searchByName(visitor, { surname }, "No one found");
    return (await page.content()).replaceAll(surname, "NAME");
  };
  assert.equal(await nobody("Velkmere"), await nobody("Qvistgaard-Ploome"));

  const noCase = async (caseId) => {
    await searchByCase(visitor, caseId, "No one found");
    return (await page.content()).replaceAll(caseId, "CASE");
  };
  assert.equal(await noCase(CASES.isaura), await noCase(NO_CASE));

  const hidden = await personOf(stack, "children_social_care", "500006");
  const unknown = hidden.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
  for (const path of ["", "/services/housing", "/services/children_social_care"]) {
    const answers = [];
    for (const person of [hidden, unknown]) {
      const response = await page.goto(`${stack.page}/people/${person}${path}`);
      answers.push({ status: response.status(), page: await response.text() });
    }
    assert.equal(answers[0].status, 404);
    assert.deepEqual(answers[0], answers[1], `of /people/...${path}`);
  }

  await searchByCase(visitor, CASES.posy, "Posy Wintersgill");
  assert.doesNotMatch(await page.content(), /Isaura|Velkmere/);
  await page.context().close();
});

test("of a person whose details are withheld, only the name and whom to ask are shown", async () => {
  const visitor = await visit();
  const { page, arrive } = visitor;
  await signIn(visitor, TESS);
  const ask = "There may be information about this person that you cannot see. Speak to Multi-agency safeguarding hub on 01632 960100.";

  await searchByCase(visitor, CASES.posy, "Posy Wintersgill");
  const father = page.getByRole("row").filter({ hasText: "Ansel Thornquist" });
  assert.match(await father.innerText(), /Father/);
  assert.ok((await father.innerText()).includes(ask));
  assert.doesNotMatch(await father.innerText(), /years old|LN10/);

  await father.getByRole("link").click();
  await arrive("Ansel Thornquist");
  const shown = await page.locator("main").innerText();
  assert.ok(shown.includes(ask));
  assert.doesNotMatch(shown, /Date of birth|years old|Address|Family|LN10|Records found|No record found/);
  await page.context().close();
});

test("a dropped extract is searchable as soon as its load report is there", async () => {
  const visitor = await visit();
  const { page, arrive } = visitor;
  await signIn(visitor, TESS);
  const child = { forename: "Ottoline", surname: "Fennimore-Drax" };
  await searchByName(visitor, child, "No one found");

  // Tonight's extract is last night's with one more child in it.
  const last = join(stack.data, "buckets", "extracts", "children_social_care", "people", "children_social_care-people.csv");
  const extract = readFileSync(last, "utf8").trimEnd();
  const row = {
    "person id": "590001",
    "case id": "19000001",
    "person type": "Child",
    forename: child.forename,
    surname: child.surname,
    "date of birth": "12/05/2016",
    gender: "Female",
    address: '"9 Quarry Bank\nFenchester"',
    postcode: "LN10 8NE",
    "case status": "Open",
    "allocated worker": "Rosalind Achebe-Moor",
    "worker phone": "0161 496 0101",
  };
  const columns = extract.split(/\r?\n/, 1)[0].split(",").map((name) => name.replace(/^\uFEFF|"/g, "").toLowerCase());
  assert.deepEqual(Object.keys(row).filter((name) => !columns.includes(name)), []);
  const reported = stack.next(/^load report: .*children_social_care.people/, LOADED_WITHIN_MS);
  const tonight = `${extract}\r\n${columns.map((name) => row[name] ?? "").join(",")}\r\n`;
  writeFileSync(join(stack.data, "drop", "children_social_care-people.csv"), tonight);

  assert.match(await reported, / applied\. \d+ rows: \d+ used, \d+ skipped, \d+ rejected\. /);
  const report = (await reported).split(" ").at(-1);
  assert.ok(existsSync(report));
  assert.doesNotMatch(readFileSync(report, "utf8"), NAMES);

  const link = page.getByRole("link", { name: "Ottoline Fennimore-Drax" });
  const deadline = Date.now() + LOADED_WITHIN_MS;
  do {
    assert.ok(Date.now() < deadline, "searchable within a minute");
    await searchByName(visitor, child);
    await page.getByRole("heading", { level: 1 }).waitFor();
  } while ((await link.count()) === 0);
  await link.click();
  await arrive("Ottoline Fennimore-Drax");
  assert.match(await text(page), /9 Quarry Bank, Fenchester, LN10 8NE/);
  await page.context().close();
});

test("a name that is searched for and opened is in no log", async () => {
  const visitor = await visit();
  const { page, seen, arrive } = visitor;
  await signIn(visitor, TESS);
  await searchByName(visitor, { surname: "Quillfeather-Canary", forename: "Zephyrine" });
  await page.getByRole("link", { name: "Zephyrine Quillfeather-Canary" }).click();
  await arrive("Zephyrine Quillfeather-Canary");
  await page.getByRole("link", { name: "Show School", exact: true }).click();
  await arrive("School");
  assertNoNames(seen);
  assert.match(stack.log(), /INFO/, "requests are logged, so that this proves something");
  assert.doesNotMatch(stack.log(), /Zephyrine|Quillfeather/i);
  await page.context().close();
});

test("every page is accessible, reflows at 400% zoom and with large letters, and has nobody's name in its title", async (t) => {
  // The check of accessibility is itself a script.
  const visitor = await visit({ javaScriptEnabled: true });
  const { page, seen, arrive } = visitor;
  const byCase = (caseId, heading) => () => searchByCase(visitor, caseId, heading);
  const open = (name) => async () => {
    await page.getByRole("link", { name: `Show ${name}`, exact: true }).click();
    await arrive(name);
  };
  const submit = (fill, button) => async () => {
    await page.goto(`${stack.page}/search`);
    for (const [label, value] of Object.entries(fill)) await page.getByLabel(label).fill(value);
    await page.getByRole("button", { name: button }).click();
    await page.getByRole("alert").waitFor();
  };

  const pages = {
    "front-door": async () => {
      await page.goto(stack.page);
      await arrive("Find out who is working with a family");
    },
    search: () => signIn(visitor, TESS),
    "search-empty": submit({}, "Search by name"),
    "search-impossible-date": submit({ Surname: "Wintersgill", Day: "31", Month: "2", Year: "2015" }, "Search by name"),
    "search-no-case": submit({}, "Find by case ID"),
    results: async () => {
      await searchByName(visitor, { surname: "Wintersgill" });
      await page.getByRole("link", { name: "Posy Wintersgill" }).waitFor();
    },
    "results-many": async () => {
      await searchByName(visitor, { surname: "Smith" });
      await page.getByText("You searched for surname Smith").waitFor();
    },
    "results-former-name": async () => {
      await searchByName(visitor, { surname: "Thornquist" });
      await page.getByText("Former name: Marisol Thornquist").waitFor();
    },
    "results-none": () => searchByName(visitor, { surname: "Qvistgaard-Ploome" }, "No one found"),
    child: byCase(CASES.posy, "Posy Wintersgill"),
    "child-school": open("School"),
    sibling: byCase(CASES.jago, "Jago Wintersgill"),
    "sibling-housing": open("Housing"),
    mother: byCase(CASES.marisol, "Marisol Wintersgill"),
    "mother-housing": open("Housing"),
    "withheld-father": byCase(CASES.ansel, "Ansel Thornquist"),
    unborn: async () => {
      await searchByCase(visitor, CASES.unborn, "Unborn Wintersgill");
    },
    grandmother: byCase(CASES.philippa, "Philippa Wintersgill"),
    "grandmother-adult-care": open("Adult social care"),
    "not-found": async () => {
      await page.goto(`${stack.page}/nothing-here`);
      await page.getByRole("heading", { level: 1 }).waitFor();
    },
    "signed-out": async () => {
      await page.goto(`${stack.page}/search`);
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByText("You have signed out.").waitFor();
    },
    "session-ended": async () => {
      await page.context().addCookies([{ name: "session", value: "x".repeat(43), url: stack.page }]);
      await page.goto(`${stack.page}/search`);
      await arrive("You have been signed out");
    },
    "no-access": () => signIn(visitor, NADIA, "You do not have access"),
  };
  for (const [name, go] of Object.entries(pages)) {
    await t.test(name, async () => {
      await go();
      seen.titles.push(await page.title());
      await assertAccessible(page, name);
      await assertReflows(page, name);
      await picture(page, name);
      await page.setViewportSize(zoomed);
      await picture(page, `${name}-320`);
      await page.setViewportSize(laptop);
    });
  }
  assertNoNames(seen);
  await page.context().close();
});
