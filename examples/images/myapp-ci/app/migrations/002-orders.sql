-- SPDX-License-Identifier: GPL-2.0-or-later
CREATE TABLE orders (
	id serial PRIMARY KEY,
	item text NOT NULL REFERENCES items (name),
	quantity integer NOT NULL CHECK (quantity > 0),
	cents integer NOT NULL
);
