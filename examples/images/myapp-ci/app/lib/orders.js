// SPDX-License-Identifier: GPL-2.0-or-later
// Items and orders in the database.
"use strict";
const { pool } = require("./db");
const { total } = require("./price");

async function items() {
	return (await pool.query("SELECT name, cents, stock FROM items ORDER BY name")).rows;
}

async function orders() {
	return (await pool.query("SELECT id, item, quantity, cents FROM orders ORDER BY id")).rows;
}

// Takes the stock and writes the order, both or neither. null: there is not enough, or no such item.
async function order(name, quantity) {
	const db = await pool.connect();
	try {
		await db.query("BEGIN");
		const taken = await db.query(
			"UPDATE items SET stock = stock - $2 WHERE name = $1 AND stock >= $2 RETURNING cents",
			[name, quantity]);
		let made = null;
		if (taken.rowCount)
			made = (await db.query(
				"INSERT INTO orders (item, quantity, cents) VALUES ($1, $2, $3) RETURNING *",
				[name, quantity, total(taken.rows[0].cents, quantity)])).rows[0];
		await db.query(made ? "COMMIT" : "ROLLBACK");
		return made;
	} catch (e) {
		await db.query("ROLLBACK");
		throw e;
	} finally {
		db.release();
	}
}

module.exports = { items, orders, order };
