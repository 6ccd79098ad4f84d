// SPDX-License-Identifier: GPL-2.0-or-later
// The application: a tiny shop. GET / is its page, /api/items and /api/orders its interface.
"use strict";
const http = require("node:http");
const shop = require("./lib/orders");

function say(res, status, body, kind = "application/json") {
	res.writeHead(status, { "Content-Type": kind });
	res.end(kind === "application/json" ? JSON.stringify(body) + "\n" : body);
}

async function read(req) {
	let text = "";
	for await (const part of req)
		text += part;
	return JSON.parse(text);
}

async function page() {
	const rows = (await shop.items()).map((i) => `<li>${i.name}: ${(i.cents / 100).toFixed(2)}</li>`);
	return `<!doctype html><title>Shop</title><h1>Shop</h1><ul>${rows.join("")}</ul>\n`;
}

async function answer(req, res) {
	const what = req.method + " " + req.url;
	if (what === "GET /health")
		return say(res, 200, { status: "ok" });
	if (what === "GET /")
		return say(res, 200, await page(), "text/html");
	if (what === "GET /api/items")
		return say(res, 200, await shop.items());
	if (what === "GET /api/orders")
		return say(res, 200, await shop.orders());
	if (what === "POST /api/orders") {
		const { item, quantity } = await read(req);
		const made = await shop.order(item, quantity);
		return made ? say(res, 201, made) : say(res, 409, { error: "not in stock" });
	}
	return say(res, 404, { error: "no such page" });
}

const server = http.createServer((req, res) => {
	answer(req, res).catch((e) => say(res, 500, { error: e.message }));
});
process.on("SIGTERM", () => process.exit(0)); // process 1 of a container has no default action
// Longer than clients keep a connection that is not used: what is sent as the server closes it is lost.
server.keepAliveTimeout = 65000;
server.listen(3000, () => console.log("listening on port 3000"));
