-- SPDX-License-Identifier: GPL-2.0-or-later
-- 0003: which images are a build's steps: their parents, and the keys by which a build finds them.

CREATE TABLE image_step (
	image_id TEXT NOT NULL PRIMARY KEY REFERENCES image (id) ON DELETE CASCADE,
	parent_id TEXT NOT NULL,
	step_key TEXT NOT NULL
) STRICT;
