// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
const assert = require("node:assert");
const { after, test } = require("node:test");
const { pool } = require("../../lib/db");
const shop = require("../../lib/orders");

after(() => pool.end());

test("the database is fresh: nobody has ordered", async () => {
	assert.deepStrictEqual(await shop.orders(), []);
	assert.deepStrictEqual((await shop.items()).map((i) => [i.name, i.stock]), [["chair", 3], ["lamp", 20]]);
});

test("an order takes stock", async () => {
	assert.strictEqual((await shop.order("lamp", 4)).cents, 7960);
	assert.strictEqual((await shop.items()).find((i) => i.name === "lamp").stock, 16);
});

test("what is not there is not sold", async () => {
	assert.strictEqual(await shop.order("chair", 4), null);
	assert.strictEqual((await shop.items()).find((i) => i.name === "chair").stock, 3);
	assert.strictEqual((await shop.orders()).length, 1);
});

test("the database keeps its own rules, too", async () => {
	await assert.rejects(pool.query("INSERT INTO orders (item, quantity, cents) VALUES ('boat', 1, 1)"), /foreign key/);
});
