// What the program stored, read over the DynamoDB protocol: single partitions and items, never a scan.

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const hash = (text) => createHash("sha256").update(text).digest("hex");
const keyed = (key, text) => createHmac("sha256", key).update(text).digest();

/// The headers of a DynamoDB request, signed (AWS signature version 4) with the key of a start.
function signed(stack, target, body) {
  const at = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = `${at.slice(0, 8)}/eu-west-2/dynamodb/aws4_request`;
  const headers = { host: new URL(stack.dynamodb).host, "x-amz-date": at, "x-amz-target": target };
  const names = Object.keys(headers).join(";");
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`).join("");
  const request = hash(["POST", "/", "", lines, names, hash(body)].join("\n"));
  const key = scope.split("/").reduce(keyed, `AWS4${stack.key.secret}`);
  const signature = keyed(key, ["AWS4-HMAC-SHA256", at, scope, request].join("\n")).toString("hex");
  const { host, ...sent } = headers;
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${stack.key.id}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

async function ask(stack, operation, content) {
  const body = JSON.stringify(content);
  const response = await fetch(stack.dynamodb, {
    method: "POST",
    headers: { "content-type": "application/x-amz-json-1.0", ...signed(stack, `DynamoDB_20120810.${operation}`, body) },
    body,
  });
  const answer = await response.json();
  assert.ok(response.ok, `${operation}: ${JSON.stringify(answer)}`);
  return answer;
}

/// The audit entries of a user, oldest first.
export async function auditEntries(stack, user) {
  const { Items, LastEvaluatedKey } = await ask(stack, "Query", {
    TableName: "audit",
    KeyConditionExpression: "pk = :user",
    ExpressionAttributeValues: { ":user": { S: `USER#${user}` } },
    ConsistentRead: true,
  });
  assert.equal(LastEvaluatedKey, undefined, "one page holds them all");
  return Items.map((item) => JSON.parse(item.data.S));
}

/// How many entries the audit trail holds, of everybody.
export async function auditSize(stack) {
  const { Table } = await ask(stack, "DescribeTable", { TableName: "audit" });
  return Table.ItemCount;
}

/// The person whom a source's record belongs to, whether or not the page may show them.
export async function personOf(stack, source, recordId) {
  const secret = readFileSync(join(stack.data, "hashing-secret"));
  const hash = createHmac("sha256", secret).update(`record\0${source}:${recordId}`).digest("hex").slice(0, 32);
  const { Item } = await ask(stack, "GetItem", {
    TableName: "people",
    Key: { pk: { S: `R#${hash}` }, sk: { S: "R" } },
    ConsistentRead: true,
  });
  assert.ok(Item, `record ${recordId} of ${source} was matched`);
  const id = /"person":"([^"]+)"/.exec(Item.data.S)?.[1];
  assert.ok(id, "and belongs to a person");
  return id;
}

/// The names of the tables.
export async function tableNames(stack) {
  return (await ask(stack, "ListTables", {})).TableNames;
}
