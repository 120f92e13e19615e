// What the program stored, read over the DynamoDB protocol: single partitions and items, never a scan.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

async function ask(stack, operation, body) {
  const response = await fetch(stack.dynamodb, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": `DynamoDB_20120810.${operation}`,
      // The server on this machine takes any key and checks no signature.
      "x-amz-date": "20260101T000000Z",
      authorization:
        "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-2/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=0",
    },
    body: JSON.stringify(body),
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
