// SPDX-License-Identifier: GPL-2.0-or-later
// Applies the files of migrations/ that the database has not had yet, each in a transaction.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { pool, ready } = require("./lib/db");

async function main() {
	const dir = path.join(__dirname, "migrations");
	await ready(120);
	const db = await pool.connect();
	await db.query("CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY)");
	const had = new Set((await db.query("SELECT name FROM migrations")).rows.map((row) => row.name));
	for (const name of fs.readdirSync(dir).sort()) {
		if (had.has(name))
			continue;
		await db.query("BEGIN");
		await db.query(fs.readFileSync(path.join(dir, name), "utf8"));
		await db.query("INSERT INTO migrations VALUES ($1)", [name]);
		await db.query("COMMIT");
		console.log("applied " + name);
	}
	db.release();
	await pool.end();
}

main().catch((e) => {
	console.error("migration failed: " + e.message);
	process.exit(1);
});
