-- SPDX-License-Identifier: GPL-2.0-or-later
-- 0001: what survives a life of the engine. phase: 1 making, 2 ready, 3 removing.

CREATE TABLE network (
	id TEXT NOT NULL PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	phase INTEGER NOT NULL CHECK (phase BETWEEN 1 AND 3),
	created_ns INTEGER NOT NULL,
	bridge TEXT UNIQUE,
	subnet TEXT,
	spec_json TEXT NOT NULL
) STRICT;

CREATE TABLE endpoint (
	id TEXT NOT NULL PRIMARY KEY,
	network_id TEXT NOT NULL REFERENCES network (id) ON DELETE CASCADE,
	container_id TEXT NOT NULL,
	phase INTEGER NOT NULL CHECK (phase BETWEEN 1 AND 3),
	attached INTEGER NOT NULL CHECK (attached IN (0, 1)),
	addr INTEGER NOT NULL CHECK (addr BETWEEN 0 AND 4294967295),
	spec_json TEXT NOT NULL,
	UNIQUE (network_id, container_id)
) STRICT;
CREATE UNIQUE INDEX endpoint_addr ON endpoint (network_id, addr) WHERE addr <> 0;

CREATE TABLE port (
	container_id TEXT NOT NULL,
	proto INTEGER NOT NULL CHECK (proto BETWEEN 0 AND 255),
	host_ip INTEGER NOT NULL CHECK (host_ip BETWEEN 0 AND 4294967295),
	host_port INTEGER NOT NULL CHECK (host_port BETWEEN 1 AND 65535),
	host_port_end INTEGER NOT NULL CHECK (host_port_end BETWEEN host_port AND 65535),
	port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
	PRIMARY KEY (proto, host_ip, host_port)
) STRICT;
CREATE INDEX port_container ON port (container_id);

CREATE TABLE sandbox (
	container_id TEXT NOT NULL PRIMARY KEY,
	dns_port INTEGER NOT NULL CHECK (dns_port BETWEEN 0 AND 65535)
) STRICT;

CREATE TABLE container (
	id TEXT NOT NULL PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	phase INTEGER NOT NULL CHECK (phase BETWEEN 1 AND 3),
	created_ns INTEGER NOT NULL,
	image_id TEXT,
	spec_json TEXT NOT NULL,
	state_json TEXT NOT NULL
) STRICT;

CREATE TABLE image (
	id TEXT NOT NULL PRIMARY KEY,
	created_ns INTEGER NOT NULL,
	size INTEGER NOT NULL,
	layers_json TEXT NOT NULL,
	config_json TEXT NOT NULL,
	hidden INTEGER NOT NULL CHECK (hidden IN (0, 1))
) STRICT;

CREATE TABLE tag (
	tag TEXT NOT NULL PRIMARY KEY,
	image_id TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX tag_image ON tag (image_id);

CREATE TABLE volume (
	name TEXT NOT NULL PRIMARY KEY,
	phase INTEGER NOT NULL CHECK (phase BETWEEN 1 AND 3),
	created_ns INTEGER NOT NULL,
	anonymous INTEGER NOT NULL CHECK (anonymous IN (0, 1)),
	spec_json TEXT NOT NULL
) STRICT;
