// SPDX-License-Identifier: GPL-2.0-or-later
// The application of BASE_URL as a customer meets it.
"use strict";
const assert = require("node:assert");
const test = require("node:test");

const base = process.env.BASE_URL;

function post(path, body) {
	return fetch(base + path, { method: "POST", body: JSON.stringify(body) });
}

// It may still be starting: asks until it answers, for two minutes.
async function answers() {
	for (let i = 0; ; i++) {
		try {
			return await fetch(base + "/health");
		} catch (e) {
			if (i === 600)
				throw e;
			await new Promise((wake) => setTimeout(wake, 200));
		}
	}
}

test("the application answers", async () => {
	assert.strictEqual((await answers()).status, 200);
});

test("the page shows what there is to buy", async () => {
	const page = await (await fetch(base + "/")).text();
	assert.match(page, /lamp: 19\.90/);
});

test("an order is taken, and listed", async () => {
	const answer = await post("/api/orders", { item: "lamp", quantity: 2 });
	assert.strictEqual(answer.status, 201);
	const made = await answer.json();
	assert.strictEqual(made.cents, 3980);
	const all = await (await fetch(base + "/api/orders")).json();
	assert.deepStrictEqual(all.find((o) => o.id === made.id), made);
});

test("what is not in stock is refused", async () => {
	assert.strictEqual((await post("/api/orders", { item: "chair", quantity: 100 })).status, 409);
});

test("what is not there is not found", async () => {
	assert.strictEqual((await fetch(base + "/nowhere")).status, 404);
});
