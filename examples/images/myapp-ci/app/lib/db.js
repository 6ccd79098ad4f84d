// SPDX-License-Identifier: GPL-2.0-or-later
// The database of DATABASE_URL. The guide's addresses have no user and no password in them: where they
// are missing, it is the guide's test database.
"use strict";
const { Pool } = require("pg");

const url = new URL(process.env.DATABASE_URL || "postgres://localhost:5432/testdb");

const pool = new Pool({
	host: url.hostname,
	port: Number(url.port || 5432),
	database: url.pathname.slice(1),
	user: decodeURIComponent(url.username) || "postgres",
	password: decodeURIComponent(url.password) || process.env.DB_PASSWORD || "testpass",
	connectionTimeoutMillis: 30000,
});
pool.on("error", () => {}); // a database that goes away is told to the next query

// The database may still be starting: tries until it answers.
async function ready(seconds) {
	const end = Date.now() + seconds * 1000;
	for (;;) {
		try {
			await pool.query("SELECT 1");
			return;
		} catch (e) {
			if (Date.now() > end)
				throw e;
			await new Promise((wake) => setTimeout(wake, 200));
		}
	}
}

module.exports = { pool, ready };
