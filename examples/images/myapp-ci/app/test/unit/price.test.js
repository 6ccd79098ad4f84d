// SPDX-License-Identifier: GPL-2.0-or-later
"use strict";
const assert = require("node:assert");
const test = require("node:test");
const { total } = require("../../lib/price");

test("a few cost so much a piece", () => assert.strictEqual(total(1990, 2), 3980));
test("ten are a tenth cheaper", () => assert.strictEqual(total(1990, 10), 17910));
test("cents are whole", () => assert.strictEqual(total(99, 11), 980));
test("no part of a lamp is sold", () => assert.throws(() => total(1990, 0.5), RangeError));
