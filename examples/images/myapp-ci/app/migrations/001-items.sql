-- SPDX-License-Identifier: GPL-2.0-or-later
CREATE TABLE items (
	name text PRIMARY KEY,
	cents integer NOT NULL CHECK (cents > 0),
	stock integer NOT NULL CHECK (stock >= 0)
);
INSERT INTO items VALUES ('lamp', 1990, 20), ('chair', 4900, 3);
